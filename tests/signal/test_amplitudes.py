"""Amplitudes above the rings of polar patterns."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.signal.amplitudes import ring_amplitudes


@pytest.mark.parametrize("shape", [(5, 74, 72), (2, 3, 7, 9), (1, 1), (4, 6, 1)])
@pytest.mark.parametrize("power", [0.5, 0.25, 1.0])
def test_they_are_those_of_the_definition(shape, power):
    patterns = np.random.default_rng(0).gamma(0.3, size=shape).astype(np.float32)
    above = np.maximum(patterns - np.median(patterns, axis=-1, keepdims=True), 0)
    highest = above.max(axis=(-2, -1), keepdims=True)
    expected = np.divide(above, highest, out=np.zeros_like(above), where=highest > 0) ** power
    np.testing.assert_allclose(ring_amplitudes(patterns, power), expected, atol=2e-6)


def test_scale_and_what_is_the_same_all_around_do_not_matter():
    patterns = np.random.default_rng(1).random((3, 20, 24)).astype(np.float32)
    rings = np.linspace(0, 4, 20, dtype=np.float32)[:, None]
    np.testing.assert_allclose(ring_amplitudes(7 * patterns + rings), ring_amplitudes(patterns), atol=2e-3)
    assert not ring_amplitudes(np.broadcast_to(rings, (2, 20, 24))).any()


def test_a_turned_pattern_has_turned_amplitudes():
    patterns = np.random.default_rng(2).random((2, 8, 30)).astype(np.float32)
    np.testing.assert_array_equal(
        ring_amplitudes(np.roll(patterns, 7, axis=-1)), np.roll(ring_amplitudes(patterns), 7, axis=-1)
    )
    np.testing.assert_array_equal(ring_amplitudes(patterns[..., ::-1]), ring_amplitudes(patterns)[..., ::-1])
