"""Random numbers: published known answers, distributions, independence of what was drawn before.

See docs/physics.md §8.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from difsims_core.kernels.profile import noise
from difsims_core.kernels.random import counter_rng, draw, poisson

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


@pytest.mark.parametrize("mean", [0.02, 0.25, 0.7, 4.0, 9.99, 16.0, 33.3, 127.97, 128.0, 250.0, 1e5])
def test_poisson_is_exact(mean):
    """χ² against the exact probabilities, and mean and variance within five standard errors."""
    n = 40_000
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(1, int(mean * 100), 0, state)
    drawn = np.array([poisson.poisson(mean, state) for _ in range(n)])
    assert_follows(drawn, stats.poisson(mean), n)


@pytest.mark.parametrize("mean", [0.02, 0.7, 4.0, 16.0, 33.3, 127.97, 128.0, 250.0, 1e5])
def test_rows_of_poisson_variates_are_exact(mean):
    n = 40_000
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(4, int(mean * 100), 0, state)
    drawn = np.full(n, mean)
    poisson.poisson_row(drawn, n, state, np.empty((7, n)))
    assert_follows(drawn, stats.poisson(mean), n)


def test_rows_of_poisson_variates_take_every_mean():
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(4, 0, 0, state)
    drawn = np.array([0.0, 1e-300, 1e11, 1e13, 1e18])
    poisson.poisson_row(drawn, 5, state, np.empty((7, 5)))
    assert drawn[0] == drawn[1] == 0
    np.testing.assert_allclose(drawn[2:], [1e11, 1e13, 1e18], rtol=1e-4)


@pytest.mark.parametrize("p_hot", [1e-5, 2e-4, 0.01, 0.3])
def test_hot_pixels_of_each_bin_are_binomial(p_hot):
    """Both ways of finding them: by their distances where they are rare, bin by bin where they are not."""
    pixels = np.array([1, 0, 40, 900, 2000, 3])
    order = np.array([2, 3, 0, 1, 5, 4])
    state, n_hot = np.empty(4, np.uint64), np.zeros(6)
    n = 20_000
    drawn = np.empty((n, 6))
    for i in range(n):
        counter_rng.seed_stream(6, i, 0, state)
        noise.hot_pixels(pixels, order, 0, 6, p_hot, state, n_hot)
        drawn[i] = n_hot
    for bin_drawn, count in zip(drawn.T, pixels, strict=True):
        law = stats.binom(int(count), p_hot)
        if law.mean() * n < 50:  # too few to judge; one pixel is never hot twice
            assert bin_drawn.max() <= count
            continue
        assert abs(bin_drawn.mean() - law.mean()) <= 5 * law.std() / np.sqrt(n)
        error = np.sqrt(np.mean((bin_drawn - bin_drawn.mean()) ** 4) / n)
        assert abs(bin_drawn.var() - law.var()) <= 6 * error + 1e-12
    assert np.abs(np.corrcoef(drawn[:, 3], drawn[:, 4])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize(("pixels", "p"), [(12, 0.01), (900, 0.001), (2000, 0.025), (2000, 0.3), (300, 0.5)])
def test_binomial_is_exact(pixels, p):
    n = 40_000
    state = np.empty(4, np.uint64)
    counter_rng.seed_stream(2, pixels, 0, state)
    drawn = np.array([poisson.binomial(pixels, p, state) for _ in range(n)])
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
    draw.uniform(3, np.arange(n), 2.0, 5.0, 1, out)
    assert stats.kstest(out, stats.uniform(2, 3).cdf).pvalue > 1e-4
    draw.log_uniform(3, np.arange(n), 0.01, 100.0, 2, out)
    assert stats.kstest(np.log(out), stats.uniform(np.log(0.01), np.log(1e4)).cdf).pvalue > 1e-4
    index = np.empty(n, np.int64)
    draw.choice_index(3, np.arange(n), 7, 3, index)
    assert stats.chisquare(np.bincount(index, minlength=7)).pvalue > 1e-4


def test_rotations_are_uniform():
    """The image of a fixed vector is uniform on the sphere and the angle follows (θ − sin θ)/π."""
    out = np.empty((20_000, 4))
    draw.rotation(5, np.arange(20_000), 1, out)
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
    draw.subset(9, np.arange(12_000), 5, count, 7, masks)
    bits = (masks[:, None] >> np.arange(5, dtype=np.uint64)) & np.uint64(1)
    sizes = bits.sum(axis=1)
    if count >= 0:
        assert np.all(sizes == count)
    else:
        assert stats.chisquare(np.bincount(sizes.astype(int), minlength=6)).pvalue > 1e-4
    if 0 < count < 5:
        assert stats.chisquare(bits.sum(axis=0)).pvalue > 1e-4
    assert masks.max() < 2**5
