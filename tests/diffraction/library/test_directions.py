"""The sector of a point group: one of each set of equivalent beam directions, whatever the group and its setting."""

import gemmi
import numpy as np
import pytest
from scipy.spatial import KDTree

from difsims_core.crystal.phases import Crystal, load_crystal, read_crystal
from difsims_core.diffraction.library.directions import BeamDirections
from difsims_core.errors import InputError
from difsims_core.kernels.library import into_sector, turn_beam
from tests.oracles.cif_writer import Symmetry, write_cif
from tests.oracles.crystal_sites import Site, Structure, axes_of, operations_of
from tests.oracles.orientations import uniform_orientations
from tests.oracles.settings import SETTINGS, generic_cell, triplets_of

RESOLUTION_DEG = 2.0
CATALOGUE = ("cubic_fapbi_scaled", "p4mbm_tetragonal", "pnma_TD_adjust_orthorhombic", "gratia_2h", "pbi2_2h", "pbi2_4h")
SETTING_OF = {  # the first setting of each set of point operations, of all 32 point groups
    frozenset(map(tuple, operations_of(setting)[0].reshape(-1, 9).astype(int).tolist())): setting
    for setting in reversed(SETTINGS)
}


def crystal_in(setting: str, folder) -> tuple[Crystal, np.ndarray]:
    """Return a crystal of a setting, and its point operations in space, by the oracle."""
    cell = generic_cell(setting, np.random.default_rng(SETTINGS.index(setting)), volume=60.0)
    structure = Structure(cell, *operations_of(setting), (Site("Pb", (0.11, 0.23, 0.37)),))
    path = folder / f"setting{SETTINGS.index(setting)}.cif"
    path.write_bytes(write_cif(structure, Symmetry(triplets_of(setting))))
    axes = axes_of(cell).T
    point = np.unique(structure.rotations, axis=0)
    return read_crystal("phase", str(path)), axes @ point @ np.linalg.inv(axes)


def beam_of(orientations: np.ndarray) -> np.ndarray:
    """Return (n, 3) R ẑ, the third column of the rotation of a quaternion."""
    a, b, c, d = np.asarray(orientations, np.float64).T
    return np.stack([2 * (b * d + a * c), 2 * (c * d - a * b), 1 - 2 * (b * b + c * c)], axis=1)


def faults_of(crystal: Crystal, operations: np.ndarray) -> str:
    found = BeamDirections.over_sector(crystal, RESOLUTION_DEG)
    area = len(found.members) * np.radians(RESOLUTION_DEG) ** 2
    if abs(area * len(operations) / (4 * np.pi) - 1) > 0.12:
        return f"an area of 4π / {4 * np.pi / area:.1f} for {len(operations)} operations"
    images = np.einsum("mij,kj->kmi", operations, found.members)
    pairs = KDTree(images.reshape(-1, 3)).query_pairs(1e-6)
    if pairs:  # a member that an operation leaves alone, or two that are equivalent
        return f"{len(pairs)} pairs of directions are the same"
    orientations = uniform_orientations(3000, seed=5).data
    near = KDTree(images.reshape(-1, 3)).query(beam_of(orientations))[0].max()
    if np.degrees(near) > 1.6 * RESOLUTION_DEG:
        return f"a direction is {np.degrees(near):.1f}° from all"
    turned = found.onto_members(orientations).astype(np.float32)
    which, member = found.located(turned)
    again = np.einsum("nij,nj->ni", found.operations[which], beam_of(turned))
    off = np.abs(again - found.members[member]).max()
    moved = np.degrees(2 * np.arccos(np.minimum(np.abs((turned * orientations).sum(axis=1)), 1))).max()
    return f"{off:.1e} off, moved by {moved:.1f}°" if off > 1e-6 or moved > 2.5 * RESOLUTION_DEG else ""


def test_every_point_group_in_every_setting(tmp_path):
    assert len({gemmi.find_spacegroup_by_name(setting).point_group_hm() for setting in SETTING_OF.values()}) == 32
    faults = {setting: faults_of(*crystal_in(setting, tmp_path)) for setting in SETTING_OF.values()}
    assert {setting: fault for setting, fault in faults.items() if fault} == {}


def test_a_sector_is_that_of_the_point_group_and_not_of_the_laue_group():
    """P6₃mc has no inversion: d and −d differ, and the sector is twice that of 6/mmm."""
    polar, centred = (BeamDirections.over_sector(load_crystal(name), 1.0) for name in ("pbi2_4h", "gratia_2h"))
    assert len(polar.members) == pytest.approx(2 * len(centred.members), rel=0.01)
    assert (polar.members[:, 2] < -0.5).any()
    assert (polar.members[:, 2] > 0.5).any()


@pytest.mark.parametrize("name", CATALOGUE)
def test_uniform_rotations_fall_on_members_evenly(name):
    """By χ² over members, whose cells are not quite alike, and evenly over operations and turns about the beam."""
    directions = BeamDirections.over_sector(load_crystal(name), 3.0)
    orientations = directions.onto_members(uniform_orientations(40_000, seed=3).data)
    which, member = directions.located(orientations)
    n, k = len(directions.operations), len(directions.members)
    share = np.bincount(which, minlength=n) / len(which) * n
    assert np.abs(share - 1).max() < 5 * np.sqrt(n / len(which))
    counts = np.bincount(member, minlength=k) / len(member) * k
    assert counts.std() < 0.4 + np.sqrt(k / len(member))
    a, _, _, d = orientations.T
    turn = np.histogram(np.arctan2(d, a) % np.pi, 8)[0] / len(orientations) * 8
    assert np.abs(turn - 1).max() < 5 * np.sqrt(8 / len(orientations))


def test_members_are_the_same_every_time_and_their_orientations_have_the_beam_along_them():
    one, other = (BeamDirections.over_sector(load_crystal("pb"), 0.9) for _ in range(2))
    assert one.members.tobytes() == other.members.tobytes()
    np.testing.assert_allclose(beam_of(one.orientations), one.members, atol=1e-12)


def test_too_many_directions_are_refused_with_the_resolution_that_fits():
    with pytest.raises(InputError, match=r"402,861 beam directions .* at most 300,000") as caught:
        BeamDirections.over_sector(load_crystal("pbi2_6h"), 0.32)
    assert "0.38 or more" in str(caught.value)
    assert len(BeamDirections.over_sector(load_crystal("pbi2_6h"), 0.38).members) < 300_000


def test_kernels_are_what_is_compiled():
    directions = BeamDirections.over_sector(load_crystal("pbi2_4h"), 3.0)
    orientations = uniform_orientations(20, seed=1).data
    for function in (into_sector, into_sector.py_func):
        which, place = np.empty(20, np.int64), np.empty((20, 3))
        function(orientations, directions.operations, directions.towards, which, place)
        turned = np.empty((20, 4))
        turn = turn_beam if function is into_sector else turn_beam.py_func
        turn(
            orientations, directions.operations, which, directions.members[directions.located(orientations)[1]], turned
        )
        np.testing.assert_allclose(turned, directions.onto_members(orientations), atol=1e-12)
