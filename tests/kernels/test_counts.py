"""What frames hold as a whole, compiled and interpreted, against sums of whole numbers in numpy."""

import numpy as np
import pytest

from difsims_core.kernels.scan.counts import BEAM, NONZERO, PLATEAU, TOTAL, frame_counts

CENTRES = np.array([[10.2, 12.7], [0.0, 0.0], [19.6, 24.9]])


@pytest.fixture(params=["compiled", "interpreted"])
def count(request):
    def run(frames, good, centres, radius, scale=1.0):
        out = np.empty((len(frames), 4))
        counts = frame_counts if request.param == "compiled" else frame_counts.py_func
        counts(frames, good, centres, radius, scale, out)
        return out

    return run


def test_counts_are_those_of_good_pixels_and_of_the_disc(count):
    rng = np.random.default_rng(1)
    frames, good = rng.poisson(3.0, (3, 20, 25)).astype(np.uint16), rng.random((20, 25)) > 0.1
    found = count(frames, good, CENTRES, 4.3)
    y, x = np.mgrid[:20, :25]
    for k, (row, column) in enumerate(CENTRES):
        disc = ((y - row) ** 2 + (x - column) ** 2 <= 4.3**2) & good
        assert found[k, TOTAL] == frames[k][good].sum()
        assert found[k, BEAM] == frames[k][disc].sum()
        assert found[k, NONZERO] == (frames[k] != 0)[good].sum()
        assert found[k, PLATEAU] == 0


def test_sums_of_the_largest_numbers_do_not_overflow(count):
    frames = np.full((1, 20, 25), 2**32 - 1, np.uint32)
    found = count(frames, np.ones((20, 25), bool), CENTRES[:1], 3.0)
    assert found[0, TOTAL] == 500 * (2**32 - 1)


def test_what_is_not_finite_does_not_count(count):
    frames = np.ones((1, 20, 25), np.float32)
    frames[0, 10, 12], frames[0, 3, 3] = np.nan, np.inf
    found = count(frames, np.ones((20, 25), bool), CENTRES[:1], 0.9)
    assert found[0].tolist() == [498, 2, 498, 0]


def test_a_levelled_disc_is_a_plateau_and_a_bright_one_is_not(count):
    y, x = np.mgrid[:20, :25]
    rate = 4000.0 / (1 + np.exp((np.hypot(y - 10, x - 12) - 3.5) / 0.3))
    bright = np.random.default_rng(2).poisson(rate, (1, 20, 25)).astype(np.uint16)
    good = np.ones((20, 25), bool)
    assert count(bright, good, np.array([[10.0, 12.0]]), 4.0)[0, PLATEAU] < 0.1
    assert count(np.minimum(bright, 3000), good, np.array([[10.0, 12.0]]), 4.0)[0, PLATEAU] > 0.5
