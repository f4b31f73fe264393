"""First-order amplitudes of weak beams, from the wave of the strong ones (docs/physics.md §11).

A weak beam takes ψ_w(t) = 2πi ∫₀ᵗ exp(2πi ς_w (t − t′)) A_w·ψ(t′) dt′ from the strong ones, which is
A_w·(A − ς_w)⁻¹ [ψ(t) − exp(2πi ς_w t) ψ(0)]. Its ς_w lies outside of what the strong waves are made of, so that the
inverse is a short series in A/ς_w: no eigenvectors are needed.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.bloch.propagate import add_product
from difsims_core.kernels.compile import kernel

ORDERS = 3
"""Terms of the series."""
BLOCK = 64  # weak beams at once, so that what is summed for them stays in the first-level cache


@kernel
def krylov(matrix, size, middle, half, vectors):
    """Fill ``vectors`` (ORDERS, 2, size) with A times the one before, from the first of them on.

    ``matrix`` is 2 (A − middle) / half.
    """
    scale, shift = np.float32(half / 2.0), np.float32(middle)
    for order in range(1, ORDERS):
        x, y = vectors[order - 1], vectors[order]
        y[:, :size] = np.float32(0.0)
        for part in range(2):
            add_product(matrix[0], size, x[part], y[part], scale)
            for i in range(size):
                y[part, i] += shift * x[part, i]
        if matrix.shape[0] == 2:
            add_product(matrix[1], size, x[1], y[0], -scale)
            add_product(matrix[1], size, x[0], y[1], scale)


@kernel
def weak_intensities(room, origin, n_strong, n, half_inverse, thickness):
    """Fill ``room.intensity`` with |ψ_w|² of the beams ``n_strong`` … ``n`` at each thickness (t,), Å.

    ``room.powers`` and ``room.start`` hold what ``krylov`` makes of the waves; ``origin`` is the place of 000 in the
    potential, ``half_inverse`` is 1/2K, Å.
    """
    n_thick, error, tilt = thickness.shape[0], room.beams.error, room.tilt
    sums = np.empty((2 * ORDERS * (n_thick + 1), BLOCK), np.float32)
    for first in range(n_strong, n, BLOCK):
        m = min(BLOCK, n - first)
        _couple(room, origin, n_strong, first, m, half_inverse, n_thick, sums)
        for i in range(m):
            own = error[first + i] * tilt[first + i] * tilt[first + i]
            for t in range(n_thick):
                phase = 2.0 * math.pi * own * thickness[t]
                cosine, sine = math.cos(phase), math.sin(phase)
                re, im, power = 0.0, 0.0, -1.0 / own
                for order in range(ORDERS):
                    at, at_start = 2 * (t * ORDERS + order), 2 * (n_thick * ORDERS + order)
                    a, b = sums[at_start, i], sums[at_start + 1, i]
                    re += power * (sums[at, i] - cosine * a + sine * b)
                    im += power * (sums[at + 1, i] - sine * a - cosine * b)
                    power /= own
                room.intensity[t, first + i] = (re * re + im * im) * tilt[first + i] * tilt[first + i]


@kernel
def _couple(room, origin, n_strong, first, m, half_inverse, n_thick, sums):
    """Fill ``sums`` (vectors, BLOCK) with A_w· each vector, for ``m`` weak beams from ``first`` on."""
    place, tilt = room.beams.place, room.tilt
    row, other = np.empty(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    sums[:] = np.float32(0.0)
    for s in range(n_strong):
        shift, factor = origin - place[s], np.float32(half_inverse * tilt[s])
        for i in range(m):
            row[i] = factor * room.real[place[first + i] + shift]
        if room.imaginary.shape[0] > 0:
            for i in range(m):
                other[i] = factor * room.imaginary[place[first + i] + shift]
        for which in range(n_thick + 1):
            given = room.powers[which] if which < n_thick else room.start
            for order in range(ORDERS):
                to = 2 * (which * ORDERS + order)
                _add_wave(row, other, given[order, 0, s], given[order, 1, s], m, sums[to], sums[to + 1])


@kernel
def _add_wave(real, imaginary, a, b, m, to_real, to_imaginary):
    """Add complex couplings times a wave a + ib."""
    for i in range(m):
        to_real[i] += real[i] * a - imaginary[i] * b
        to_imaginary[i] += real[i] * b + imaginary[i] * a
