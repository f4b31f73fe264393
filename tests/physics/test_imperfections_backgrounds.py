"""Amorphous ring, inelastic electrons and smooth backgrounds in closed form (docs/physics.md §7)."""

import numpy as np
import pytest
from scipy.constants import c, e, m_e

from difsims_core.augment.inelastic import characteristic_q
from tests.oracles import ewald, image_route, imperfections, noise_route
from tests.physics.runs import CROP, Run, worst

PHASES = {"phases": ["pb", "gratia_2h"]}
GROUNDS = {
    "background": {"background": {}},
    "power_law": {"background": {"model": "power_law", "decay_angstrom": {"uniform": [0.5, 3.0]}}},
    "amorphous_ring": {"amorphous_ring": {"amplitude": {"uniform": [0.5, 1]}}},
    "inelastic": {"inelastic": {"energy_loss_ev": 35.0}, "microscope": {"beam_energy_kv": 80}},
}


def expected(name: str, run: Run, i: int) -> np.ndarray:
    """Return the ground of pattern ``i`` over the maximum of its noise-free profile."""
    q = run.simulator.q_all
    drawn = {key: float(values[i]) for key, values in run.draws.values.items() if values.ndim == 1}
    if name == "background":
        return drawn["background_amplitude"] * np.exp(-drawn["background_decay_angstrom"] * q)
    if name == "power_law":
        q = np.maximum(q, q[1] / 4)
        return drawn["background_amplitude"] * q ** -drawn["background_decay_angstrom"]
    if name == "amorphous_ring":
        offset = (q - drawn["ring_position_per_angstrom"]) / drawn["ring_width_per_angstrom"]
        return drawn["ring_amplitude"] * np.exp(-0.5 * offset**2)
    return drawn["inelastic_amplitude"] * imperfections.lenz(q, drawn["screening_per_angstrom"], 35.0, 80)


@pytest.mark.parametrize("name", GROUNDS)
def test_grounds_are_added_relative_to_the_maximum_of_the_spots(name):
    microscope = {key: value for key, value in GROUNDS[name].items() if key == "microscope"}
    run, spots = Run.of({**PHASES, **GROUNDS[name]}, 4), Run.of({**PHASES, **microscope}, 4)
    for i, (profile, alone) in enumerate(zip(run.profiles(), spots.profiles(), strict=True)):
        ground = alone.max() * expected(name, run, i)
        assert worst(profile, alone + ground) < 1e-6
        np.testing.assert_allclose((profile - alone)[CROP], ground[CROP], atol=2e-7 * profile.max(), rtol=1e-4)
    polar_patterns, alone = run.polar_patterns(), spots.polar_patterns()
    ground = (run.profiles() - spots.profiles())[:, None, :]
    assert worst(polar_patterns[:, :182], alone[:, :182] + ground.transpose(0, 2, 1)[:, :182]) < 1e-6


def test_grounds_add_up_and_the_background_class_has_them_alone():
    every = {"background": {}, "amorphous_ring": {}, "inelastic": {}, "background_class": True}
    run = Run.of(every, 4)
    spots = Run.of({"background_class": True}, 4)
    q = run.simulator.q_all
    for i, (profile, alone) in enumerate(zip(run.profiles(), spots.profiles(), strict=True)):
        draws = run.draws
        ground = expected("background", run, i) + expected("amorphous_ring", run, i)
        screening = float(draws["screening_per_angstrom"][i])
        ground += float(draws["inelastic_amplitude"][i]) * imperfections.lenz(q, screening, 20, 200)
        height = alone.max() if i % 2 == 0 else 1.0
        assert np.all(alone == 0) == (i % 2 == 1)
        assert worst(profile, alone + height * ground) < 1e-6


def test_the_ring_has_its_place_and_width():
    ring = {"amplitude": 1.0, "position_per_angstrom": 0.5, "width_per_angstrom": 0.05}
    run = Run.of({"phases": ["pb"], "amorphous_ring": ring, "background_class": True}, 2)
    profile, q = run.profiles()[1], run.simulator.q_all
    mean = (profile @ q) / profile.sum()
    assert mean == pytest.approx(0.5, abs=1e-4)
    assert np.sqrt(profile @ (q - mean) ** 2 / profile.sum()) == pytest.approx(0.05, rel=1e-3)
    assert profile.max() == pytest.approx(1.0, rel=0.01)


def test_inelastic_electrons_follow_lenz():
    """θ_E = ΔE / γ m₀ v²; ∝ q⁻² between q_E and the screening, ∝ q⁻⁴ beyond it."""
    gamma = 1 + 200e3 * e / (m_e * c**2)
    theta = 20 / (200e3 * (gamma + 1) / gamma)
    assert characteristic_q(20, 200) == pytest.approx(theta / ewald.wavelength_angstrom(200), rel=1e-6)
    q = np.array([0.1, 0.2, 10.0, 20.0])
    found = imperfections.lenz(q, 1.5, 20, 200)
    assert found[0] == 1
    assert found[1] == pytest.approx(0.25, rel=0.03)
    assert found[3] / found[2] == pytest.approx(2**-4, rel=0.01)


def test_the_detector_counts_the_ground_too():
    ground = {"background": {"amplitude": 3.0, "decay_angstrom": 1.0}, "background_class": True}
    run = Run.of({**ground, "noise": {"dose": 50.0, "snr": 1.0}}, 800)
    noisy, q = run.profiles()[1::2, CROP], run.simulator.q_all[CROP]
    counts = image_route.pixel_counts(515)[CROP]
    mean, variance = noise_route.theory(3 * np.exp(-q), counts, unit=1, dose=50, snr=1, intensity_spike=0)
    assert np.abs((noisy.mean(axis=0) - mean) / np.sqrt(variance / 400)).max() < 4.5
    assert np.mean(noisy.var(axis=0) / variance) == pytest.approx(1, abs=0.03)
