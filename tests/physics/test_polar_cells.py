"""Polar patterns on the reduced grid against images that are integrated as raw scans are (docs/physics.md §12)."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from difsims_core import radial_profiles
from difsims_core.config.documents import make_spec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.noise_free import patterns, polar_patterns
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.integrate.integrator import Integrated, Integrator
from difsims_core.signal.cell_lattice import NARROWEST_PX
from difsims_core.signal.polar_grid import CellRange, PolarGrid
from difsims_core.simulation.simulator import Simulator
from tests.oracles.compare import cosine
from tests.oracles.orientations import uniform_orientations
from tests.physics.runs import Run

GRID = PolarGrid()
WHOLE = CellRange(GRID.grid.step_per_angstrom, 0, 161, 72)
DETECTORS = [(515, 0.00588), (256, 0.01176)]
DETECTOR = {"size_px": 256, "calibration_per_angstrom": 0.01176}


@lru_cache(maxsize=4)
def integrator(size: int, calibration: float, grid: PolarGrid = GRID) -> Integrator:
    cells = CellRange(grid.grid.step_per_angstrom, 0, grid.stop_annulus, grid.n_azimuths)
    return Integrator(np.ones((size, size), bool), Geometry(calibration, (0.0, 0.0)), cells, grid)


def integrated(images: np.ndarray, calibration: float = 0.01176, grid: PolarGrid = GRID) -> Integrated:
    """Return (n, size, size) images integrated about their middle."""
    size = images.shape[-1]
    return integrator(size, calibration, grid).integrate(images, np.full((len(images), 2), (size - 1) / 2))


@pytest.mark.parametrize("sigma_px", [0.7, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("size", "calibration"), DETECTORS)
def test_a_pattern_is_its_image_integrated(size, calibration, sigma_px):
    """Twenty orientations of two phases: sharp spots equal to rounding, wide ones as far as their nodes carry."""
    least = 1 - 1e-8 if sigma_px < NARROWEST_PX else 1 - 1e-5
    for phase in ("gratia_2h", "pb"):
        rotations = uniform_orientations(20, seed=72)
        images = patterns(phase, rotations, sigma_px=sigma_px, calibration=calibration, shape=(size, size))
        drawn = polar_patterns(
            phase, rotations, sigma_px=sigma_px, calibration=calibration, detector_size=size, grid=GRID
        )
        profiles = radial_profiles(phase, rotations, sigma_px=sigma_px, calibration=calibration, detector_size=size)
        expected = integrated(images, calibration)
        for one, other in zip(drawn.astype(float), expected.polar.astype(float), strict=True):
            assert cosine(one.ravel(), other.ravel()) > least
        if sigma_px * calibration > 0.02:  # Å⁻¹; a profile does not know where in a pixel a sharper spot lies
            for one, other in zip(profiles.astype(float), expected.profile.astype(float), strict=True):
                assert cosine(one[13:160], other[13:160]) > 0.999


@pytest.mark.parametrize("polar", [{}, {"annuli_per_radius": 3, "n_azimuths": 90}])
def test_everything_that_is_drawn_is_in_it(polar):
    """Two grains, discs, an ellipse, a shifted centre, the direct beam, smooth parts; what is hidden is left out."""
    document = {
        "detector": DETECTOR, "output": {"polar": polar, "precision": "exact"}, "phases": ["pb", "pbi2_2h"],
        "overlap": {"probability": 1.0}, "distortion": {"ellipticity": 0.05, "centre_error_px": 2.0},
        "spots": {"convergence_semi_angle_mrad": 0.5, "direct_beam": 3.0, "removal": {"among": 4}, "sigma_px": 1.0},
        "background": {"amplitude": 0.5, "decay_angstrom": 2.0}, "amorphous_ring": {"amplitude": 0.3},
        "cut_off": {"beam_stop_radius_px": 12, "gap_width_px": 5, "gap_offset_px": 20},
    }  # fmt: skip
    run = Run.of(document, 4)
    cells = run.simulator.tables.cells
    assert cells is not None
    drawn, images = run.cells(), run.images()
    middle = np.arange(256) - 127.5
    for i, image in enumerate(images):
        across = middle[:, None] if run.draws["gap_along_x"][i] else middle[None, :]
        seen = (np.hypot(middle[:, None], middle) >= 12) & (np.abs(across - 20) >= 2.5)
        assert np.all(image[~seen] == 0)
        masked = integrated(np.where(seen, image, np.nan)[None], grid=cells.grid).polar[0]
        empty = np.isnan(masked)
        assert np.count_nonzero(empty) > 10
        assert np.all(drawn[i][empty] == 0)
        # Where a part of a cell is hidden, smooth parts are those of the whole one.
        assert np.abs(drawn[i] - masked)[~empty].max() < 5e-3 * masked[~empty].max()
        assert cosine(drawn[i][~empty], masked[~empty]) > 1 - 1e-5


def many(document: dict, n: int, **noise: float) -> tuple[Run, Run]:
    """Return ``n`` countings of one and the same pattern, and that pattern without noise."""
    same = {"detector": DETECTOR, "output": {"polar": {}, "precision": "exact"}, "phases": ["gratia_2h"], **document}
    clean, run = Run.of(same, 1), Run.of({**same, "noise": noise}, 1)
    draws = {name: np.repeat(values, n, axis=0) for name, values in run.draws.values.items()}
    return Run(run.simulator, Draws(np.arange(n), draws), np.zeros(n, np.int64)), clean


@pytest.mark.parametrize("sigma_px", [0.7, 2.0])
def test_cells_vary_as_those_of_counted_images(sigma_px):
    """Of 300 countings each: variances of cells of like intensity within 3 %, of the brightest within 10 %."""
    n, dose = 300, 200.0
    background = {"amplitude": 0.3, "decay_angstrom": 2.0}
    run, clean = many(
        {"spots": {"sigma_px": sigma_px}, "background": background}, n, dose=dose, snr=1.0, intensity_spike=1.0
    )
    unit, expected = clean.signal().unit[0], clean.cells()[0].astype(float)
    image, random = clean.images()[0] / unit * dose, np.random.default_rng(73)
    counted = np.concatenate([integrated(random.poisson(image, (20, 256, 256)).astype(np.float32)).polar
                              for _ in range(n // 20)]) * (unit / dose)  # fmt: skip
    drawn = run.cells().astype(float)
    of_image = integrated(clean.images()).polar[0].astype(float)
    assert of_image == pytest.approx(expected, rel=3e-3 if sigma_px < NARROWEST_PX else 1e-2, abs=1e-5 * expected.max())
    error = np.sqrt(expected * unit / dose / integrator(256, 0.01176).effective_pixels(np.full(2, 127.5)) / n)
    for values, clean_cells in ((drawn, expected), (counted, of_image)):
        off = (values.mean(axis=0) - clean_cells) / error
        assert np.abs(off).max() < 5.5
        assert np.mean(off) == pytest.approx(0, abs=4.5 / np.sqrt(expected.size))
    mine, theirs = drawn.var(axis=0, ddof=1), counted.var(axis=0, ddof=1)
    edges = np.quantile(expected, [0, 0.2, 0.4, 0.6, 0.8, 0.95])
    for low, high in pairwise(edges):
        alike = (expected >= low) & (expected < high)
        assert mine[alike].sum() / theirs[alike].sum() == pytest.approx(1, abs=0.03)
    brightest = expected >= edges[-1]  # of which a sharp spot fills a part
    assert mine[brightest].sum() / theirs[brightest].sum() == pytest.approx(1, abs=0.1)


def test_a_hot_pixel_is_shared_as_it_is():
    """The mean over many is (1 − p) I + p s P in every radius, and one alone reads s P times its part of the cell."""
    n, p, spike = 400, 0.002, 30.0
    run, clean = many({"background": {"amplitude": 1.0}}, n, dose=1e9, snr=1 - 2 * p, intensity_spike=spike)
    unit, expected = clean.signal().unit[0], clean.cells()[0].astype(float)
    drawn = run.cells().astype(float)
    wanted = ((1 - p) * expected + p * spike * unit).mean(axis=1)
    found, error = drawn.mean(axis=(0, 2)), drawn.mean(axis=2).std(axis=0, ddof=1) / np.sqrt(n)
    assert np.abs((found - wanted) / error).max() < 4.5
    assert np.mean((found - wanted) / error) == pytest.approx(0, abs=4.5 / np.sqrt(74))
    share = ((drawn - expected) / (spike * unit - expected))[:, -1]  # about 20 px in a cell, one hot or none
    area = integrated(np.ones((1, 256, 256), np.uint8)).covered[0, 159:161].sum()
    assert area == pytest.approx(2, abs=0.01)
    whole = np.pi * ((160.5 * 0.70497) ** 2 - (158.5 * 0.70497) ** 2) / 72
    assert np.median(share[share > 0.8 / whole]) * whole == pytest.approx(1, abs=0.1)


def test_other_outputs_do_not_change_and_blocks_may_be_cut():
    document = {
        "n_patterns": 700, "phases": ["pb", "pbi2_2h"], "background_class": True, "detector": DETECTOR,
        "noise": {"snr": 0.999}, "cut_off": {"gap_width_px": 3},
    }  # fmt: skip
    plain = Simulator.prepare(make_spec({**document, "output": {"polar_px": True}})).block(250, 270)
    simulator = Simulator.prepare(make_spec({**document, "output": {"polar_px": True, "polar": {}}}))
    whole, part = simulator.block(250, 270, threads=2), simulator.block(255, 258, threads=1)
    alone = Simulator.prepare(make_spec({**document, "output": {"polar": {}}})).block(0, 300, threads=2)
    assert whole.polar is not None
    assert whole.polar.shape == (20, 74, 72)
    for name in ("x_px", "x_all", "polar_px"):
        assert getattr(whole, name).tobytes() == getattr(plain, name).tobytes(), name
    assert part.polar.tobytes() == whole.polar[5:8].tobytes() == alone.polar[255:258].tobytes()
    assert np.all(whole.polar.reshape(20, -1).min(axis=1) == 0)
    assert np.all(whole.polar.reshape(20, -1).max(axis=1) == 1)


def test_historical_order_on_the_reduced_grid():
    """Noise-free: min–max over the pattern, then A exp(−τ q) added to every cell with pixels."""
    kept = {"output": {"polar": {}, "precision": "exact"}, "detector": DETECTOR}
    run = Run.of({"order": "historical", "background": {"amplitude": 0.5, "decay_angstrom": 2.0}, **kept}, 2)
    clean = Run.of(kept, 2).cells()
    expected = clean / clean.max(axis=(1, 2), keepdims=True) + 0.5 * np.exp(-2.0 * GRID.q)[:, None]
    assert run.cells() == pytest.approx(expected, abs=2e-4)
    counted = Run.of({"order": "historical", "background": None, "noise": {"intensity_spike": 0.5}, **kept}, 2).cells()
    assert np.abs(counted - clean / clean.max(axis=(1, 2), keepdims=True)).max() > 0.05
