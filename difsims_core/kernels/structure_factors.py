"""Sums over the atoms of a cell, reflection by reflection (docs/physics.md §3).

A phase exp 2πi (h x + k y + l z) is a product of three, each of one index alone, so that no reflection needs an
exponential of its own: along a row of reflections an atom adds one complex number times a row of a table. Scattering
factors, with what damps them, are smooth in |g|: a polynomial for each short interval gives them to rounding.
Every reflection sums in the same order, whatever reflections come with it.
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


@kernel
def add_scattered(lengths, per_scale, factors, sums, real, imaginary):
    """Add the phase sums of some kinds of atoms, times their scattering factors, to structure factors.

    Parameters
    ----------
    lengths
        (n,) lengths |g| of the reflections.
    per_scale
        (s,) factors on the lengths that give them, at each lattice scale, in intervals of ``factors``.
    factors
        (n_intervals, k, 6) coefficients of the polynomials in the place within an interval, 0 … 1, lowest first.
    sums
        (k, 2, n) real and imaginary parts.
    real, imaginary
        (s, n) structure factors.
    """
    for i in range(lengths.shape[0]):
        for scale in range(per_scale.shape[0]):
            x = lengths[i] * per_scale[scale]
            interval = int(x)
            x -= interval
            re, im = 0.0, 0.0
            for kind in range(sums.shape[0]):
                c = factors[interval, kind]
                f = c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * c[5]))))
                re += f * sums[kind, 0, i]
                im += f * sums[kind, 1, i]
            real[scale, i] += re
            imaginary[scale, i] += im
