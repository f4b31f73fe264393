"""Grids of orientations over the fundamental zone: size, membership, coverage, and the powder they add up to.

The three grids come from orix 0.15. Measured for point group 422 at 3°, and worth knowing before choosing one:

=========== ======= ============================= ==============================
method      members farthest orientation from one worst ring of the powder of Pb
=========== ======= ============================= ==============================
cubochoric   90 979 3.4°                           2 %
haar_euler  109 807 7.5°                          33 %, and no better at 2°
quaternion  106 580 6.0°                           9 %, 21 members twice
=========== ======= ============================= ==============================

The Haar-Euler grid steps evenly in cos Φ, so that after Φ = 0 comes acos(1 - 2/60) = 14.8°: no beam direction lies
between, and rings of reflections across that axis come out short. The quaternion grid does the same about another axis.
"""

from functools import cache

import numpy as np
import pytest
from orix.quaternion import Rotation
from scipy.spatial import KDTree

from difsims_core import radial_profiles
from difsims_core.crystal.orientations import orientation_grid
from difsims_core.crystal.phases import load_crystal, load_phase
from tests.oracles.image_route import annulus_areas_px
from tests.oracles.orientations import uniform_orientations
from tests.physics.test_powder import RINGS, ring

TETRAGONAL = "p4mbm_scaled_mixed_halide"  # proper point group 422
MEMBERS = {"cubochoric": 90_979, "haar_euler": 109_807, "quaternion": 106_580}
all_methods = pytest.mark.parametrize("method", MEMBERS)


@cache
def grid(name: str, method: str, resolution_deg: float) -> np.ndarray:
    return orientation_grid(load_crystal(name).structure, method, resolution_deg)


def operations(name: str) -> np.ndarray:
    """Return the quaternions of the proper point group, (m, 4)."""
    return load_phase(name).point_group.proper_subgroup.data


def product(a: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the Hamilton products of one quaternion with many."""
    w, x, y, z = q.T
    return np.column_stack(
        [
            a[0] * w - a[1] * x - a[2] * y - a[3] * z,
            a[0] * x + a[1] * w + a[2] * z - a[3] * y,
            a[0] * y - a[1] * z + a[2] * w + a[3] * x,
            a[0] * z + a[1] * y - a[2] * x + a[3] * w,
        ]
    )


def degrees(distance: np.ndarray) -> np.ndarray:
    """Return the angle between rotations whose unit quaternions are this far apart."""
    return np.degrees(4 * np.arcsin(distance / 2))


@all_methods
def test_three_degree_grids_have_the_published_sizes(method):
    """Of orix 0.15, exactly here; members on faces of the zone may fall either way by rounding: 0.1 %."""
    assert len(grid(TETRAGONAL, method, 3)) == pytest.approx(MEMBERS[method], rel=1e-3)


@all_methods
def test_members_are_unit_quaternions_in_the_fundamental_zone(method):
    """No symmetry operation makes the rotation angle of a member smaller."""
    members = grid(TETRAGONAL, method, 3)
    assert members.shape == (len(members), 4)
    np.testing.assert_allclose(np.linalg.norm(members, axis=1), 1, atol=1e-12)
    half_angle_cosine = np.abs(members[:, 0])
    for operation in operations(TETRAGONAL):
        assert np.all(np.abs(product(operation, members)[:, 0]) <= half_angle_cosine + 1e-9)


@pytest.mark.parametrize(("method", "closest_deg"), [("cubochoric", 1.8), ("haar_euler", 0.7)])
def test_members_are_distinct(method, closest_deg):
    members = grid(TETRAGONAL, method, 3)
    nearest = KDTree(np.concatenate([members, -members])).query(members, k=2)[0][:, 1]
    assert degrees(nearest).min() > closest_deg


def test_all_but_a_few_members_of_the_quaternion_grid_are_distinct():
    """orix compares quaternions, and q and -q are one rotation: 21 pairs."""
    members = grid(TETRAGONAL, "quaternion", 3)
    nearest = KDTree(np.concatenate([members, -members])).query(members, k=2)[0][:, 1]
    assert np.count_nonzero(nearest < 1e-7) < 1e-3 * len(members)


@pytest.mark.parametrize(("method", "twice"), [("cubochoric", 0), ("quaternion", 0.03), ("haar_euler", 0.07)])
def test_few_members_lie_on_faces_of_the_zone_and_are_there_twice(method, twice):
    """Faces opposite each other hold equivalent orientations; a grid with members on them counts those twice."""
    members = grid(TETRAGONAL, method, 3)
    equivalents = np.concatenate([product(operation, members) for operation in operations(TETRAGONAL)])
    found = KDTree(np.concatenate([equivalents, -equivalents])).query_ball_point(members, 1e-7, return_length=True)
    assert np.mean(found > 1) <= twice


@pytest.mark.parametrize(("method", "farthest_deg"), [("cubochoric", 3.8), ("quaternion", 7.0), ("haar_euler", 8.5)])
def test_every_orientation_is_near_a_member(method, farthest_deg):
    members = grid(TETRAGONAL, method, 3)
    anywhere = uniform_orientations(2000, seed=81).data
    equivalents = np.concatenate([product(operation, members) for operation in operations(TETRAGONAL)])
    distance = KDTree(np.concatenate([equivalents, -equivalents])).query(anywhere)[0]
    assert degrees(distance).max() < farthest_deg


def powder_deviations(method: str, resolution_deg: float) -> np.ndarray:
    """Return by how much each ring of Pb, averaged over a grid, differs from the powder's integrated intensity."""
    rotations = Rotation(grid("pb", method, resolution_deg))
    held = radial_profiles("pb", rotations, sigma_px=1.5).mean(axis=0) * annulus_areas_px()
    deviations = []
    for squares in RINGS.values():
        g, intensity, bins = ring(squares)
        expected = (intensity * 0.02 / (np.pi * g) * np.arctan(np.pi)).sum()
        deviations.append(held[bins].sum() / expected - 1)
    return np.array(deviations)


def test_the_average_over_a_cubochoric_grid_approaches_the_powder():
    """791, 6 579 and 30 443 orientations: 25, 8 and 2 % on the worst of six rings."""
    worst = [np.abs(powder_deviations("cubochoric", resolution)).max() for resolution in (10, 5, 3)]
    assert worst[0] > 2 * worst[1] > 4 * worst[2]
    assert worst[2] < 0.04


@pytest.mark.parametrize(("method", "worst", "mean"), [("quaternion", 0.12, 0.05), ("haar_euler", 0.40, 0.15)])
def test_the_other_grids_come_near_it_only_on_the_whole(method, worst, mean):
    found = np.abs(powder_deviations(method, 3))
    assert found.max() < worst
    assert found.mean() < mean
