"""Pixels without a crystal are told from those with one by their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.learn.scan.confidence import confidence
from difsims_core.learn.scan.grains import Grains
from tests.learn.scan.films import film
from tests.learn.scan.test_grains import search

SURE = np.float32([[[0.8, 0.2], [0.4, 0.6]], [[0.9, 0.1], [0.5, 0.5]]])


@pytest.mark.parametrize("electrons", [1_000, 20_000])
def test_what_has_no_crystal_is_less_sure_than_any_that_has(electrons):
    scan = film(electrons, n_amorphous=6)
    grains, of_pixels = search(scan)
    sure = confidence(of_pixels.reshape(*scan.shape, 3), np.ones(scan.shape, bool), grains).ravel()
    amorphous = scan.amorphous
    assert amorphous.sum() > 20
    assert np.mean(sure[scan.interior][:, None] > sure[amorphous]) > 0.97
    assert sure[amorphous].mean() < 0.15
    np.testing.assert_array_equal(sure[grains.number.ravel() >= 0], of_pixels.max(axis=1)[grains.number.ravel() >= 0])


def test_pixels_of_no_grain_count_a_tenth_where_most_have_one():
    grains, usable = Grains(np.int32([[0, 0], [-1, -1]]), SURE), np.array([[True, True], [True, False]])
    np.testing.assert_allclose(confidence(SURE, usable, grains), [[0.8, 0.6], [0.09, np.nan]], rtol=1e-6)
    np.testing.assert_allclose(confidence(SURE, usable, None), [[0.8, 0.6], [0.9, np.nan]], rtol=1e-6)
    few = Grains(np.int32([[-1, -1], [0, -1]]), SURE)
    np.testing.assert_allclose(confidence(SURE, usable, few), [[0.8, 0.6], [0.9, np.nan]], rtol=1e-6)
    assert np.isnan(confidence(SURE, np.zeros((2, 2), bool), grains)).all()
