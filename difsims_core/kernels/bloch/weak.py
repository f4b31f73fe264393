"""First-order amplitudes of weak beams, from the wave of the strong ones (docs/physics.md §11).

A weak beam takes ψ_w(t) = 2πi ∫₀ᵗ exp(2πi ς_w (t − t′)) A_w·ψ(t′) dt′ from the strong ones, which is
A_w·(A − ς_w)⁻¹ [ψ(t) − exp(2πi ς_w t) ψ(0)]. Its ς_w lies outside of what the strong waves are made of, so that the
inverse is a short series in A/ς_w: no eigenvectors are needed.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.bloch.matrix import padded
from difsims_core.kernels.bloch.propagate import add_complex_product
from difsims_core.kernels.compile import kernel

ORDERS = 3
"""Terms of the series."""
FAR_ORDERS = 1
"""Terms for beams beyond ``BeamChoice.weak``."""
BLOCK = 64  # weak beams at once, so that their couplings stay in the second-level cache


@kernel
def krylov(matrix, size, middle, half, vectors):
    """Fill ``vectors`` (ORDERS, 2, size) with A times the one before, from the first of them on.

    ``matrix`` is 2 (A − middle) / half.
    """
    scale, shift = np.float32(half / 2.0), np.float32(middle)
    for order in range(1, ORDERS):
        x, y = vectors[order - 1], vectors[order]
        for part in range(2):
            for i in range(size):
                y[part, i] = shift * x[part, i]
        add_complex_product(matrix, size, size, x, y, scale)


@kernel
def weak_intensities(room, origin, n_strong, first, last, orders, half_inverse, thickness):
    """Fill ``room.intensity`` with |ψ_w|² of the beams ``first`` … ``last`` at each thickness (t,), Å.

    ``room.powers`` and ``room.start`` hold what ``krylov`` makes of the waves; ``origin`` is the place of 000 in the
    potential, ``half_inverse`` is 1/2K, Å, and ``orders`` is how many terms of the series are summed.
    """
    n_thick, error, tilt = thickness.shape[0], room.beams.error, room.tilt
    size = padded(n_strong)
    couplings = np.zeros((room.matrix.shape[0], size, BLOCK), np.float32)
    sums = np.empty((n_thick + 1, orders, 2, BLOCK), np.float32)
    for begin in range(first, last, BLOCK):
        m = min(BLOCK, last - begin)
        _fill(room.real, room, origin, n_strong, begin, m, half_inverse, couplings[0])
        if couplings.shape[0] == 2:
            _fill(room.imaginary, room, origin, n_strong, begin, m, half_inverse, couplings[1])
        sums[:] = np.float32(0.0)
        for order in range(orders):
            for t in range(n_thick):
                add_complex_product(couplings, size, BLOCK, room.powers[t, order], sums[t, order], np.float32(1.0))
            if order > 0:
                add_complex_product(couplings, size, BLOCK, room.start[order], sums[n_thick, order], np.float32(1.0))
        for part in range(couplings.shape[0]):  # what comes in is the direct beam alone
            sums[n_thick, 0, part] = couplings[part, 0]
        for i in range(m):
            own = error[begin + i] * tilt[begin + i] * tilt[begin + i]
            for t in range(n_thick):
                phase = 2.0 * math.pi * own * thickness[t]
                cosine, sine = math.cos(phase), math.sin(phase)
                re, im, power = 0.0, 0.0, -1.0 / own
                for order in range(orders):
                    a, b = sums[n_thick, order, 0, i], sums[n_thick, order, 1, i]
                    re += power * (sums[t, order, 0, i] - cosine * a + sine * b)
                    im += power * (sums[t, order, 1, i] - sine * a - cosine * b)
                    power /= own
                room.intensity[t, begin + i] = (re * re + im * im) * tilt[begin + i] * tilt[begin + i]


@kernel
def _fill(table, room, origin, n_strong, begin, m, half_inverse, couplings):
    """Fill ``couplings`` (strong beams, BLOCK), one part of them, with those of ``m`` weak beams from ``begin`` on."""
    place = room.beams.place
    for s in range(n_strong):
        shift, factor = origin - place[s], np.float32(half_inverse * room.tilt[s])
        for i in range(m):
            couplings[s, i] = factor * table[place[begin + i] + shift]
