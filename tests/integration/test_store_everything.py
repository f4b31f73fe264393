"""A dataset with everything in it, by the real engine: profiles, polar patterns, peaks, fractions, all draws."""

from itertools import pairwise

import numpy as np
import pytest

from difsims_core import load_spec, open_simulation
from difsims_core.dataset.build import read_plan
from difsims_core.dataset.receipts import block_arrays
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage.objects import open_store

N = 70
CHANGES = [
    f"n_patterns={N}", "spots.sigma_px=2.0", "output={polar_px: true, polar_all: true, polar: {}, peaks: true}",
    "postprocessing.q_crop={jitter: {uniform: [0.98, 1.02]}}", "overlap={}", "distortion={}", "cut_off={}",
    "amorphous_ring={}", "inelastic={}", "intensities={model: random}", "background_class=true",
    "spots.direct_beam=2.0", "spots.convergence_semi_angle_mrad={uniform: [0.1, 0.4]}",
]  # fmt: skip


@pytest.fixture(scope="module")
def spec():
    return load_spec(specs_folder() / "reference.yaml", changes=CHANGES)


@pytest.fixture(scope="module")
def simulator(spec):
    return Simulator.prepare(spec)


@pytest.fixture(scope="module")
def block(simulator):
    return simulator.block(0, N)


def test_what_is_stored_is_what_was_simulated(tmp_path, spec, simulator, block):
    store = open_store(tmp_path)
    sim = open_simulation(run_simulation(store, spec).id, store)
    for path, rows in block_arrays(read_plan(store, sim.id), block).items():
        if path in {"peaks/hkl", "peaks/g", "peaks/intensity"}:  # ragged; below
            continue
        assert np.asarray(sim[path][:]).tobytes() == np.ascontiguousarray(rows).tobytes(), path
    units = {path: sim[path].attrs["units"] for path in sim.arrays if path.startswith("draws/")}
    stated = {
        "draws/sigma_px": "pixel", "draws/relrod_width_per_angstrom": "1/angstrom", "draws/gap_offset_px": "pixel",
        "draws/precession_angle_deg": "degree", "draws/background_decay_angstrom": "angstrom",
        "draws/convergence_mrad": "mrad", "draws/dose": "1",
    }  # fmt: skip
    assert units.items() >= stated.items()
    peaks = sim.peaks(0, N)
    for name in ("start", "hkl", "g", "intensity"):
        assert np.array_equal(getattr(peaks, name), getattr(block.peaks, name)), name
    assert verify(store, sim.id, resimulate=1, simulator=simulator).ok


def test_the_parts_fit_together(block):
    assert block.polar_px.shape == (N, 147, 360)
    assert block.polar_all.shape == (N, 256, 360)
    assert block.polar.shape == (N, 74, 72)
    assert block.x_q.shape == (N, 147)
    np.testing.assert_allclose(block.fractions.sum(axis=1), 1, atol=1e-6)
    background = block.y == 3
    assert np.all(block.fractions[background, 3] == 1)
    counts = np.diff(block.peaks.start)
    assert np.all(counts[background] == 0)
    assert np.all(counts[~background] > 0)
    for polar_patterns in (block.polar_px, block.polar_all, block.polar):
        assert np.all(np.isfinite(polar_patterns))
        assert np.all(polar_patterns.min(axis=(1, 2)) == 0)
        assert np.all(polar_patterns.max(axis=(1, 2)) == 1)


@pytest.mark.parametrize(("edges", "threads"), [((0, 1, 33, 34, N), 1), ((0, 40, N), 2)])
def test_bytes_do_not_depend_on_blocks_or_threads(simulator, block, edges, threads):
    parts = [simulator.block(start, stop, threads) for start, stop in pairwise(edges)]
    for name in ("x_px", "x_all", "x_q", "y", "polar_px", "polar_all", "polar", "fractions"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tobytes() == getattr(block, name).tobytes(), name
    for name, values in block.draws.items():
        assert np.concatenate([part.draws[name] for part in parts]).tobytes() == values.tobytes(), name
    for name in ("hkl", "g", "intensity"):
        assert (
            np.concatenate([getattr(part.peaks, name) for part in parts]).tobytes()
            == getattr(block.peaks, name).tobytes()
        )
