"""Kinematical intensities against multislice: abTEM's diffraction of thin slabs (docs/physics.md §3–§5).

The references (tests/references/abtem_thin_limit.py makes them) know nothing of this package: potentials of Lobato &
Van Dyck, atoms at rest, 200 kV. With the potential weakened 10⁵ times, multislice has a kinematical limit, which must
come out on an absolute scale, without any factor to fit. With the real potential, a crystal of lead or PbI₂ is *not*
weak: one cell of lead already scatters a fifth less than the first Born approximation says, because a single atom of
lead is beyond it. What kinematics keeps is the ratio of strong spots, and that is what is compared.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core import patterns
from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from tests.oracles import slab
from tests.oracles.ewald import excitation_error

DOCUMENT = json.loads((Path(__file__).parents[1] / "references" / "abtem_thin_limit.json").read_text(encoding="utf-8"))
KV = DOCUMENT["beam_energy_kv"]
TEN = 10
CALIBRATION, SIGMA_PX, SIZE = 0.00588, 1.5, 515


@dataclass(frozen=True)
class Case:
    """One slab, with its spots by falling intensity."""

    phase: Phase
    rotation: Rotation
    thickness: float
    hkl: np.ndarray
    g: np.ndarray
    multislice: np.ndarray
    exact: np.ndarray


def label(entry: dict) -> str:
    return f"{entry['phase']} {entry['zone']} {entry['thickness_angstrom']:.1f} angstrom"


REAL = [entry for entry in DOCUMENT["cases"] if entry["potential_scale"] == 1]
WEAK = [entry for entry in DOCUMENT["cases"] if entry["potential_scale"] < 1]
BEYOND = "pb [001] 19.8 angstrom"  # multiple scattering has taken over even among the ten strongest
WITHIN = [entry for entry in REAL if label(entry) != BEYOND]
THINNEST = [entry for entry in REAL if entry["cells"] == 1]


def read(entry: dict) -> Case:
    """Return a case with the orientation that puts its zone along the beam: g_lab = ~R g_crystal."""
    phase = load_phase(entry["phase"])
    base = np.array(phase.structure.lattice.base)
    x, z = (np.array(entry[key]) @ base for key in ("x_uvw", "beam_uvw"))
    x, z = x / np.linalg.norm(x), z / np.linalg.norm(z)
    spots = np.array(entry["spots"])
    edges = np.array(entry["edges_angstrom"])
    return Case(
        phase,
        Rotation.from_matrix(np.column_stack([x, np.cross(z, x), z])),
        entry["thickness_angstrom"],
        spots[:, :3].astype(int),
        spots[:, 3:5],
        spots[:, 5],
        slab.exact(spots[:, 3:5], entry["atoms"], edges, entry["cells"], KV),
    )


@cache
def squared(name: str) -> dict[tuple[int, ...], tuple[np.ndarray, float]]:
    """Return hkl → (g, |F|²) of our list."""
    found = reflection_list(load_phase(name), 2.1)
    return dict(zip(map(tuple, found.hkl.tolist()), zip(found.g, found.intensity, strict=True), strict=True))


def kinematical(case: Case) -> np.ndarray:
    """Return |F|² of our list times the shape of the slab, absolute; check that hkl is where multislice has it."""
    ours = [squared(case.phase.name)[tuple(hkl)] for hkl in case.hkl.tolist()]
    g_lab = np.array([g for g, _ in ours]) @ case.rotation.to_matrix()[0]
    np.testing.assert_allclose(g_lab, np.column_stack([case.g, np.zeros(len(case.g))]), atol=1e-8)
    f_squared = np.array([value for _, value in ours])
    volume = case.phase.structure.lattice.volume
    return slab.product(f_squared, excitation_error(g_lab, KV), case.thickness, volume, KV)


def deviations(ours: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how far each spot is off, relative, when both sets have the same total intensity."""
    return ours / reference * (reference.sum() / ours.sum()) - 1


def rendered(case: Case, **diffraction) -> np.ndarray:
    """Return the volume of the ten strongest spots in our image, each summed over a disc of six σ."""
    image = patterns(
        case.phase,
        case.rotation,
        beam_energy_kv=KV,
        max_excitation_error=0.03,
        sigma_px=SIGMA_PX,
        calibration=CALIBRATION,
        shape=(SIZE, SIZE),
        **diffraction,
    )[0].astype(float)
    y, x = np.indices(image.shape) - SIZE // 2
    return np.array(
        [image[np.hypot(x - g[0] / CALIBRATION, y - g[1] / CALIBRATION) < 6 * SIGMA_PX].sum() for g in case.g[:TEN]]
    )


@pytest.mark.parametrize("entry", WEAK, ids=label)
def test_without_multiple_scattering_intensities_are_absolutely_those_of_multislice(entry):
    """Up to 100 Å. Single spots are off by up to 2.2 %, because the sphere cuts a rod beside the lattice point."""
    case = read(entry)
    ours, reference = kinematical(case)[:TEN], case.multislice[:TEN]
    assert ours.sum() == pytest.approx(reference.sum(), rel=2e-3)
    np.testing.assert_allclose(ours, reference, rtol=0.025)


@pytest.mark.parametrize("entry", WEAK, ids=label)
def test_the_small_difference_is_the_height_at_which_the_sphere_cuts_the_rod(entry):
    """Summing the atoms of the slab at that height leaves 1 %, a small part of the strongest for weak spots."""
    case = read(entry)
    np.testing.assert_allclose(case.exact[:TEN], case.multislice[:TEN], rtol=0.01)
    np.testing.assert_allclose(case.exact, case.multislice, rtol=0.01, atol=1e-3 * case.multislice[0])


@pytest.mark.parametrize("entry", WITHIN, ids=label)
def test_the_ten_strongest_spots_of_a_thin_crystal_agree(entry):
    case = read(entry)
    assert np.abs(deviations(kinematical(case)[:TEN], case.multislice[:TEN])).max() < 0.15


@pytest.mark.parametrize("entry", THINNEST, ids=label)
def test_one_cell_agrees_in_all_forty_spots_to_six_percent_of_the_strongest(entry):
    case = read(entry)
    ours = kinematical(case)
    ours *= case.multislice.sum() / ours.sum()
    np.testing.assert_allclose(ours, case.multislice, rtol=0, atol=0.06 * case.multislice[0])


@pytest.mark.parametrize("entry", THINNEST, ids=label)
def test_images_of_the_thinnest_crystals_agree_without_any_shape(entry):
    """One cell along the beam: s t << 1, so every excited spot has the shape factor one."""
    case = read(entry)
    ours = rendered(case, shape_factor="binary")
    assert np.abs(deviations(ours, case.multislice[:TEN])).max() < 0.15


@pytest.mark.parametrize("entry", WITHIN, ids=label)
def test_images_with_the_slab_shape_agree(entry):
    case = read(entry)
    ours = rendered(case, shape_factor="slab", relrod_width=1 / case.thickness)
    assert np.abs(deviations(ours, case.multislice[:TEN])).max() < 0.15


@pytest.mark.parametrize("entry", WEAK, ids=label)
def test_images_with_the_slab_shape_are_kinematical_multislice(entry):
    case = read(entry)
    ours = rendered(case, shape_factor="slab", relrod_width=1 / case.thickness)
    assert np.abs(deviations(ours, case.multislice[:TEN])).max() < 0.025


def test_kinematics_ends_at_twenty_angstrom_of_lead():
    """Along [001] the ten strongest stay within 9 % up to 15 Å and leave the 15 % at 20 Å: no fault of |F|² or s."""
    worst = [
        np.abs(deviations(kinematical(case)[:TEN], case.multislice[:TEN])).max()
        for case in (read(entry) for entry in REAL if label(entry).startswith("pb [001]"))
    ]
    assert max(worst[:3]) < 0.09
    assert 0.15 < worst[3] < 0.20


@pytest.mark.parametrize(("name", "zone"), [("pb", "[001]"), ("pb", "[011]"), ("pbi2_2h", "[2-1-10]")])
def test_multiple_scattering_grows_with_thickness(name, zone):
    """What fits no common factor to ratios: the share of the kinematical intensity that is left, first to last."""
    cases = [read(entry) for entry in REAL if (entry["phase"], entry["zone"]) == (name, zone)]
    left = np.array([case.multislice[:TEN].sum() / kinematical(case)[:TEN].sum() for case in cases])
    assert np.all(np.diff(left) < 0)
    assert 0.78 < left[0] < 0.88
    assert left[-1] < 0.6
