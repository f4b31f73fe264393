"""What annuli receive from a spot, against its integral and the spline's own equations (docs/physics.md §5)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import i0e

from difsims_core.config.simulation import DetectorSpec
from difsims_core.diffraction.spread import REACH_SIGMA, annulus_areas_px, spread_operator
from difsims_core.kernels.profile import annuli
from difsims_core.kernels.profile.spread import GROUP
from difsims_core.signal.grid import RadialGrid

FINE = DetectorSpec(size_px=515, calibration_per_angstrom=0.00588)
COARSE = DetectorSpec(size_px=4096, calibration_per_angstrom=0.0008)  # annuli of 10 px


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.3, 7.0, 19.999, 20.0, 21.0, 88.0, 1e3, 1e6])
def test_scaled_bessel_function_is_that_of_scipy(x):
    assert annuli.scaled_bessel(x) == pytest.approx(i0e(x), rel=2e-15)
    assert annuli.scaled_bessel.py_func(x) == pytest.approx(i0e(x), rel=2e-15)


@pytest.mark.parametrize("inner", [0.0, 1.4, 40.0, 3000.0])
@pytest.mark.parametrize(("sigma", "width"), [(1.5, 1.4), (4.0, 1.4), (0.2, 10.0)])
def test_an_annulus_receives_the_azimuthal_mean_of_the_spot(inner, width, sigma):
    r, spacing = inner + (annuli.POINTS + 1) / 2 * width, sigma / 4
    begin, end = max(int((inner - 8 * sigma) / spacing), 0), int((inner + width + 8 * sigma) / spacing)
    rho = np.arange(begin, end)[:, None] * spacing
    rounding = 1e-15 * (100 + 10 * r[-1] / sigma)  # of a distance of ten σ between two radii
    mean = np.exp(-((r - rho) ** 2) / (2 * sigma**2)) * i0e(r * rho / sigma**2) @ annuli.WEIGHTS
    for function in (annuli.annulus_means, annuli.annulus_means.py_func):
        values = np.full(end + 1, np.nan)
        function(sigma, spacing, r, annuli.WEIGHTS, begin, end, values)
        np.testing.assert_allclose(values[begin:end], mean, rtol=rounding, atol=1e-30 * mean.max())
        assert np.isnan(values[:begin]).all()
        assert np.isnan(values[end])


@pytest.mark.parametrize("begin", [0, 3])
def test_a_spline_goes_through_its_values_and_is_even(begin):
    n = 40
    matrix = (np.eye(n, k=-1) + 4 * np.eye(n) + np.eye(n, k=1)) / 6
    matrix[0, 1] = 2 / 6
    values = np.zeros(n)
    values[begin:12] = np.random.default_rng(3).random(12 - begin)
    expected, factors = np.linalg.solve(matrix, values), annuli.spline_factors.py_func(n)
    for function in (annuli.spline_through, annuli.spline_through.py_func):
        found = values.copy()
        function(found, begin, n, *factors)
        np.testing.assert_allclose(found[begin:], expected[begin:], rtol=1e-12, atol=1e-15)
    for found, factor in zip(annuli.spline_factors(n), factors, strict=True):
        np.testing.assert_allclose(found, factor, rtol=1e-15)


@pytest.mark.parametrize(("detector", "sigma"), [(FINE, 1.0), (FINE, 4.0), (COARSE, 0.2), (COARSE, 50.0)])
def test_the_operator_gives_every_annulus_its_mean(detector, sigma):
    """A spot at a node: the three coefficients around it, weighted 1, 4, 1 over 6, make the value of the annulus."""
    grid = RadialGrid()
    step = grid.step_per_angstrom / detector.calibration_per_angstrom
    spread = spread_operator(detector, grid, np.array([sigma], np.float32), grid.n_bins * step)
    sigma, areas = float(np.float32(sigma)), annulus_areas_px(detector, grid)
    assert np.isfinite(spread.weights).all()
    for annulus in (0, 1, 2, 30, 101, 182):
        group, place = divmod(annulus, GROUP)
        first, last, offset = (int(part[0, group]) for part in (spread.first, spread.last, spread.offset))
        coefficients = np.zeros(spread.n_nodes[0] + 2)
        coefficients[first:last] = spread.weights[offset : offset + (last - first) * GROUP].reshape(-1, GROUP)[:, place]
        inner = max((annulus - 0.5) * step, 0)
        width = (annulus + 0.5) * step - inner
        r = inner + (annuli.POINTS + 1) / 2 * width
        node = np.arange(1, spread.n_nodes[0] - 1)
        rho = (node[:, None] - 1) * sigma / 4
        p = np.exp(-((r - rho) ** 2) / (2 * sigma**2)) * i0e(r * rho / sigma**2) / sigma**2
        expected = (p * r) @ annuli.WEIGHTS * width / 2 / areas[annulus]
        found = (coefficients[node - 1] + 4 * coefficients[node] + coefficients[node + 1]) / 6
        near = np.abs(rho[:, 0] - annulus * step) < REACH_SIGMA * sigma + step / 2 - sigma
        np.testing.assert_allclose(found[near], expected[near], rtol=2e-5, atol=1e-6 * expected.max())
