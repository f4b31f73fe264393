"""Dynamical diffraction: what must hold whatever the crystal, and what must not depend on how it is computed."""

from __future__ import annotations

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core import SimulationSpec, excited_spots, radial_profiles, simulate
from difsims_core.diffraction.engines.bloch import engine
from difsims_core.errors import InputError
from tests.oracles.orientations import uniform_orientations

DOCUMENT = {
    "n_patterns": 12,
    "phases": ["pbi2_2h", "pb"],
    "intensities": {"model": "bloch", "rms_displacement_angstrom": {"uniform": [0.06, 0.12]}},
    "diffraction": {"thickness_angstrom": {"uniform": [50, 300]}},
    "output": {"x_all": False},
}
PHASES = ["pbi2_2h", "pbi2", "pb"]  # with a centre of inversion, without one, heavy


def diffracted(phase: str, rotations: Rotation, thickness: float = 150.0, **bloch):
    bloch = {"model": "bloch", "rms_displacement_angstrom": 0.1} | bloch
    return excited_spots(phase, rotations, intensities=bloch, thickness_angstrom=thickness)


@pytest.mark.parametrize("phase", PHASES)
def test_beams_share_the_incident_intensity(phase):
    for thickness in (2.0, 50.0, 400.0):
        spots = diffracted(phase, uniform_orientations(8, 3), thickness)
        total = np.add.reduceat(spots.intensity, spots.start[:-1])
        assert np.all(total > 0)
        assert np.all(total < 1)


def test_thin_crystals_diffract_as_the_square_of_their_thickness():
    rotation = uniform_orientations(1, 4)
    thin, thinner = (diffracted("pbi2_2h", rotation, t) for t in (4.0, 2.0))
    strong = (thin.intensity > 0.05 * thin.intensity.max()) & (np.abs(thin.excitation_error) < 0.01)
    assert np.count_nonzero(strong) >= 3
    of_thinner = dict(zip(map(tuple, thinner.hkl.tolist()), thinner.intensity, strict=True))
    ratios = thin.intensity[strong] / np.array([of_thinner[tuple(hkl)] for hkl in thin.hkl[strong].tolist()])
    np.testing.assert_allclose(ratios, 4, rtol=0.02)


def test_friedel_pairs_of_a_polar_crystal_differ_and_those_of_a_centrosymmetric_one_do_not():
    """Along a zone axis g and −g have the same excitation error."""
    for phase, differs in (("pbi2_2h", False), ("pbi2", True)):
        axis = Rotation.from_axes_angles([0, 1, 0], np.pi / 2)  # a zone axis across the polar one
        spots = diffracted(phase, axis, 200.0)
        intensity = dict(zip(map(tuple, spots.hkl.tolist()), spots.intensity, strict=True))
        pairs = [(value, intensity.get(tuple(-i for i in hkl), 0.0)) for hkl, value in intensity.items()]
        largest = max(abs(one - other) for one, other in pairs) / spots.intensity.max()
        assert (largest > 0.05) == differs, largest


@pytest.mark.parametrize("phase", PHASES)
def test_rotation_about_the_beam_changes_nothing(phase):
    rotations = uniform_orientations(3, 5)
    common = {"intensities": "bloch", "thickness_angstrom": 200.0, "sigma_px": 2.0}
    one = radial_profiles(phase, rotations, **common)
    other = radial_profiles(phase, rotations * Rotation.from_axes_angles([0, 0, 1], 0.7), **common)
    whole = slice(0, 178)  # annuli that the frame does not cut
    np.testing.assert_allclose(one[:, whole], other[:, whole], atol=2e-4 * one.max())


def test_fine_and_default_agree_within_the_error_of_default():
    rotations = uniform_orientations(4, 6)
    common = {"thickness_angstrom": 200.0, "sigma_px": 4.0, "debye_waller": {"Pb": 2.0, "I": 2.0}}
    default, fine = (
        radial_profiles("pbi2_2h", rotations, intensities={"model": "bloch", "beams": beams}, **common)[:, 12:159]
        for beams in ("default", "fine")
    )
    errors = np.abs(default - fine).sum(axis=1) / fine.sum(axis=1)
    assert np.median(errors) < 0.06
    assert 0 < errors.max() < 0.20


def test_absorption_takes_intensity_from_all_beams():
    rotation = uniform_orientations(1, 7)
    free, absorbing = (diffracted("pb", rotation, 200.0, absorption=part) for part in (0.0, 0.1))
    assert absorbing.intensity.sum() < 0.9 * free.intensity.sum()
    slightly = diffracted("pb", rotation, 200.0, absorption=1e-6)
    np.testing.assert_allclose(slightly.intensity, free.intensity, atol=2e-5 * free.intensity.max())


def test_phonons_absorb_about_a_tenth_of_the_potential():
    rotation = uniform_orientations(1, 7)
    found = [diffracted("pb", rotation, 200.0, absorption=how).intensity.sum() for how in (0.0, 0.03, "phonons", 0.2)]
    assert found == sorted(found, reverse=True)
    at_rest = diffracted("pb", rotation, 200.0, absorption="phonons", rms_displacement_angstrom=0.0).intensity
    free = diffracted("pb", rotation, 200.0, rms_displacement_angstrom=0.0).intensity
    np.testing.assert_allclose(at_rest, free, rtol=1e-6)


def test_patterns_do_not_depend_on_their_neighbours_or_threads():
    spec = SimulationSpec.model_validate(DOCUMENT)
    whole = simulate(spec, threads=1)
    for start, stop in ((0, 5), (5, 12), (7, 8)):
        assert simulate(spec, start, stop, threads=2).x_px.tobytes() == whole.x_px[start:stop].tobytes()


def test_thicknesses_of_one_orientation_are_those_of_single_patterns():
    """Crystals that differ in thickness alone are computed at once."""
    spec = SimulationSpec.model_validate(
        DOCUMENT
        | {
            "diffraction": {"thickness_angstrom": {"choice": [50, 120, 400]}},
            "intensities": {"model": "bloch"},
            "lattice_scale": 1.0,
            "combinations": ["diffraction.thickness_angstrom"],
        }
    )
    whole = simulate(spec)
    for i in range(12):
        assert simulate(spec, i, i + 1).x_px.tobytes() == whole.x_px[i : i + 1].tobytes()


def test_precession_and_convergence_spread_over_directions():
    """A precessing beam excites more reflections, a convergent one makes discs that are not even."""
    rotation = uniform_orientations(1, 8)
    still = diffracted("pb", rotation)
    common = {"intensities": {"model": "bloch", "rms_displacement_angstrom": 0.1}, "thickness_angstrom": 150.0}
    precessing = excited_spots("pb", rotation, precession_angle_deg=1.0, **common)
    visible = [np.count_nonzero(spots.intensity > 1e-4) for spots in (still, precessing)]
    assert visible[1] > 1.3 * visible[0]
    barely = excited_spots("pb", rotation, precession_angle_deg=1e-4, **common)
    np.testing.assert_allclose(np.sort(barely.intensity)[-20:], np.sort(still.intensity)[-20:], rtol=1e-3)


def test_a_disc_has_the_mean_intensity_of_its_directions():
    document = DOCUMENT | {
        "noise": None,
        "background": None,
        "spots": {"convergence_semi_angle_mrad": 1.5, "sigma_px": 2.0, "removal": None},
        "calibration_scale": 1.0,
        "diffraction": {"thickness_angstrom": 400.0},
        "intensities": {"model": "bloch"},
    }
    from difsims_core.simulation.simulator import Simulator

    simulator = Simulator.prepare(SimulationSpec.model_validate(document))
    draws = simulator.draw(0, 4)
    prepared = simulator.tables.engine
    for grains in prepared.grains(draws, draws.patterns % 2):
        spots = prepared.spots(grains, prepared.geometry.frame)
        discs = spots.disc.reshape(-1, int(grains.conditions.points[0]))
        bright = spots.intensity > 0.05 * spots.intensity.max()
        np.testing.assert_allclose(discs[bright].mean(axis=1), 1, atol=0.25)
        assert discs[bright].std(axis=1).max() > 0.02


def test_a_cap_on_strong_beams_is_said_once(caplog):
    """Along a zone axis of a large cell."""
    engine._notice.cache_clear()
    for thickness in (20.0, 30.0):
        diffracted("pb", uniform_orientations(1, 9), thickness)
    assert not caplog.records
    for thickness in (20.0, 30.0):
        diffracted("gratia_6h", Rotation.identity(), thickness)
    (said,) = [record.getMessage() for record in caplog.records if "strong beams" in record.getMessage()]
    assert said.startswith("gratia_6h: some directions have more strong beams than the 900")
    assert said.endswith("900 (default), 1200 (fine)")


@pytest.mark.parametrize("energy", [20, 60, 300, 1000])
def test_other_voltages(energy):
    spots = excited_spots(
        "pb", Rotation.identity(), beam_energy_kv=energy, intensities="bloch", thickness_angstrom=50.0,
        debye_waller={"Pb": 2.0},
    )  # fmt: skip
    assert 0 < spots.intensity.sum() < 1
    brightest = spots.intensity.argsort()[-4:]
    np.testing.assert_allclose(spots.intensity[brightest], spots.intensity[brightest[0]], rtol=1e-3)  # a fourfold axis


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"diffraction": {}}, "thickness"),
        ({"diffraction": {"thickness_angstrom": 0}}, "thickness"),
        ({"intensities": {"model": "bloch", "absorption": 0.9}}, "absorption"),
        ({"intensities": {"model": "bloch", "rms_displacement_angstrom": 3.0}}, "rms_displacement"),
        ({"intensities": {"model": "bloch", "beams": "all"}}, "beams"),
        ({"intensities": None, "diffraction": {"engine": "bloch", "thickness_angstrom": 100}}, "model: bloch"),
    ],
)
def test_what_cannot_be_is_refused(document, says):
    from pydantic import ValidationError

    with pytest.raises((ValidationError, InputError), match=says):
        SimulationSpec.model_validate(DOCUMENT | document)
