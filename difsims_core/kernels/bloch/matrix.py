"""The matrix of strong beams and its couplings to weak ones (docs/physics.md §11).

Columns lie as rows: products with a vector then run along memory without a sum that must be kept in order.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

LANES = 8
"""The number of strong beams is padded to a multiple of it, with beams that take no part."""


@kernel
def interpolation(b, scale, potential):
    """Return how coefficients at one Debye–Waller B, Å², and lattice scale follow from those of the levels around.

    The first of both levels of B, the first of both levels of the scale, and the (2, 2) weights of all four: linear,
    over the cube of the scale.
    """
    level, part = _level(b, potential.b, potential.real.shape[0])
    size, share = _level(scale, potential.scale, potential.real.shape[1])
    weights = np.array([[(1.0 - part) * (1.0 - share), (1.0 - part) * share], [part * (1.0 - share), part * share]])
    return level, size, weights / scale**3


@kernel
def coefficients(tables, between, out):
    """Fill ``out`` (n,) with the coefficients of the potential, Å⁻², ``between`` as returned by ``interpolation``.

    ``tables`` are ``Potential.real`` or ``Potential.imaginary``.
    """
    level, size, weights = between
    out[:] = np.float32(0.0)
    for i in range(2):
        for j in range(2):
            if weights[i, j] != 0.0:
                _add(tables[level + i, size + j], np.float32(weights[i, j]), out)


@kernel
def _add(values, weight, out):
    for i in range(out.shape[0]):
        out[i] += weight * values[i]


@kernel
def mean_potential(potential, between):
    """Return real and absorbing part of the coefficient 000, Å⁻², ``between`` as returned by ``interpolation``."""
    level, size, weights = between
    real, absorbing = 0.0, 0.0
    for i in range(2):
        for j in range(2):
            if weights[i, j] != 0.0:
                real += weights[i, j] * potential.mean[level + i, size + j, 0]
                absorbing += weights[i, j] * potential.mean[level + i, size + j, 1]
    return real, absorbing


@kernel
def _level(value, levels, n):
    if n == 1:
        return 0, 0.0
    place = min(max((value - levels[0]) / levels[1], 0.0), n - 1.0)
    level = min(int(place), n - 2)
    return level, place - level


@kernel
def padded(n):
    """Return the size of the matrix of ``n`` strong beams."""
    return (n + LANES - 1) // LANES * LANES


@kernel
def fill_couplings(table, origin, place, tilt, n, half_inverse, size, matrix):
    """Fill the first ``n`` rows of ``matrix`` with the couplings U_{g−h} / 2K of strong beams, zero on the diagonal.

    Parameters
    ----------
    table, origin
        Coefficients of the potential, Å⁻², and the place of 000.
    place, tilt
        (n,) places of the beams, and 1/√(1 + g_n/K) of each.
    half_inverse
        1/2K, Å.
    size
        ``padded(n)``; the rows beyond ``n``, and the ends of all rows, become zero.
    """
    for j in range(size):
        row = matrix[j]
        if j >= n:
            row[:size] = np.float32(0.0)
            continue
        shift, factor = origin - place[j], np.float32(half_inverse * tilt[j])
        for i in range(n):
            row[i] = table[place[i] + shift]
        for i in range(n):
            row[i] *= factor * tilt[i]
        row[n:size] = np.float32(0.0)
        row[j] = np.float32(0.0)


@kernel
def interval(matrix, diagonal, n):
    """Return middle and half-width of an interval that holds all eigenvalues of the Hermitian part (Gershgorin).

    ``matrix`` is (2, N, N), or (1, N, N) of a real one, without its ``diagonal`` (n,).
    """
    low, high = 0.0, 0.0
    for j in range(n):
        reach = 0.0
        for part in range(matrix.shape[0]):
            row = matrix[part, j]
            total = 0.0
            for i in range(n):
                total += abs(row[i])
            reach += total
        low, high = min(low, diagonal[j] - reach), max(high, diagonal[j] + reach)
    return (low + high) / 2.0, max((high - low) / 2.0, 1e-9)


@kernel
def to_unit_interval(matrix, diagonal, n, size, middle, half):
    """Turn A into 2 (A − middle) / half, the diagonal included; it stands in Chebyshev's recurrence."""
    factor = np.float32(2.0 / half)
    for part in range(matrix.shape[0]):
        for j in range(n):
            row = matrix[part, j]
            for i in range(size):
                row[i] *= factor
    for j in range(n):
        matrix[0, j, j] = np.float32(2.0 * (diagonal[j] - middle) / half)
