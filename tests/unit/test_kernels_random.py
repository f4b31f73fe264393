"""Random numbers: published known answers, distributions, independence of what was drawn before (PHYSICS §8)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from difsims_core.kernels import counter_rng, draw, noise

# Known-answer tests of the Random123 distribution for philox4x32-10: counter, key, answer.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, answer):
    first, second = counter_rng.philox(
        np.uint64(key[0] | key[1] << 32), np.uint64(counter[0] | counter[1] << 32), counter[2], counter[3]
    )
    words = (first & 0xFFFFFFFF, first >> 32, second & 0xFFFFFFFF, second >> 32)
    assert tuple(int(word) for word in words) == answer


def test_stream_gives_the_published_xoshiro_words():
    """The first words of xoshiro256++ from the state (1, 2, 3, 4), of its authors' implementation."""
    words = [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]
    state = np.array([1, 2, 3, 4], np.uint64)
    assert [counter_rng.next_unit(state) for _ in words] == [(word >> 11) / 2**53 for word in words]


def test_compiled_and_interpreted_kernels_agree():
    state, other = np.empty(4, np.uint64), np.empty(4, np.uint64)
    with np.errstate(over="ignore"):
        counter_rng.seed_stream(7, 123, 4, state)
        counter_rng.seed_stream.py_func(7, 123, 4, other)
        assert np.array_equal(state, other)
        assert counter_rng.next_unit(state) == counter_rng.next_unit.py_func(other)


@pytest.mark.parametrize("mean", [0.02, 0.7, 4.0, 9.99, 10.0, 33.0, 250.0, 1e5])
def test_poisson_is_exact(mean):
    """χ² against the exact probabilities, and mean and variance within five standard errors."""
    n = 40_000
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(1, int(mean * 100), 0, state)
    drawn = np.array([noise.poisson(mean, state) for _ in range(n)])
    assert_follows(drawn, stats.poisson(mean), n)


@pytest.mark.parametrize(("pixels", "p"), [(12, 0.01), (900, 0.001), (2000, 0.025), (2000, 0.3), (300, 0.5)])
def test_binomial_is_exact(pixels, p):
    n = 40_000
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(2, pixels, 0, state)
    drawn = np.array([noise.binomial(pixels, p, state) for _ in range(n)])
    assert_follows(drawn, stats.binom(pixels, p), n)


def assert_follows(drawn, law, n):
    assert np.all(drawn == np.floor(drawn))
    assert abs(drawn.mean() - law.mean()) < 5 * law.std() / np.sqrt(n)
    edges = np.unique(law.ppf(np.linspace(0.001, 0.999, 30)))
    expected = np.diff(np.concatenate([[0], law.cdf(edges), [1]])) * n
    observed = np.diff(np.concatenate([[0], np.searchsorted(np.sort(drawn), edges, side="right"), [n]]))
    usable = expected > 5
    statistic = np.sum((observed[usable] - expected[usable]) ** 2 / expected[usable])
    assert stats.chi2(max(usable.sum() - 1, 1)).sf(statistic) > 1e-5


def test_quantities_fill_their_ranges_evenly():
    n = 20_000
    out = np.empty(n, np.float32)
    draw.uniform(3, 0, 2.0, 5.0, 1, out)
    assert stats.kstest(out, stats.uniform(2, 3).cdf).pvalue > 1e-4
    draw.log_uniform(3, 0, 0.01, 100.0, 2, out)
    assert stats.kstest(np.log(out), stats.uniform(np.log(0.01), np.log(1e4)).cdf).pvalue > 1e-4
    index = np.empty(n, np.int64)
    draw.choice_index(3, 0, 7, 3, index)
    assert stats.chisquare(np.bincount(index, minlength=7)).pvalue > 1e-4


def test_rotations_are_uniform():
    """The image of a fixed vector is uniform on the sphere and the angle follows (θ − sin θ)/π."""
    out = np.empty((20_000, 4))
    draw.rotation(5, 0, 1, out)
    assert np.allclose(np.linalg.norm(out, axis=1), 1)
    a, b, c, d = out.T
    z = np.stack([2 * (b * d + a * c), 2 * (c * d - a * b), 1 - 2 * (b * b + c * c)])
    for component in z:
        assert stats.kstest(component, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    angle = 2 * np.arccos(np.minimum(np.abs(a), 1))
    assert stats.kstest(angle, lambda t: (t - np.sin(t)) / np.pi).pvalue > 1e-4


@pytest.mark.parametrize("count", [0, 2, 5, -1])
def test_subsets_have_the_asked_size_and_no_favourite(count):
    masks = np.zeros(12_000, np.uint64)
    draw.subset(9, 0, 5, count, 7, masks)
    bits = (masks[:, None] >> np.arange(5, dtype=np.uint64)) & np.uint64(1)
    sizes = bits.sum(axis=1)
    if count >= 0:
        assert np.all(sizes == count)
    else:
        assert stats.chisquare(np.bincount(sizes.astype(int), minlength=6)).pvalue > 1e-4
    if 0 < count < 5:
        assert stats.chisquare(bits.sum(axis=0)).pvalue > 1e-4
    assert masks.max() < 2**5
