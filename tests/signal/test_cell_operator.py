"""Pixels are shared among polar cells by area, whatever the place of the beam and the ellipse."""

import math

import numpy as np
import pytest
from scipy import sparse

from difsims_core.errors import InputError
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.signal.cell_operator import CellOperator, cell_operator, reach_px
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import CellRange
from tests.oracles.polar_cells import polar_areas

STEP = 0.0083
CALIBRATION = 0.0118
ELLIPSES = [(0.0, 0.0), (0.01, -0.015)]


def matrix(operator: CellOperator, cells: CellRange, reach: int) -> sparse.csr_array:
    """Return (cells, pixels) of a frame of (2 · reach + 1)² with the beam in its middle pixel."""
    size = 2 * reach + 1
    index = (operator.offset + reach) @ [size, 1]
    return sparse.csr_array((operator.weight, index, operator.start), (cells.n_annuli * cells.n_azimuths, size**2))


@pytest.mark.parametrize("ellipse", ELLIPSES)
@pytest.mark.parametrize("beam", [(0.0, 0.0), (0.31, -0.44)])
def test_cells_have_their_areas(ellipse, beam):
    cells = CellRange(STEP, 13, 120, 72)
    geometry = Geometry(CALIBRATION, ellipse)
    operator = cell_operator(cells, CALIBRATION, geometry.undistort, beam)
    areas = np.add.reduceat(operator.weight.astype(float), operator.start[:-1]).reshape(cells.n_annuli, -1)
    edges = (np.arange(cells.first, cells.stop + 1) - 0.5) * STEP / CALIBRATION
    exact = np.diff(edges**2) * math.pi * (1 - geometry.ellipticity**2)
    assert areas.sum(axis=1) == pytest.approx(exact, rel=4e-3)
    assert np.sqrt(np.mean((areas / exact[:, None] * cells.n_azimuths - 1) ** 2)) < 0.01


@pytest.mark.parametrize("first", [0, 13])
def test_whole_pixels_are_shared(first):
    """Also those next to the beam, which are shared by points."""
    cells = CellRange(STEP, first, 100, 72)
    reach = reach_px(cells, CALIBRATION, np.eye(2)) + 3
    given = matrix(cell_operator(cells, CALIBRATION, np.eye(2), (0.2, 0.1)), cells, reach).sum(axis=0)
    rows, columns = np.divmod(np.arange(given.size), 2 * reach + 1)
    radius = np.hypot(rows - reach - 0.2, columns - reach - 0.1) * CALIBRATION / STEP
    whole = (radius > (first + 1.5 if first else -1)) & (radius < 97)
    assert whole.sum() > 10_000
    assert given[whole] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("beam", [(0.0, 0.0), (0.31, -0.44)])
def test_each_share_is_that_of_rays(beam):
    """An independent way: pieces of 1/16 px of rays from the beam, cut where they cross an edge; sectors of 5°.

    A pixel is no polygon in radius and azimuth, which is seen near the beam.
    """
    grid = RadialGrid(n_bins=60, step_per_angstrom=STEP, crop_bins=(13, 50))
    cells = CellRange(STEP, 13, 50, 72)
    reach = reach_px(cells, CALIBRATION, np.eye(2)) + 3
    found = matrix(cell_operator(cells, CALIBRATION, np.eye(2), beam), cells, reach)
    size, centre = 2 * reach + 1, (reach + beam[1], reach + beam[0])
    rays = polar_areas((size, size), CALIBRATION, grid, centre, np.ones(size * size, bool))
    five = sparse.csr_array(sparse.kron(sparse.eye_array(60 * 72), np.ones((1, 5))) @ rays)
    for annuli, allowed in ((slice(0, 7), 0.06), (slice(20, 37), 0.035)):
        mine, theirs = (part[annuli.start * 72 : annuli.stop * 72].toarray() for part in (found, five[13 * 72 :]))
        assert math.sqrt(np.square(mine - theirs).sum() / np.square(theirs).sum()) < allowed


def test_azimuths_begin_at_x_and_run_towards_y():
    cells = CellRange(STEP, 20, 100, 4)
    operator = cell_operator(cells, CALIBRATION, np.eye(2), (0.0, 0.0))
    sector = np.repeat(np.arange(len(operator.start) - 1) % 4, np.diff(operator.start))
    middle = [operator.offset[sector == j].mean(axis=0) for j in range(4)]
    assert [np.sign(np.round(m)).tolist() for m in middle] == [[1, 1], [1, -1], [-1, -1], [-1, 1]]


def test_an_elliptical_ring_becomes_round():
    """A ring at one true radius is read in the same annuli at every azimuth."""
    cells = CellRange(STEP, 13, 120, 36)
    geometry = Geometry(CALIBRATION, (0.02, 0.015))
    reach = reach_px(cells, CALIBRATION, geometry.undistort)
    offsets = np.stack(np.divmod(np.arange((2 * reach + 1) ** 2), 2 * reach + 1), axis=1) - reach
    true = np.hypot(*(offsets @ geometry.undistort.T).T) * CALIBRATION
    ring = np.exp(-((true - 0.6) ** 2) / (2 * 0.012**2))
    for undistort, spread in ((geometry.undistort, 0.1), (np.eye(2), None)):
        sums = matrix(cell_operator(cells, CALIBRATION, undistort, (0.0, 0.0)), cells, reach) @ ring
        sums = sums.reshape(cells.n_annuli, -1)
        peak = (np.arange(cells.first, cells.stop) @ sums) / sums.sum(axis=0)
        if spread:
            assert np.ptp(peak) < spread
            assert peak.mean() == pytest.approx(0.6 / STEP, abs=0.1)
        else:
            assert np.ptp(peak) > 2  # left alone, it is seen


@pytest.mark.parametrize("wrong", [(5, 5, 72), (-1, 5, 72), (0, 5, 0)])
def test_a_range_without_cells_is_refused(wrong):
    with pytest.raises(InputError):
        CellRange(STEP, *wrong)
