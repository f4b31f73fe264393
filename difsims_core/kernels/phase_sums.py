"""Sums of the waves of atoms over rows of reflections, Σ_j w_j exp 2πi (h x_j + k y_j + l z_j) (PHYSICS §3).

The exponential is a product of three, each of one index alone, so that no reflection needs one of its own: along a row
of reflections the sum is one complex number per atom times a row of a table. Every sum runs over the atoms in their
order, whatever the rows that come together.
"""

from __future__ import annotations

from difsims_core.kernels.compile import kernel


@kernel
def add_phase_sums(rows, first, second, cosine, sine, lowest, real, imaginary):
    """Add the waves of some atoms to the sums of reflections.

    Parameters
    ----------
    rows
        (m, 4) first two indices of each row of reflections, and its lowest and highest third index.
    first, second
        (n_1, a) and (n_2, a) complex waves of ``a`` atoms, by first index (times the atom's weight) and second index.
    cosine, sine
        (a, n_3) waves by third index.
    lowest
        (3,) indices that the tables begin with.
    real, imaginary
        (n,) sums of the reflections, row by row.
    """
    begin = 0
    for r in range(rows.shape[0]):
        h, j = rows[r, 0] - lowest[0], rows[r, 1] - lowest[1]
        start, stop = rows[r, 2] - lowest[2], rows[r, 3] - lowest[2] + 1
        end = begin + stop - start
        re, im = real[begin:end], imaginary[begin:end]
        for a in range(cosine.shape[0]):
            wave = first[h, a] * second[j, a]
            u, v = wave.real, wave.imag
            c, s = cosine[a, start:stop], sine[a, start:stop]
            for t in range(end - begin):
                re[t] += u * c[t] - v * s[t]
                im[t] += u * s[t] + v * c[t]
        begin = end
