"""docs/physics.md §4: the precessed Lorentzian against its closed form, and against the exact average over the cone."""

from itertools import product

import numpy as np
import pytest
from diffsims.utils.shape_factor_models import lorentzian_precession as diffsims_precession

from difsims_core.crystal.phases import load_phase
from difsims_core.diffraction.noise_free import excited_spots
from difsims_core.kernels.spots.ewald import lorentzian_precession
from tests.oracles import precession
from tests.oracles.ewald import excitation_error, shape
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections

ANGLES_DEG = (0.2, 0.5, 1.0, 2.0)
WIDTHS = (0.005, 0.01, 0.02, 0.05)
RADII = (0.05, 0.3, 0.7, 1.0, 1.5)
conditions = pytest.mark.parametrize(("angle_deg", "width"), list(product(ANGLES_DEG, WIDTHS)))


def ours(s: np.ndarray, width: float, rho: float, angle: float) -> np.ndarray:
    return np.array([lorentzian_precession(error, width, rho, angle) for error in s])


def band(width: float, rho: float, angle: float) -> np.ndarray:
    """Return excitation errors through the band that the sphere sweeps, and three widths beyond."""
    return np.linspace(-1, 1, 101) * (rho * angle + 3 * width)


@conditions
@pytest.mark.parametrize("rho", RADII)
def test_it_is_the_closed_form_of_palatinus(angle_deg, width, rho):
    """Eq. 10; diffsims' function of this name is 2 / w times as large."""
    angle = np.deg2rad(angle_deg)
    s = band(width, rho, angle)
    found = ours(s, width, rho, angle)
    np.testing.assert_allclose(found, precession.eq_10(s, width, rho, angle), rtol=1e-9)
    np.testing.assert_allclose(found, width / 2 * diffsims_precession(s, width, rho, angle), rtol=1e-9)


@conditions
def test_it_is_the_average_over_the_cone(angle_deg, width):
    """The closed form takes s to be linear in cos φ. What that costs is largest where the sphere turns back.

    0.1 % at 0.2° and w = 0.005 Å⁻¹, 1 % at 1°, 3.5 % at 2°, in inverse proportion to w; in the mean over s, 5e-5.
    """
    angle = np.deg2rad(angle_deg)
    tolerance = 0.04 * (angle_deg / 2) ** 1.5 * (0.005 / width)
    for rho in RADII:
        s = band(width, rho, angle)
        exact = precession.cone_average(s, width, rho, angle)
        found = ours(s, width, rho, angle)
        np.testing.assert_allclose(found, exact, rtol=0, atol=tolerance * exact.max())
        assert found.sum() == pytest.approx(exact.sum(), rel=1e-4)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("rho", RADII)
def test_without_precession_it_is_the_lorentzian(width, rho):
    s = np.linspace(-0.05, 0.05, 41)
    plain = shape(s, width)
    np.testing.assert_allclose(ours(s, width, rho, 0.0), plain, rtol=1e-12)
    np.testing.assert_allclose(precession.cone_average(s, width, rho, 0.0), plain, rtol=1e-9)
    angle = 1e-4 * width / rho  # the deviation is (σρα)² or less
    np.testing.assert_allclose(ours(s, width, rho, angle), plain, rtol=3e-7)


@conditions
@pytest.mark.parametrize("rho", [0.3, 1.0])
def test_precession_keeps_the_integrated_intensity(angle_deg, width, rho):
    """∫ ds 1 / (1 + (πs/w)²) = w, whatever the beam does; beyond ±S, 2w² / (π² S) of it."""
    reach, angle = 3.0, np.deg2rad(angle_deg)
    s = np.linspace(-reach, reach, 60_001)
    held = np.trapezoid(ours(s, width, rho, angle), s)
    assert held + 2 * width**2 / (np.pi**2 * reach) == pytest.approx(width, rel=1e-4)


@pytest.mark.parametrize(("angle_deg", "width"), [(0.2, 0.005), (0.5, 0.01), (1.0, 0.02), (2.0, 0.02)])
def test_spots_of_a_precessed_pattern_carry_the_average_over_the_cone(angle_deg, width):
    """|F|² times the exact mean, to the tolerance of the closed form; the error listed is that of the untilted beam."""
    phase, rotation = load_phase("pbi2_2h"), uniform_orientations(1, seed=51)
    spots = excited_spots(phase, rotation, relrod_width=width, precession_angle_deg=angle_deg)
    listed = reflections(phase, 2.2)
    index = {tuple(hkl): i for i, hkl in enumerate(listed.hkl.tolist())}
    which = [index[tuple(hkl)] for hkl in spots.hkl.tolist()]
    assert len(which) > 50
    g_lab = listed.g[which] @ rotation.to_matrix()[0]
    s, rho = excitation_error(g_lab, 200), np.hypot(*g_lab.T[:2])
    np.testing.assert_allclose(spots.excitation_error, s, atol=1e-9)
    exact = np.array(
        [
            precession.cone_average(np.array([error]), width, radius, np.deg2rad(angle_deg))[0]
            for error, radius in zip(s, rho, strict=True)
        ]
    )
    within = rho < 1.5
    tolerance = 0.06 * (angle_deg / 2) ** 1.5 * (0.005 / width)
    expected = listed.intensity[which] * exact
    np.testing.assert_allclose(spots.intensity[within], expected[within], rtol=tolerance)


@pytest.mark.parametrize("angle_deg", [0.3, 1.0])
def test_spots_are_those_that_the_precessing_sphere_comes_near(angle_deg):
    """Within s_max of the sphere at some azimuth, over a crystal's reflections: none more, none less."""
    phase, rotation, cut_off = load_phase("gratia_2h"), uniform_orientations(1, seed=52), 0.02
    spots = excited_spots(phase, rotation, max_excitation_error=cut_off, precession_angle_deg=angle_deg)
    listed = reflections(phase, 1.2)
    g_lab = listed.g @ rotation.to_matrix()[0]
    s, rho = excitation_error(g_lab, 200), np.hypot(*g_lab.T[:2])
    turning = np.array([0.0, np.pi])  # the height of the sphere is monotonic in between
    on_cone = np.array(
        [
            precession.excitation_error_on_cone(radius, np.array([error]), np.deg2rad(angle_deg), turning, 200)[0]
            for error, radius in zip(s, rho, strict=True)
        ]
    )
    near = (on_cone.min(axis=1) <= cut_off) & (on_cone.max(axis=1) >= -cut_off)
    near &= listed.intensity > 1e-9 * listed.intensity.max()
    inside = np.linalg.norm(spots.g, axis=1) < 1.0
    found = {tuple(hkl) for hkl in spots.hkl[inside].tolist()}
    assert found == {tuple(hkl) for hkl in listed.hkl[near & (rho < 1.0)].tolist()}
    assert len(found) > 50
