"""The propagator and the first-order amplitudes, against the matrix exponential in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import jv

from difsims_core.kernels.bloch.matrix import LANES, interval, padded, to_unit_interval
from difsims_core.kernels.bloch.propagate import bessel, most_terms, propagate
from difsims_core.kernels.bloch.weak import ORDERS, krylov

THICKNESSES = np.array([0.5, 60.0, 400.0, 3000.0])


def matrix_of(n: int, *, complex_: bool, absorption: float, seed: int = 1) -> np.ndarray:
    """Return a Hermitian matrix as of ``n`` beams, with an absorbing part."""
    random = np.random.default_rng(seed)
    couplings = 1e-3 * random.normal(size=(n, n)) + (1e-3j * random.normal(size=(n, n)) if complex_ else 0)
    hermitian = (couplings + couplings.conj().T) / 2
    np.fill_diagonal(hermitian, np.concatenate([[0], random.uniform(-0.03, 0.03, n - 1)]))
    absorbing = hermitian.copy()
    np.fill_diagonal(absorbing, 0)
    return hermitian + 1j * absorption * absorbing if absorption else hermitian


def prepared(matrix: np.ndarray) -> tuple[np.ndarray, int, float, float]:
    """Return a matrix as the kernels take it, its padded size, middle and half-width of its interval."""
    n = len(matrix)
    size, parts = padded(n), 2 if np.iscomplexobj(matrix) else 1
    diagonal = np.diag(matrix).real.copy()
    couplings = matrix - np.diag(np.diag(matrix))
    columns = np.zeros((parts, size, size), np.float32)
    for part, values in enumerate((couplings.real, couplings.imag)[:parts]):
        columns[part, :n, :n] = values.T
    middle, half = interval(columns, diagonal, n)
    to_unit_interval(columns, diagonal, n, size, middle, half)
    return columns, size, middle, half


def wave(matrix: np.ndarray, thicknesses: np.ndarray) -> np.ndarray:
    """Return (t, n) ψ."""
    columns, size, middle, half = prepared(matrix)
    psi = np.empty((len(thicknesses), 2, size), np.float32)
    propagate(columns, size, middle, half, thicknesses, psi, np.empty((2, 2, size), np.float32))
    return psi[:, 0, : len(matrix)] + 1j * psi[:, 1, : len(matrix)]


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n", [1, 7, 8, 61])
def test_waves_are_those_of_the_matrix_exponential(n, complex_):
    matrix = matrix_of(n, complex_=complex_, absorption=0.0)
    exact = np.array([expm(2j * np.pi * t * matrix)[:, 0] for t in THICKNESSES])
    np.testing.assert_allclose(wave(matrix, THICKNESSES), exact, atol=2e-5)


@pytest.mark.parametrize("complex_", [False, True])
def test_without_absorption_nothing_is_lost(complex_):
    found = wave(matrix_of(90, complex_=complex_, absorption=0.0), THICKNESSES)
    np.testing.assert_allclose(np.sum(np.abs(found) ** 2, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("absorption", [0.01, 0.1, 0.5])
def test_absorbing_matrices(absorption):
    matrix, thicknesses = matrix_of(40, complex_=True, absorption=absorption), np.array([50.0, 400.0])
    exact = np.array([expm(2j * np.pi * t * matrix)[:, 0] for t in thicknesses])
    np.testing.assert_allclose(wave(matrix, thicknesses), exact, atol=1e-4 * np.abs(exact).max())


def test_two_beams_are_those_of_the_formula():
    s = np.array([-0.004, 0.0, 0.0007, 0.01])
    coupling, thicknesses = 1 / (2 * 300.0), np.array([40.0, 150.0, 450.0])
    for error in s:
        found = np.abs(wave(np.array([[0, coupling], [coupling, error]]), thicknesses)[:, 1]) ** 2
        effective = np.sqrt(error**2 + 300.0**-2)
        formula = (np.sin(np.pi * thicknesses * effective) / (300.0 * effective)) ** 2
        np.testing.assert_allclose(found, formula, atol=1e-5)


def test_one_thickness_is_as_it_is_among_others():
    matrix = matrix_of(30, complex_=False, absorption=0.0)
    together = wave(matrix, THICKNESSES)
    for t, expected in zip(THICKNESSES, together, strict=True):
        assert wave(matrix, np.array([t]))[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize("argument", [0.0, 1e-6, 0.3, 5.0, 90.0, 2000.0])
def test_bessel_functions(argument):
    out = np.zeros(most_terms(argument))
    terms = bessel(argument, out)
    np.testing.assert_allclose(out[:terms], jv(np.arange(terms), argument), atol=1e-12)
    assert np.abs(jv(np.arange(terms, terms + 5), argument)).max() < 1e-8


@pytest.mark.parametrize("complex_", [False, True])
def test_powers_of_the_matrix(complex_):
    matrix = matrix_of(20, complex_=complex_, absorption=0.0)
    columns, size, middle, half = prepared(matrix)
    vectors = np.zeros((ORDERS, 2, size), np.float32)
    start = np.random.default_rng(2).normal(size=20) + 1j * np.random.default_rng(3).normal(size=20)
    vectors[0, 0, :20], vectors[0, 1, :20] = start.real, start.imag
    krylov(columns, size, middle, half, vectors)
    for order in range(ORDERS):
        expected = np.linalg.matrix_power(matrix, order) @ start
        found = vectors[order, 0, :20] + 1j * vectors[order, 1, :20]
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max() + 1e-9)
    assert size % LANES == 0
