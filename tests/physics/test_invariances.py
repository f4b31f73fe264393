"""What must not change a profile, and what must change it in a known way (docs/physics.md §3–§5)."""

from itertools import pairwise

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core import radial_profiles
from difsims_core.crystal.phases import load_phase
from tests.oracles.crystals import DEFAULT_PHASES, published_phase
from tests.oracles.image_route import full_annuli
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections


def assert_same(profiles: np.ndarray, reference: np.ndarray, atol_of_max: float) -> None:
    """Compare profiles with one reference or with as many, inside the frame."""
    inside = full_annuli()
    difference = np.abs(profiles - reference)[:, inside]
    assert difference.max() <= atol_of_max * reference[:, inside].max()


@pytest.mark.parametrize("name", [*DEFAULT_PHASES, "pb"])
def test_rotation_about_the_beam_changes_nothing(name):
    """The first Bunge angle, or a turn about z on the sample's side of the rotation."""
    rotations = uniform_orientations(5, seed=31)
    turn = Rotation.from_axes_angles([0, 0, 1], 33.0, degrees=True)
    assert_same(radial_profiles(name, rotations * turn), radial_profiles(name, rotations), 1e-4)
    tilted = Rotation.from_euler([[0, 40, 25], [71, 40, 25], [200, 40, 25]], degrees=True)
    profiles = radial_profiles(name, tilted)
    assert_same(profiles[1:], profiles[:1], 1e-4)


@pytest.mark.parametrize("name", [*DEFAULT_PHASES, "pb", "pbi2_4h"])
def test_symmetry_operations_of_the_crystal_change_nothing(name):
    """Proper point-group operations, applied on the crystal's side; tolerance for rounded coordinates."""
    phase = load_phase(name)
    rotation = uniform_orientations(1, seed=32)
    group = phase.point_group.proper_subgroup
    equivalent = Rotation(group.data).outer(rotation).flatten()
    assert equivalent.size == group.size
    assert_same(radial_profiles(phase, equivalent), radial_profiles(phase, rotation), 2e-3)


def test_turning_the_crystal_away_from_its_symmetry_does_change_the_profile():
    rotation = Rotation.from_euler([[10, 30, 20]], degrees=True)
    other = Rotation.from_euler([[10, 30, 65]], degrees=True)
    a, b = radial_profiles("p4mbm_scaled_mixed_halide", rotation), radial_profiles("p4mbm_scaled_mixed_halide", other)
    assert np.abs(a - b).max() > 0.05 * a.max()


@pytest.mark.parametrize("scale", [0.93, 1.06])
@pytest.mark.parametrize("name", ["pb", "gratia_2h"])
def test_lattice_scale_is_a_larger_cell(name, scale):
    rotations = uniform_orientations(4, seed=33)
    scaled = radial_profiles(published_phase(name), rotations, lattice_scale=scale)
    assert_same(scaled, radial_profiles(published_phase(name, lattice_scale=scale), rotations), 1e-4)


@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_lattice_scale_moves_peaks_from_q_to_q_over_s(scale):
    """Averaged over orientations, the rings of Pb lie at |g| / s."""
    rotations = uniform_orientations(600, seed=34)
    mean = radial_profiles("pb", rotations, sigma_px=2.0, lattice_scale=scale).mean(axis=0)
    step = 0.008290514530472063
    for squared in (3, 4, 8):
        g = np.sqrt(squared) / (4.95 * scale)
        near = slice(round(g / step) - 2, round(g / step) + 3)
        assert np.average(np.arange(256)[near] * step, weights=mean[near]) == pytest.approx(g, abs=0.4 * step)


def test_profile_is_linear_in_the_intensities():
    """Half the occupancies: a quarter of every |F|²."""
    rotations = uniform_orientations(3, seed=35)
    full = radial_profiles(published_phase("pbi2_2h"), rotations)
    thinned = radial_profiles(published_phase("pbi2_2h", occupancy_factor=0.5), rotations)
    np.testing.assert_allclose(4 * thinned, full, rtol=0, atol=1e-5 * full.max())


def test_spots_add_up():
    """A larger cut-off of the excitation error adds spots and takes none away."""
    rotations = uniform_orientations(5, seed=36)
    profiles = [radial_profiles("gratia_2h", rotations, max_excitation_error=s) for s in (0.01, 0.02, 0.04)]
    for fewer, more in pairwise(profiles):
        assert np.all(more - fewer >= -1e-5 * more.max())
        assert (more - fewer).max() > 0.01 * more.max()


def test_patterns_do_not_depend_on_their_neighbours():
    rotations = uniform_orientations(7, seed=37)
    together = radial_profiles("pbi2_2h", rotations)
    alone = np.concatenate([radial_profiles("pbi2_2h", rotation) for rotation in rotations])
    np.testing.assert_allclose(together, alone, rtol=1e-6, atol=1e-9 * together.max())


def test_name_file_and_phase_are_the_same():
    rotations = uniform_orientations(2, seed=38)
    np.testing.assert_allclose(
        radial_profiles("pbi2_2h", rotations), radial_profiles(load_phase("pbi2_2h"), rotations), rtol=1e-6
    )


def test_profiles_are_finite_and_not_negative():
    profiles = radial_profiles("gratia_6h", uniform_orientations(5, seed=39))
    assert np.all(np.isfinite(profiles))
    assert profiles.min() >= 0


def test_zone_axis_of_lead_shows_the_expected_rings():
    """Beam along [001]: the first spots are 200 at 0.404 and 220 at 0.571 Å⁻¹, and there is no 111."""
    profile = radial_profiles("pb", Rotation.identity(), sigma_px=2.0)[0]
    step = 0.008290514530472063
    found = reflections(load_phase("pb"), 0.7)
    in_plane = found.g[(np.abs(found.g[:, 2]) < 1e-9) & (found.intensity > 1e-6 * found.intensity.max())]
    for g in np.unique(np.linalg.norm(in_plane, axis=1).round(6)):
        near = slice(round(g / step) - 3, round(g / step) + 4)
        assert abs(np.argmax(profile[near]) - 3) <= 1
    i111 = round(np.sqrt(3) / 4.95 / step)
    assert profile[i111] < 1e-3 * profile.max()
