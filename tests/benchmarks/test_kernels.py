"""The hot kernels one by one, each with a check of its result; ``pytest tests/benchmarks`` prints their times.

Nothing is asserted about times: machines differ.
"""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core import load_spec
from difsims_core.augment.noise import apply_counting_noise
from difsims_core.dataset.simulate import Simulator
from difsims_core.diffraction.draws import draw_patterns
from difsims_core.diffraction.profile import noise_free_profiles
from difsims_core.resources import specs_folder
from difsims_core.signal.grid import pixel_counts
from difsims_core.signal.preprocess import normalise

N = 600


@pytest.fixture(scope="module")
def simulator():
    return Simulator.prepare(load_spec(specs_folder() / "reference.yaml"))


@pytest.fixture(scope="module")
def draws(simulator):
    return draw_patterns(simulator.spec, None, 0, N)


@pytest.fixture(scope="module")
def noise_free(simulator, draws):
    profiles = np.zeros((N, 256), np.float32)
    unit = noise_free_profiles(simulator.geometry, simulator.rows[0], draws, np.arange(N), profiles)
    return profiles, unit


def test_draws(benchmark, simulator):
    drawn = benchmark.pedantic(draw_patterns, (simulator.spec, None, 0, N), rounds=5, warmup_rounds=1)
    assert np.allclose(np.linalg.norm(drawn.orientation, axis=1), 1, atol=1e-6)


def test_noise_free_profiles(benchmark, simulator, draws, noise_free):
    profiles = np.zeros((N, 256), np.float32)
    arguments = (simulator.geometry, simulator.rows[0], draws, np.arange(N), profiles)
    unit = benchmark.pedantic(noise_free_profiles, arguments, rounds=5, warmup_rounds=1)
    assert np.array_equal(profiles, noise_free[0])
    assert np.array_equal(unit, noise_free[1])
    assert np.all(profiles.max(axis=1) > 0)


def test_counting_noise(benchmark, draws, noise_free):
    profiles, unit = noise_free
    counts = pixel_counts(515, 0.00588, Simulator.prepare(load_spec(specs_folder() / "reference.yaml")).geometry.grid)
    dose = np.full(N, 1e6)
    counted = benchmark.pedantic(
        apply_counting_noise,
        (profiles, counts, unit, dose, np.ones(N), np.zeros(N), 1, np.arange(N)),
        rounds=5,
        warmup_rounds=1,
    )
    well_counted = counts > 0
    error = np.sqrt(profiles * unit[:, None] / (dose[:, None] * np.maximum(counts, 1)))
    assert np.all(np.abs(counted - profiles)[:, well_counted] <= 8 * error[:, well_counted] + 1e-4 * unit[:, None])


def test_normalisation(benchmark, noise_free):
    scaled = benchmark.pedantic(normalise, (noise_free[0],), rounds=5, warmup_rounds=1)
    assert np.all(scaled.max(axis=1) == 1)


def test_whole_blocks(benchmark, simulator):
    block = benchmark.pedantic(simulator.block, (0, N, 1), rounds=5, warmup_rounds=1)
    assert np.array_equal(block.y, np.arange(N) % 3)
    assert np.all(block.x_px.max(axis=1) == 1)
