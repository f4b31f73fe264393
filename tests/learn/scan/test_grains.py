"""Grains of simulated films: what belongs together is found, nothing is bridged, and many pixels know more than one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from difsims_core.learn.scan import grains as module
from difsims_core.learn.scan.grains import GrainSearch
from tests.learn.scan.agreement import agreement, purity
from tests.learn.scan.films import Film, by_templates, film


def search(scan: Film, *, usable=None, shape=None, pieces=(), patterns=None):
    """Look for grains; return them and the probabilities of the pixels."""
    patterns = scan.patterns if patterns is None else patterns
    usable = np.ones(len(patterns), bool) if usable is None else usable
    of_pixels = np.full((len(patterns), 3), 1 / 3, np.float32)
    of_pixels[usable] = by_templates(patterns[usable]) if usable.any() else 1 / 3
    found = GrainSearch(scan.shape if shape is None else shape, 3, by_templates)
    for part in np.split(np.arange(len(patterns)), pieces):
        found.add(patterns[part], usable[part], of_pixels[part])
    return found.found(), of_pixels


@pytest.mark.parametrize(("electrons", "least"), [(40_000, 0.97), (4_000, 0.97), (1_000, 0.93)])
def test_grains_are_found_and_none_is_bridged(electrons, least):
    scan = film(electrons)
    number = search(scan)[0].number.ravel()
    inside = scan.interior
    assert agreement(scan.grain[inside], number[inside]) > least
    assert purity(scan.grain[inside], number[inside]) > 0.99
    assert (number[inside] >= 0).mean() > 0.93


@pytest.mark.parametrize("electrons", [1_000, 2_000])
def test_all_pixels_of_a_grain_know_more_than_one(electrons):
    scan = film(electrons, scattered=0.02, seed=1)
    found, of_pixels = search(scan)
    inside, together = scan.interior, found.probabilities.reshape(-1, 3)
    alone, merged = ((p.argmax(1) == scan.phase)[inside].mean() for p in (of_pixels, together))
    assert alone < 0.9
    assert merged > alone + 0.3 * (1 - alone)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    none = found.number.ravel() < 0
    np.testing.assert_array_equal(together[none], of_pixels[none])


def test_pixels_of_one_grain_count_as_one_observation():
    scan = film(20_000, n_grains=1, n_amorphous=0)
    found, of_pixels = search(scan)
    assert (found.number == 0).all()
    together = found.probabilities[0, 0]
    assert (found.probabilities == together).all()
    logarithm = np.log(of_pixels).mean(axis=0) + np.log(by_templates(scan.patterns.mean(axis=0, keepdims=True)))[0]
    expected = np.exp(logarithm) / np.exp(logarithm).sum()
    np.testing.assert_allclose(together, expected, atol=0.01)


@pytest.mark.parametrize("electrons", [300, 1_000, 40_000])
def test_what_has_no_spots_has_no_grains(electrons):
    scan = film(electrons, n_grains=0, n_amorphous=4)
    found, of_pixels = search(scan)
    assert (found.number >= 0).mean() < 0.1
    sure = found.probabilities.reshape(-1, 3).max(axis=1).mean()
    assert sure < of_pixels.max(axis=1).mean() + 0.02


def test_pixels_that_cannot_be_used_belong_to_no_grain():
    scan = film(20_000)
    usable = np.random.default_rng(3).random(len(scan.patterns)) > 0.2
    usable[: 6 * 24] = False  # the first band may see nothing at all
    patterns = np.where(usable[:, None, None], scan.patterns, np.nan)
    found, _ = search(scan, usable=usable, patterns=patterns)
    number = found.number.ravel()
    assert (number[~usable] == -1).all()
    np.testing.assert_allclose(found.probabilities.reshape(-1, 3)[~usable], 1 / 3)
    inside = scan.interior & usable
    assert agreement(scan.grain[inside], number[inside]) > 0.9
    nothing, _ = search(scan, usable=np.zeros_like(usable), patterns=np.full_like(scan.patterns, np.nan))
    assert (nothing.number == -1).all()


def test_grains_are_numbered_by_their_first_pixels():
    number = search(film(20_000))[0].number
    assert number.dtype == np.int32
    known, first = np.unique(number, return_index=True)
    assert known.tolist() == list(range(-1, number.max() + 1))
    assert (np.diff(first[1:]) > 0).all()
    assert all((number == k).sum() > 1 for k in known[1:])


def test_in_whatever_pieces_the_pixels_come():
    scan = film(4_000)
    whole = search(scan)[0]
    pieces = search(scan, pieces=(1, 30, 31, 300, 570))[0]
    np.testing.assert_array_equal(pieces.number, whole.number)
    np.testing.assert_array_equal(pieces.probabilities, whole.probabilities)


def test_bands_of_few_rows_find_the_same_grains(monkeypatch):
    scan = film(4_000)
    monkeypatch.setattr(module, "_BAND_BYTES", 1)
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    number = search(scan)[0].number.ravel()
    assert agreement(scan.grain[scan.interior], number[scan.interior]) > 0.97
    assert purity(scan.grain[scan.interior], number[scan.interior]) > 0.99


@pytest.mark.parametrize("as_line", [True, False])
def test_a_line_scan(as_line):
    scan = film(20_000, shape=(1, 200), n_grains=30, n_amorphous=2)
    number = search(scan, shape=(200,) if as_line else (1, 200))[0].number
    assert number.shape == ((200,) if as_line else (1, 200))
    inside = scan.interior
    assert agreement(scan.grain[inside], number.ravel()[inside]) > 0.95
    assert purity(scan.grain[inside], number.ravel()[inside]) > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (1,), (1, 2), (2, 1), (3, 3)])
def test_the_smallest_scans(shape):
    n = int(np.prod(shape))
    scan = film(20_000, shape=(1, n), n_grains=1, n_amorphous=0)
    number = search(scan, shape=shape)[0].number
    assert number.shape == shape
    assert (number == (-1 if n == 1 else 0)).all()


@pytest.mark.parametrize("hidden", [0, 3])
def test_profiles_of_one_grain_are_merged_too(hidden):
    scan = film(40_000)
    profiles = scan.patterns.mean(axis=2)
    profiles[:, :hidden] = np.nan  # below the range of the classifier
    of_pixels = np.tile(np.float32([0.2, 0.5, 0.3]), (len(profiles), 1))
    found = GrainSearch(scan.shape, 3, lambda means: np.tile([0.2, 0.5, 0.3], (len(means), 1)))
    found.add(profiles, np.ones(len(profiles), bool), of_pixels)
    number = found.found().number.ravel()
    inside = scan.interior
    assert agreement(scan.grain[inside], number[inside]) > 0.9
    assert purity(scan.grain[inside], number[inside]) > 0.97


def test_memory_grows_with_the_width_of_a_scan_and_not_with_its_height(monkeypatch):
    monkeypatch.setattr(module, "_BAND_BYTES", 1)
    monkeypatch.setattr(module, "_AT_ONCE", 8)
    scan = film(20_000)

    def most_bytes(n_times: int) -> int:
        found = GrainSearch((24 * n_times, 24), 3, lambda means: np.full((len(means), 3), 1 / 3))
        usable, of_pixels = np.ones(24, bool), np.full((24, 3), 1 / 3, np.float32)
        tracemalloc.start()
        for _ in range(n_times):
            for row in range(24):
                found.add(scan.patterns[24 * row : 24 * (row + 1)], usable, of_pixels)
        assert found.found().number.max() > 20 * n_times
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    most_bytes(1)
    assert most_bytes(8) < 1.3 * most_bytes(2)
