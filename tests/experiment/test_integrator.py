"""Each frame is integrated around its own beam; what does not count has no say."""

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.integrate.integrator import PLACES, Integrator
from difsims_core.signal.cell_operator import cell_operator
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import CellRange, PolarGrid

GRID = RadialGrid(n_bins=60, step_per_angstrom=0.02, crop_bins=(5, 45))
POLAR = PolarGrid(GRID, 5, 20, 2, 36)
CELLS = CellRange(0.02, 5, 45, 36)
SHAPE = (120, 110)
GEOMETRY = Geometry(0.02, (0.01, 0.005))
GOOD = np.ones(SHAPE, bool)


@pytest.fixture(scope="module")
def integrator():
    return Integrator(GOOD, GEOMETRY, CELLS, POLAR)


def test_a_frame_is_the_product_with_its_operator(integrator):
    """To 10⁻⁶, the sparse product of SciPy; the beam of the operator is at its place."""
    rng = np.random.default_rng(3)
    frames = rng.poisson(3.0, (2, *SHAPE)).astype(np.uint16)
    centre = np.array([60 + 0.3 / PLACES, 52 - 1.4 / PLACES])
    found = integrator.integrate(frames, np.tile(centre, (2, 1)))
    operator = cell_operator(CELLS, 0.02, GEOMETRY.undistort, (0.0, -1 / PLACES))
    at = operator.offset + np.array([60, 52])
    assert ((at >= 0) & (at < SHAPE)).all()
    counts = frames[:, at[:, 0], at[:, 1]] * operator.weight.astype(float)
    sums = np.add.reduceat(counts, operator.start[:-1], axis=1).reshape(2, 40, 36)
    areas = np.add.reduceat(operator.weight.astype(float), operator.start[:-1]).reshape(40, 36)
    assert found.profile == pytest.approx(sums.sum(2) / areas.sum(1), rel=1e-6)
    merged = sums.reshape(2, 20, 2, 36).sum(2) / areas.reshape(20, 2, 36).sum(1)
    assert found.polar == pytest.approx(merged, rel=1e-6)
    assert found.covered == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(("centre", "pixel", "beam"), [(54.5, 55, -0.5), (54.54, 55, -0.5), (54.44, 54, 0.4)])
def test_the_middle_of_a_frame_is_a_place_of_the_beam(integrator, centre, pixel, beam):
    """Whether its edge has an even or an odd number of pixels."""
    frame = np.random.default_rng(6).poisson(3.0, SHAPE).astype(np.uint16)
    operator = cell_operator(CELLS, 0.02, GEOMETRY.undistort, (0.0, beam))
    at = operator.offset + np.array([60, pixel])
    sums, areas = (
        np.add.reduceat(values, operator.start[:-1]).reshape(40, 36).sum(1)
        for values in (frame[at[:, 0], at[:, 1]] * operator.weight.astype(float), operator.weight.astype(float))
    )
    assert integrator.integrate(frame[None], np.array([[60.0, centre]])).profile[0] == pytest.approx(sums / areas)


def test_whole_pixels_move_the_frame(integrator):
    frame = np.random.default_rng(4).poisson(3.0, SHAPE).astype(np.uint16)
    moved = np.roll(frame, (3, -2), axis=(0, 1))
    here = integrator.integrate(frame[None], np.array([[60.2, 52.7]]))
    there = integrator.integrate(moved[None], np.array([[63.2, 50.7]]))
    assert np.array_equal(here.profile, there.profile)
    assert np.array_equal(here.polar, there.polar)


@pytest.mark.parametrize("kind", ["masked", "nan", "infinite"])
def test_what_does_not_count_has_no_say(kind):
    """A flat frame stays flat, and the cells behind the bad pixels alone are marked, not invented."""
    frame = np.full(SHAPE, 7.0, np.float32)
    hidden = (slice(45, 76), slice(0, 50))
    good = GOOD.copy()
    frame[hidden] = {"masked": 4095.0, "nan": np.nan, "infinite": np.inf}[kind]
    if kind == "masked":
        good[hidden] = False
    found = Integrator(good, GEOMETRY, CELLS, POLAR).integrate(frame[None], np.array([[60.0, 52.0]]))
    assert found.profile == pytest.approx(7.0, rel=1e-6)
    empty = np.isnan(found.polar[0])
    assert found.polar[0][~empty] == pytest.approx(7.0, rel=1e-6)
    assert empty[-1].any()  # cells far out to the left hold nothing else
    assert found.covered.min() < 0.99


def test_the_effective_pixels_are_those_of_counting():
    """Counts of mean μ a pixel: a cell's variance is μ/n_eff (20 000 frames, one place of the beam)."""
    grid = RadialGrid(n_bins=16, step_per_angstrom=0.02, crop_bins=(2, 10))
    polar = PolarGrid(grid, 2, 4, 2, 12)
    good = np.ones((31, 31), bool)
    good[15, 20:23] = False
    integrator = Integrator(good, Geometry(0.02), polar.cells, polar)
    centre = np.array([15.3, 14.9])
    frames = np.random.default_rng(5).poisson(4.0, (20_000, 31, 31)).astype(np.uint16)
    found = integrator.integrate(frames, np.tile(centre, (len(frames), 1))).polar
    assert found.var(axis=0) * integrator.effective_pixels(centre) == pytest.approx(4.0, rel=0.06)


def test_the_edge_of_the_frame_ends_an_annulus(integrator):
    found = integrator.integrate(np.full((1, *SHAPE), 2, np.uint8), np.array([[20.0, 52.0]]))
    assert found.covered[0, 0] == pytest.approx(1, abs=2e-3)
    assert found.covered[0, -1] < 0.8
    assert found.profile == pytest.approx(2.0, rel=1e-6)


def test_a_beam_outside_the_frame_is_refused(integrator):
    with pytest.raises(ExperimentError) as raised:
        integrator.integrate(np.zeros((1, *SHAPE), np.uint8), np.array([[60.0, 111.0]]))
    assert "beam.centre_px" in raised.value.remedy
