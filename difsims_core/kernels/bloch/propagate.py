"""The propagator exp(2πi A t) applied to the incident wave, by Chebyshev's expansion (docs/physics.md §11).

exp(iτx) = Σ_n (2 − δ_n0) iⁿ J_n(τ) T_n(x) for x in −1 … 1: with x the matrix on its unit interval and τ = 2πt times the
half-width, terms vanish faster than exponentially beyond n = τ. The vectors T_n ψ(0) are the same for all thicknesses.

References
----------
H. Tal-Ezer, R. Kosloff, J. Chem. Phys. 81 (1984) 3967.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel

_SMALLEST = 1e-8  # of the terms that count; single precision has 6e-8
_BEYOND = 30  # terms above τ with which Miller's recurrence begins, and 10 τ^(1/3) more


@kernel
def most_terms(argument):
    """Return room for the terms that ``bessel`` finds for an argument."""
    return int(argument + 10.0 * argument ** (1.0 / 3.0)) + _BEYOND + 2


@kernel
def bessel(argument, out):
    """Fill ``out`` with J_n of an argument, n = 0, 1, …; return how many are not negligible.

    By Miller's recurrence, downwards from where they vanish; ``out`` has room for ``most_terms``.
    """
    if argument < 1e-12:
        out[0] = 1.0
        return 1
    last = most_terms(argument) - 1
    above, here, total = 0.0, 1e-300, 0.0
    for n in range(last, -1, -1):
        out[n] = here
        if n % 2 == 0:
            total += here if n == 0 else 2.0 * here
        above, here = here, 2.0 * n / argument * here - above
        if abs(here) > 1e200:
            here, above, total = here * 1e-200, above * 1e-200, total * 1e-200
            for m in range(n, last + 1):
                out[m] *= 1e-200
    terms = 1
    for n in range(last + 1):
        out[n] /= total
        if abs(out[n]) > _SMALLEST:
            terms = n + 1
    return terms


@kernel
def add_product(matrix, size, width, x, y, sign):
    """Add ``sign`` times the product of a matrix (``size`` rows, which are its columns, ``width`` long) and x to y."""
    for j in range(0, size, 8):
        r0, r1, r2, r3 = matrix[j], matrix[j + 1], matrix[j + 2], matrix[j + 3]
        r4, r5, r6, r7 = matrix[j + 4], matrix[j + 5], matrix[j + 6], matrix[j + 7]
        x0, x1, x2, x3 = sign * x[j], sign * x[j + 1], sign * x[j + 2], sign * x[j + 3]
        x4, x5, x6, x7 = sign * x[j + 4], sign * x[j + 5], sign * x[j + 6], sign * x[j + 7]
        for i in range(width):
            left = (r0[i] * x0 + r1[i] * x1) + (r2[i] * x2 + r3[i] * x3)
            right = (r4[i] * x4 + r5[i] * x5) + (r6[i] * x6 + r7[i] * x7)
            y[i] += left + right


@kernel
def add_complex_product(matrix, size, width, x, y, sign):
    """Add as ``add_product`` does a product with x (2, size), real and imaginary part, to y (2, width)."""
    for part in range(2):
        add_product(matrix[0], size, width, x[part], y[part], sign)
    if matrix.shape[0] == 2:
        add_product(matrix[1], size, width, x[1], y[0], -sign)
        add_product(matrix[1], size, width, x[0], y[1], sign)


@kernel
def multiply(matrix, size, x, y):
    """Set y to minus itself plus the matrix times x, both (2, size), the second row where the matrix is complex.

    With y the last but one of Chebyshev's vectors and x the last one, this is the next one.
    """
    one = np.float32(1.0)
    for part in range(matrix.shape[0]):
        for i in range(size):
            y[part, i] = -y[part, i]
        add_product(matrix[0], size, size, x[part], y[part], one)
    if matrix.shape[0] == 2:
        add_product(matrix[1], size, size, x[1], y[0], -one)
        add_product(matrix[1], size, size, x[0], y[1], one)


@kernel
def propagate(matrix, size, middle, half, thickness, psi, work):
    """Fill ``psi`` (t, 2, size), real and imaginary part, with the waves at some thicknesses (t,), Å.

    Parameters
    ----------
    matrix
        (1 or 2, N, N), on its unit interval, doubled: ``to_unit_interval``.
    middle, half
        Of that interval, Å⁻¹.
    work
        (2, 2, N) float32 for two of Chebyshev's vectors.
    """
    n_thick = thickness.shape[0]
    largest = 0.0
    for t in range(n_thick):
        largest = max(largest, 2.0 * math.pi * thickness[t] * half)
    factors = np.zeros((n_thick, most_terms(largest)))
    terms = np.empty(n_thick, np.int64)
    for t in range(n_thick):
        terms[t] = bessel(2.0 * math.pi * thickness[t] * half, factors[t])
    psi[:, :, :size] = np.float32(0.0)
    work[:, :, :size] = np.float32(0.0)
    parts = matrix.shape[0]
    last, before = work[0], work[1]
    last[0, 0] = np.float32(1.0)
    for n in range(terms.max()):
        if n == 1:  # T₁ = x T₀, half of what the recurrence would give
            multiply(matrix, size, last, before)
            for part in range(parts):
                for i in range(size):
                    before[part, i] *= np.float32(0.5)
            last, before = before, last
        elif n > 1:
            multiply(matrix, size, last, before)
            last, before = before, last
        for t in range(n_thick):
            if n < terms[t]:
                _add_term(n, factors[t, n], last, parts, size, psi[t])
    for t in range(n_thick):
        phase = 2.0 * math.pi * middle * thickness[t]
        _turn(psi[t], size, np.float32(math.cos(phase)), np.float32(math.sin(phase)))


@kernel
def _add_term(n, factor, vector, parts, size, psi):
    """Add (2 − δ_n0) iⁿ times ``factor`` times a vector (2, size) to ψ (2, size)."""
    weight = np.float32((1.0 if n == 0 else 2.0) * (factor if n % 4 < 2 else -factor))
    odd = n % 2
    for part in range(parts):
        to = psi[(part + odd) % 2]
        sign = weight if not (part == 1 and odd == 1) else -weight
        for i in range(size):
            to[i] += sign * vector[part, i]


@kernel
def _turn(psi, size, cosine, sine):
    """Multiply ψ (2, size) by a phase factor."""
    for i in range(size):
        real, imaginary = psi[0, i], psi[1, i]
        psi[0, i] = cosine * real - sine * imaginary
        psi[1, i] = sine * real + cosine * imaginary
