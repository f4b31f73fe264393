import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.errors import InputError
from difsims_core.learn.data.split import Part, held_out, part_of

_N = 200_000


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.6])
def test_the_expected_fraction_is_held_out_and_halved(fraction):
    parts = part_of(np.arange(_N), fraction, seed=3)
    spread = 4 * np.sqrt(fraction * (1 - fraction) / _N)
    assert np.mean(parts != Part.TRAIN) == pytest.approx(fraction, abs=spread)
    assert np.mean(parts == Part.TEST) == pytest.approx(fraction / 2, abs=spread)


def test_every_class_is_split_alike():
    parts = part_of(np.arange(_N), 0.25, seed=0)
    for label in range(3):  # pattern i has phase i mod n_phases
        assert np.mean(parts[label::3] != Part.TRAIN) == pytest.approx(0.25, abs=0.008)


@given(seed=st.integers(0, 2**31 - 1), start=st.integers(0, 10**10), fraction=st.floats(0, 1))
def test_the_side_depends_on_seed_and_index_alone(seed, start, fraction):
    indices = np.arange(start, start + 64)
    parts = part_of(indices, fraction, seed)
    order = np.random.default_rng(seed).permutation(64)
    np.testing.assert_array_equal(part_of(indices[order], fraction, seed), parts[order])
    np.testing.assert_array_equal([part_of(int(i), fraction, seed) for i in indices[:5]], parts[:5])
    np.testing.assert_array_equal(held_out(indices, fraction, seed), parts != Part.TRAIN)


def test_a_larger_fraction_holds_out_more_of_the_same():
    indices = np.arange(5000)
    assert not np.any(held_out(indices, 0.2, 7) & ~held_out(indices, 0.3, 7))


def test_seeds_are_independent():
    both = held_out(np.arange(_N), 0.25, 1) & held_out(np.arange(_N), 0.25, 2)
    assert both.mean() == pytest.approx(0.0625, abs=0.003)


def test_the_split_never_changes():  # a changed split would leak old held-out patterns into new training
    assert np.flatnonzero(held_out(np.arange(40), 0.25, 0)).tolist() == GOLDEN


GOLDEN = [0, 1, 5, 19, 21, 24, 31, 33, 35, 37]


def test_nothing_or_everything():
    assert not held_out(np.arange(100), 0.0, 0).any()
    assert held_out(np.arange(100), 1.0, 0).all()


@pytest.mark.parametrize(("fraction", "seed"), [(-0.1, 0), (1.5, 0), (float("nan"), 0), (0.2, -1)])
def test_nonsense_is_refused(fraction, seed):
    with pytest.raises(InputError):
        held_out([1, 2], fraction, seed)
