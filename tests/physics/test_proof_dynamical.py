"""Bloch waves against multislice of abTEM's potentials, 50 to 400 Å thick (docs/physics.md §11).

R = Σ|I − I_multislice| / Σ I_multislice over the twenty strongest diffracted spots. Multislice itself
(tests/references/abtem_dynamical.py) is good to 0.0006: half the sampling and half the slices change R by no more.

|g| ≤ 2.5 and |s| ≤ 0.08 leave R below 0.03 up to 100 Å and below 0.08 up to 400 Å, but for few cases. What is missing
there are the Laue zones of higher order, far from the sphere: a thin slab has rods instead of points, and those of
other zones end in the same spots. Taking all of them, as far as a dense matrix allows, shows it.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.oracles.bloch import diffract
from tests.oracles.bloch_boxes import Box

DOCUMENT = json.loads((Path(__file__).parents[1] / "references" / "abtem_dynamical.json").read_text(encoding="utf-8"))
LARGEST_R = 0.03, 0.03, 0.08, 0.08  # at 50, 100, 200 and 400 Å
WITH_RODS = 0.05, 0.05, 0.08, 0.08
IN_NEED_OF_RODS = {("pbi2_2h", 4.2), ("gratia_2h", 0), ("gratia_2h", 0.9)}  # phase and tilt
LEAD_ALONG_ZONE = DOCUMENT["cases"][0]
REST = DOCUMENT["cases"][1:]
SMALL = [entry for entry in REST if entry["phase"].startswith("pb")]
LARGE = [entry for entry in REST if entry not in SMALL and entry["tilt_deg"][0] < 1]


def label(entry: dict) -> str:
    return f"{entry['phase']} {entry['tilt_deg'][0]} deg off {entry['zone']}"


def bound(entry: dict) -> tuple[float, ...]:
    return WITH_RODS if (entry["phase"], entry["tilt_deg"][0]) in IN_NEED_OF_RODS else LARGEST_R


def deviation(entry: dict, **beams) -> np.ndarray:
    box = Box.read(entry, DOCUMENT["b"])
    return box.deviation(diffract(box.atoms, box.matrix, box.thicknesses, normal=box.normal, **beams))


@pytest.mark.parametrize("entry", SMALL, ids=label)
def test_spots_are_those_of_multislice(entry):
    assert np.all(deviation(entry, g_max=2.5, s_max=0.08) <= bound(entry))


@pytest.mark.slow
@pytest.mark.parametrize("entry", LARGE, ids=label)
def test_spots_of_large_cells_are_those_of_multislice(entry):
    """Some 1 600 beams. The directions that are left out, p4mbm at 1.1° and 3.4° and gratia_2h at 2.8°, agree too."""
    assert np.all(deviation(entry, g_max=2.5, s_max=0.08) <= bound(entry))


def test_of_lead_along_its_zone_axis_hardly_any_intensity_is_left_at_100_angstrom():
    """What makes it the hardest case: a mean potential of the zone alone moves 98 % of it back into the direct beam."""
    assert LEAD_ALONG_ZONE["direct_beam"][1] > 0.97
    r = deviation(LEAD_ALONG_ZONE, g_max=2.5, s_max=0.08)
    assert r[0] < 0.01
    assert 0.05 < r[1] < 0.1


@pytest.mark.slow
def test_every_lattice_point_of_the_sphere_mends_lead_along_its_zone_axis():
    assert np.all(deviation(LEAD_ALONG_ZONE, g_max=2.2, s_max=2.2) <= LARGEST_R)


@pytest.mark.slow
def test_every_lattice_point_of_the_sphere_mends_a_thin_slab_of_lead_iodide():
    entry = next(e for e in REST if (e["phase"], e["tilt_deg"][0]) == ("pbi2_2h", 4.2))
    assert deviation(entry, g_max=1.65, s_max=0.08)[0] > 0.03
    assert np.all(deviation(entry, g_max=1.5, s_max=1.5) <= (0.02, 0.03, 0.03, 0.08))


def test_part_of_the_higher_zones_is_worse_than_none():
    """|s| up to the first zone above and below, which are far from the sphere: their second order is not there."""
    r = deviation(LEAD_ALONG_ZONE, g_max=2.5, s_max=0.25)
    assert np.all(r[1:] > 0.3)


def test_the_sign_of_the_excitation_error_shows():
    assert deviation(LEAD_ALONG_ZONE, g_max=2.5, s_max=0.08, sign=-1)[1] > 10


def test_more_beams_bring_it_nearer():
    """|g| decides for a heavy crystal: at angles of 1.3° from the axis, 200 Å."""
    entry = next(e for e in REST if e["phase"] == "pb")
    r = [deviation(entry, g_max=g, s_max=0.08)[2] for g in (1.65, 2.0, 2.5)]
    assert np.all(np.diff(r) < 0)
    assert r[0] > 0.1
