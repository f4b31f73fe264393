"""Two grains in the beam: sums of their single patterns, fractions and labels (docs/physics.md §§3, 8)."""

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.simulation.simulator import Simulator
from tests.oracles import imperfections
from tests.physics.runs import CROP, Run, worst

PHASES = ["pb", "gratia_2h", "pbi2_2h"]
DOCUMENT = {"phases": PHASES, "overlap": {"probability": 1.0}, "lattice_scale": {"uniform": [0.9, 1.1]}}


def two_grains(run: Run, i: int) -> tuple[imperfections.Spots, float]:
    """Return the spots of both grains, weighted by what their volumes scatter, and the fraction of the second."""
    draws = run.draws
    fraction, other = float(draws["second_fraction"][i]), int(draws["second_phase"][i])
    first = imperfections.drawn_spots(run.spec, draws, i, q_max=2.5)
    second = imperfections.drawn_spots(run.spec, draws, i, label=other, second=True, q_max=2.5)
    own = imperfections.cell_volume(PHASES[i % 3], float(draws["lattice_scale"][i]))
    others = imperfections.cell_volume(PHASES[other], float(draws["second_lattice_scale"][i]))
    return imperfections.joined([first, second], [1 - fraction, fraction * (own / others) ** 2]), fraction


def test_overlapping_grains_add_as_their_volumes_scatter():
    run = Run.of(DOCUMENT, 6)
    profiles, polar_patterns, units = run.profiles(), run.polar_patterns(), run.signal().unit
    for i in range(6):
        spots, fraction = two_grains(run, i)
        sigma = float(run.draws["sigma_px"][i])
        assert 0.05 <= fraction <= 0.5
        assert worst(profiles[i, CROP], imperfections.radial_profile(spots, sigma)[CROP]) < 1e-4
        assert worst(polar_patterns[i, CROP], imperfections.polar_pattern(spots, sigma)[CROP]) < 1e-2
        inside = np.maximum(np.abs(spots.gx), np.abs(spots.gy)) < 257.5 * 0.00588
        assert units[i] == pytest.approx(spots.intensity[inside].max() / (2 * np.pi * sigma**2), rel=1e-5)


def test_peaks_of_both_grains():
    run = Run.of({**DOCUMENT, "output": {"peaks": True, "precision": "exact"}}, 3)
    found = run.simulator.block(0, 3).peaks
    for i in range(3):
        spots, _ = two_grains(run, i)
        mine = slice(found.start[i], found.start[i + 1])
        bright = spots.intensity > 0.01 * spots.intensity.max()
        bright &= np.maximum(np.abs(spots.gx), np.abs(spots.gy)) < 257 * 0.00588
        place = np.column_stack([spots.gx, spots.gy])[bright]
        for at, value in zip(place, spots.intensity[bright], strict=True):
            near = np.hypot(*(found.g[mine] - at).T) < 2e-5
            assert np.any(np.isclose(found.intensity[mine][near], value, rtol=1e-3))


def test_fractions_and_labels():
    document = {"n_patterns": 600, **DOCUMENT, "overlap": {"probability": 0.3, "fraction": {"uniform": [0.1, 0.4]}}}
    block = Simulator.prepare(make_spec({**document, "output": {"x_all": False}})).block(0, 600)
    draws, fractions = block.draws, block.fractions
    assert fractions.shape == (600, 3)
    np.testing.assert_allclose(fractions.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(block.y, np.arange(600) % 3)
    assert np.all(fractions[np.arange(600), block.y] >= 0.6 - 1e-6)
    there = draws["second_fraction"] > 0
    assert np.count_nonzero(there) == pytest.approx(180, abs=60)
    same = there & (draws["second_phase"] == block.y)
    assert np.all(fractions[same].max(axis=1) == 1)
    other = there & ~same
    taken = fractions[np.arange(600), draws["second_phase"]]
    np.testing.assert_array_equal(taken[other], draws["second_fraction"][other])
    assert np.all(fractions[~there].max(axis=1) == 1)
    counts = np.bincount(draws["second_phase"][there], minlength=3)
    assert counts.min() > 25


def test_the_second_grain_may_be_held_to_the_same_phase_and_background_stays_empty():
    document = {**DOCUMENT, "overlap": {"probability": 1.0, "second_phase": "same"}, "background_class": True}
    run = Run.of(document, 8)
    draws, crystal = run.draws, run.labels < 3
    assert np.array_equal(draws["second_phase"][crystal], run.labels[crystal])
    assert np.all(draws["second_fraction"][~crystal] == 0)
    assert np.all(draws["second_fraction"][crystal] > 0)
    assert np.all(run.profiles()[~crystal] == 0)
    fractions = run.simulator.block(0, 8).fractions
    assert np.array_equal(fractions, np.eye(4, dtype=np.float32)[run.labels])
    distance = np.abs((draws["orientation"] * draws["second_orientation"]).sum(axis=1))
    assert distance.max() < 0.9999


def test_the_first_grain_keeps_its_draws_and_blocks_do_not_matter():
    with_second = Run.of(DOCUMENT, 12)
    alone = Run.of({key: value for key, value in DOCUMENT.items() if key != "overlap"}, 12)
    for name, values in alone.draws.values.items():
        assert np.array_equal(values, with_second.draws[name]), name
    part = Run.of(DOCUMENT, 3, start=5)
    for name, values in part.draws.values.items():
        assert np.array_equal(values, with_second.draws[name][5:8]), name
    assert np.array_equal(part.profiles(), with_second.profiles()[5:8])


def test_no_probability_is_no_overlap():
    never = Run.of({**DOCUMENT, "overlap": {"probability": 0.0}}, 4)
    alone = Run.of({key: value for key, value in DOCUMENT.items() if key != "overlap"}, 4)
    assert np.array_equal(never.profiles(), alone.profiles())
    assert np.all(never.draws["second_fraction"] == 0)


def test_a_second_grain_of_members_of_a_list():
    run = Run.of({**DOCUMENT, "orientations": {"kind": "grid", "resolution_deg": 20}}, 6)
    lists = run.simulator.tables.orientations
    for i in range(6):
        members = lists[int(run.draws["second_phase"][i])].astype(np.float32)
        assert np.abs(members - run.draws["second_orientation"][i]).max(axis=1).min() == 0
