"""The hot kernels one by one, each with a check of its result; ``pytest tests/benchmarks`` prints their times.

Nothing is asserted about times: machines differ.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from difsims_core import load_spec
from difsims_core.augment.noise import apply_counting_noise
from difsims_core.diffraction.draws import draw_patterns
from difsims_core.kernels.profile.normalise import normalise_rows
from difsims_core.kernels.profile.pattern import turned_axes
from difsims_core.kernels.random.counter_rng import seed_stream
from difsims_core.kernels.random.poisson import poisson_row
from difsims_core.kernels.spots.records import Conditions, spot_buffer
from difsims_core.resources import specs_folder
from difsims_core.signal.grid import pixel_counts
from difsims_core.simulation.detector_signal import polar_signal, profile_signal
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks import stages

N, N_POLAR = 600, 32
_WORK = 16  # rows of work space, more than any kernel asks for


@pytest.fixture(scope="module")
def simulator():
    return Simulator.prepare(load_spec(specs_folder() / "reference.yaml"))


@pytest.fixture(scope="module")
def draws(simulator):
    return draw_patterns(simulator.spec, None, np.arange(N))


@pytest.fixture(scope="module")
def labels(simulator, draws):
    return draws.patterns % len(simulator.class_names)


@pytest.fixture(scope="module")
def noise_free(simulator, draws, labels):
    return simulator.tables.engine.profiles(draws, labels, simulator.spec.seed)


@pytest.fixture(scope="module")
def largest_phase(simulator, draws, labels):
    engine = simulator.tables.engine
    return max(engine.grains(draws, labels, simulator.spec.seed), key=lambda item: len(engine.phases[item.label].hkl))


def measured(benchmark, call, *arguments):
    return benchmark.pedantic(call, arguments, rounds=5, warmup_rounds=1)


def test_draws(benchmark, simulator):
    drawn = measured(benchmark, draw_patterns, simulator.spec, None, np.arange(N))
    assert np.allclose(np.linalg.norm(drawn["orientation"], axis=1), 1, atol=1e-6)


def until(stop, simulator, item, profiles):
    """Run the noise-free part as far as a stage; return what was counted, and the room for spots."""
    geometry, found = simulator.tables.geometry, np.zeros(4, np.int64)
    engine = stages.kinematical(simulator)
    lattice = engine.rows[item.label].lattice
    spots = spot_buffer(len(lattice.h), len(lattice.intensity))
    shared = (lattice, engine.beam, geometry.frame, geometry.spread)
    stages.until(stop, item.conditions, shared, spots, item.which, profiles, found)
    return found, spots


def test_excited_reflections(benchmark, simulator, largest_phase):
    """Against the definition of the excitation error, for every reflection of the last pattern (docs/physics.md §4)."""
    measured(benchmark, until, stages.EXCITED, simulator, largest_phase, np.zeros((N, 256), np.float32))
    last = replace(
        largest_phase,
        which=largest_phase.which[-1:],
        conditions=Conditions(*(values[-1:] for values in largest_phase.conditions)),
    )
    found, spots = until(stages.EXCITED, simulator, last, np.zeros((N, 256), np.float32))
    engine, known, geometry = stages.kinematical(simulator), last.conditions, simulator.tables.geometry
    lattice = engine.rows[last.label].lattice
    g = indices(lattice) @ turned_axes(known.orientation[0], lattice.axes, known.lattice_scale[0])
    k, half = geometry.k, (geometry.frame.half_x + geometry.frame.rim) * known.per_px[0]
    s = k - np.sqrt(k * k - g[:, 0] ** 2 - g[:, 1] ** 2) - g[:, 2]
    seen = np.all(np.abs(g[:, :2]) <= half, axis=1)
    excited = (np.abs(s) <= engine.beam.s_max) & (lattice.intensity[:, 0] != 0)
    kept = spots.reflection[: found[1]]
    assert np.all(excited[kept])
    assert len(set(kept.tolist())) == len(kept) >= 20
    assert set(np.flatnonzero(excited & seen)) == set(kept[seen[kept]].tolist())
    assert np.allclose(spots.s[: found[1]], s[kept], atol=1e-12)


def indices(lattice):
    """Return the (n, 3) indices of the reflections of a lattice, in its own order of axes."""
    lengths = (lattice.high - lattice.low + 1).astype(int)
    third = np.concatenate([np.arange(low, high + 1) for low, high in zip(lattice.low, lattice.high, strict=True)])
    return np.stack([np.repeat(lattice.h, lengths), np.repeat(lattice.j, lengths), third], axis=1)


def test_deposit_and_gather(benchmark, simulator, largest_phase, noise_free):
    profiles = np.zeros((N, 256), np.float32)

    def run():
        profiles[...] = 0
        until(stages.GATHERED, simulator, largest_phase, profiles)

    measured(benchmark, run)
    which = largest_phase.which
    assert np.array_equal(profiles[which], noise_free[0][which])


def test_noise_free_profiles(benchmark, simulator, draws, labels, noise_free):
    profiles, unit = measured(benchmark, simulator.tables.engine.profiles, draws, labels, simulator.spec.seed)
    assert np.array_equal(profiles, noise_free[0])
    assert np.array_equal(unit, noise_free[1])
    assert np.all(profiles.max(axis=1) > 0)


@pytest.mark.parametrize("mean", [0.3, 20.0, 5e3, 1e8], ids=lambda mean: f"mean {mean:g}")
def test_poisson_rows(benchmark, mean):
    n, rows = 256, 400
    drawn, work, state = np.empty((rows, n)), np.empty((_WORK, n)), np.empty(4, np.uint64)

    def draw():
        drawn[...] = mean
        for row in range(rows):
            seed_stream(1, row, 0, state)
            poisson_row(drawn[row], n, state, work)

    measured(benchmark, draw)
    count = drawn.size
    assert np.array_equal(drawn, np.floor(drawn))
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(mean / count)
    assert abs(drawn.var() / mean - 1) < 5 * np.sqrt((2 + 1 / mean) / count)


def test_counting_noise(benchmark, simulator, draws, noise_free):
    profiles, unit = noise_free
    detector, grid = simulator.spec.detector, simulator.tables.geometry.grid
    counts = pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)
    dose = np.full(N, 1e6)
    counted = measured(
        benchmark, apply_counting_noise, profiles, counts, unit, dose, np.ones(N), np.zeros(N), 1, draws.patterns
    )
    well_counted = counts > 0
    error = np.sqrt(profiles * unit[:, None] / (dose[:, None] * np.maximum(counts, 1)))
    assert np.all(np.abs(counted - profiles)[:, well_counted] <= 8 * error[:, well_counted] + 1e-4 * unit[:, None])


def test_noise_free_polar_patterns(benchmark, simulator, draws, labels, noise_free):
    """The azimuthal mean of a polar pattern is its profile."""
    tables, few = simulator.tables, draws_of(simulator, N_POLAR)
    crop = tables.geometry.grid.crop
    polar_patterns, _ = measured(benchmark, tables.engine.polar_patterns, few, labels[:N_POLAR], crop)
    profiles = noise_free[0][:N_POLAR]
    assert np.all(np.abs(polar_patterns.mean(axis=2) - profiles[:, crop]) <= 2e-4 * profiles.max(axis=1, keepdims=True))


def test_counted_polar_patterns(benchmark, simulator, labels):
    """Polar patterns and profiles of the same patterns count different electrons of the same beam."""
    spec, tables, few = simulator.spec, simulator.tables, draws_of(simulator, N_POLAR)
    signal = profile_signal(spec, tables, few, labels[:N_POLAR], full=False)

    def read():
        return polar_signal(spec, tables, few, labels[:N_POLAR], signal, full=False)

    polar_patterns = measured(benchmark, read)
    counts = pixel_counts(spec.detector.size_px, spec.detector.calibration_per_angstrom, tables.geometry.grid)
    crop = tables.geometry.grid.crop
    ratio = polar_patterns.mean(axis=2) @ counts[crop] / (signal.profiles[:, crop] @ counts[crop])
    assert np.abs(ratio - 1).max() < 0.1
    assert polar_patterns.min() >= 0


def draws_of(simulator, n):
    return draw_patterns(simulator.spec, None, np.arange(n))


def test_normalisation(benchmark, noise_free):
    out = np.empty_like(noise_free[0])
    measured(benchmark, normalise_rows, noise_free[0], 2.0**13 + 1, out)
    assert np.all(out.max(axis=1) == 1)
    assert np.all(out.view(np.uint32) & 0x1FFF == 0)


def test_whole_blocks(benchmark, simulator):
    block = measured(benchmark, simulator.block, 0, N, 1)
    assert np.array_equal(block.y, np.arange(N) % 3)
    assert np.all(block.x_px.max(axis=1) == 1)
