"""The dynamical engine against multislice, dense Bloch waves and kinematics (docs/physics.md §11)."""

import json
from pathlib import Path

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core import excited_spots, radial_profiles
from difsims_core.crystal.phases import load_phase
from tests.oracles.bloch import Diffracted, diffract
from tests.oracles.bloch_boxes import Box, atoms_of
from tests.oracles.crystals import published_phase
from tests.oracles.orientations import uniform_orientations

DOCUMENT = json.loads((Path(__file__).parents[1] / "references" / "abtem_dynamical.json").read_text(encoding="utf-8"))
B = DOCUMENT["b"]
THICKNESSES = np.array([50.0, 100.0, 200.0, 400.0])
Q = np.arange(13, 160) * 0.008290514530472063
BLUR = 4 * 0.00588
Q_SHOWN = 1.4
FRAME_INSIDE = slice(13, 178)


def spots_of(phase, rotation: Rotation, thickness: float, beams: str = "default", **further):
    bloch = {"model": "bloch", "beams": beams}
    return excited_spots(phase, rotation, intensities=bloch, thickness_angstrom=thickness, debye_waller=B, **further)


def blurred(q: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    return (np.exp(-(((Q[:, None] - q) / BLUR) ** 2) / 2) * intensity).sum(axis=1) / Q


def errors(phase, rotation: Rotation, beams: str, found: Diffracted, **further) -> np.ndarray:
    """Return R of the twenty strongest spots and the L1 error of the profile, (n_thicknesses, 2)."""
    q, result = np.linalg.norm(found.g[:, :2], axis=1), []
    for thickness, exact in zip(THICKNESSES, found.intensity, strict=True):
        spots = spots_of(phase, rotation, thickness, beams, **further)
        ours = dict(zip(map(tuple, spots.hkl.tolist()), spots.intensity, strict=True))
        few = np.flatnonzero((q > 0) & (q < Q_SHOWN))
        few = few[np.argsort(-exact[few])[:20]]
        mine = np.array([ours.get(tuple(hkl), 0.0) for hkl in found.hkl[few].tolist()])
        profile, expected = blurred(np.linalg.norm(spots.g, axis=1), spots.intensity), blurred(q[1:], exact[1:])
        result.append(
            (
                np.abs(mine - exact[few]).sum() / exact[few].sum(),
                np.abs(profile - expected).sum() / expected.sum(),
            )
        )
    return np.array(result)


@pytest.mark.parametrize("beams", ["default", "fine"])
@pytest.mark.parametrize(
    "entry", DOCUMENT["cases"][1:], ids=lambda e: f"{e['phase']} {e['tilt_deg'][0]} deg off {e['zone']}"
)
def test_spots_are_those_of_multislice(entry, beams):
    """The engine's slab lies across the beam, that of multislice across the axis: up to 4.6° no difference."""
    box = Box.read(entry, B)
    rotation = Rotation.from_matrix(box.matrix.T[None])
    lengths = np.array(entry["edges_angstrom"][:2])
    for thickness, reference in zip(box.thicknesses, box.multislice, strict=True):
        spots = spots_of(load_phase(entry["phase"]), rotation, float(thickness), beams)
        here = np.all(box.orders[:, None] == spots.hkl @ box.edges[:2].T, axis=2)
        few = np.argsort(-reference)[:20]
        few = few[np.linalg.norm(box.orders[few] / lengths, axis=1) < Q_SHOWN]
        ours = (here * spots.intensity).sum(axis=1)[few]
        assert np.abs(ours - reference[few]).sum() < 0.12 * reference[few].sum()


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "pbi2"])  # heavy, with a centre of inversion, without one
def test_random_directions_are_those_of_dense_bloch_waves(name, which):
    phase, rotation = load_phase(name), Rotation(uniform_orientations(3, 91).data[which : which + 1])
    atoms, matrix = atoms_of(phase, B), rotation.to_matrix()[0].T
    exact = diffract(atoms, matrix, THICKNESSES, g_max=1.65 if name == "pbi2" else 2.2, s_max=0.2)
    for beams in ("default", "fine"):
        r, l1 = errors(phase, rotation, beams, exact).T
        assert r.max() < 0.06
        assert l1.max() < 0.06


def test_far_beams_bring_lead_nearer_to_a_calculation_with_every_lattice_point():
    """Nearer than all beams up to |s| = 0.08 Å⁻¹ are, propagated."""
    phase, rotations = load_phase("pb"), uniform_orientations(3, 91)
    ours, near = [], []
    for rotation in rotations:
        atoms, matrix = atoms_of(phase, B), rotation.to_matrix()[0].T
        every, some = (diffract(atoms, matrix, THICKNESSES, g_max=1.65, s_max=s_max) for s_max in (1.65, 0.08))
        ours.append(errors(phase, rotation, "default", every)[:, 1])
        a, b = (
            np.array([blurred(np.linalg.norm(f.g[1:, :2], axis=1), i[1:]) for i in f.intensity]) for f in (some, every)
        )
        near.append(np.abs(a - b).sum(axis=1) / b.sum(axis=1))
    assert np.mean(ours) < 0.8 * np.mean(near)


@pytest.mark.parametrize("kv", [20.0, 80.0, 300.0, 1000.0])
def test_every_voltage(kv):
    phase, rotation = load_phase("pbi2_2h"), uniform_orientations(1, 12)
    exact = diffract(
        atoms_of(phase, B), rotation.to_matrix()[0].T, THICKNESSES, beam_energy_kv=kv, g_max=2.0, s_max=0.08
    )
    r, l1 = errors(phase, rotation, "fine", exact, beam_energy_kv=kv).T
    assert r.max() < 0.08
    assert l1.max() < 0.08


def test_the_diffracted_beams_hold_what_the_direct_beam_lost():
    phase, rotation = load_phase("pbi2_2h"), uniform_orientations(1, 13)
    exact = diffract(atoms_of(phase, B), rotation.to_matrix()[0].T, THICKNESSES, g_max=2.2, s_max=0.08)
    for thickness, direct in zip(THICKNESSES, exact.intensity[:, 0], strict=True):
        assert spots_of(phase, rotation, thickness).intensity.sum() == pytest.approx(1 - direct, abs=0.02)


def test_along_the_zone_axis_of_lead_the_sign_of_the_excitation_error_shows():
    """At 100 Å 2 % of the intensity is diffracted; with the wrong sign it were 35 %."""
    intensity = spots_of(load_phase("pb"), Rotation.identity(), 99.0).intensity
    reference = np.array(DOCUMENT["cases"][0]["direct_beam"])[1]
    assert intensity.sum() == pytest.approx(1 - reference, abs=0.01)


def test_a_weak_potential_is_kinematical():
    """Occupancies of 0.3 %: |F|² with the shape of a slab, but for a common factor; what is left is scattered twice."""
    phase, rotation = published_phase("pb", occupancy_factor=3e-3), uniform_orientations(1, 16)
    dynamical = spots_of(phase, rotation, 150.0, "fine")
    kinematical = excited_spots(
        phase, rotation, max_excitation_error=0.03, shape_factor="slab", relrod_width=1 / 150, debye_waller=B
    )
    expected = dict(zip(map(tuple, kinematical.hkl.tolist()), kinematical.intensity, strict=True))
    ours = np.array([expected[tuple(hkl)] for hkl in dynamical.hkl.tolist()])
    ours *= dynamical.intensity.sum() / ours.sum()
    assert len(ours) >= 8
    np.testing.assert_allclose(dynamical.intensity, ours, rtol=0, atol=3e-3 * ours.max())
    exact = diffract(atoms_of(phase, B), rotation.to_matrix()[0].T, np.array([150.0]), g_max=2.0, s_max=0.05)
    of_oracle = dict(zip(map(tuple, exact.hkl.tolist()), exact.intensity[0], strict=True))
    rest = np.array([of_oracle[tuple(hkl)] for hkl in dynamical.hkl.tolist()])
    np.testing.assert_allclose(dynamical.intensity, rest, rtol=0, atol=1e-3 * ours.max())


def test_a_crystal_that_diffracts_next_to_nothing_has_no_spots():
    phase, rotations = published_phase("pb", occupancy_factor=1e-4), uniform_orientations(2, 16)
    assert spots_of(phase, rotations, 150.0).start.tolist() == [0, 0, 0]
    assert not radial_profiles(phase, rotations, intensities="bloch", thickness_angstrom=150.0).any()


@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "gratia_2h", "pbi2"])
def test_symmetry_operations_of_the_crystal_change_nothing(name):
    """Proper ones, on the crystal's side."""
    phase, rotation = load_phase(name), uniform_orientations(1, 32)
    equivalent = Rotation(phase.point_group.proper_subgroup.data).outer(rotation).flatten()
    common = {"intensities": "bloch", "thickness_angstrom": 200.0, "debye_waller": B}
    one, all_ = radial_profiles(phase, rotation, **common), radial_profiles(phase, equivalent, **common)
    difference = np.abs(all_ - one)[:, FRAME_INSIDE]
    assert difference.max() < 2e-3 * one.max()


def test_inversion_matters_to_a_polar_crystal_alone():
    """A crystal seen from behind, by a half turn about an axis across the beam, is its inverse in a mirror."""
    common = {"intensities": "bloch", "thickness_angstrom": 200.0, "debye_waller": B}
    turned = Rotation.from_axes_angles([1, 0, 0], np.pi)  # from behind
    rotation = uniform_orientations(1, 33)
    for name, same in (("pbi2_2h", True), ("pbi2", False)):
        front, behind = (radial_profiles(name, r, **common)[:, FRAME_INSIDE] for r in (rotation, rotation * turned))
        assert (np.abs(front - behind).max() < 2e-3 * front.max()) == same


def test_displacements_of_none_and_of_half_an_angstrom():
    rotation = uniform_orientations(1, 34)
    sums = []
    for u in (0.0, 0.1, 0.5):
        bloch = {"model": "bloch", "rms_displacement_angstrom": u}
        spots = excited_spots("pb", rotation, intensities=bloch, thickness_angstrom=60.0)
        assert np.all(np.isfinite(spots.intensity))
        far = np.linalg.norm(spots.g, axis=1) > 0.8
        sums.append(spots.intensity[far].sum() / spots.intensity.sum())
    assert sums[0] > sums[1] > 10 * sums[2]
