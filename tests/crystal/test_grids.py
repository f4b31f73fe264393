"""Grids of orientations cover the fundamental zone of the operations' proper point group, however the cell is set.

Orientations turn the sample's frame into the crystal's (docs/physics.md §1), so g·O describes the same crystal as O for
each proper rotation g of its point group, in the frame a ∥ x, c* ∥ z. Each orientation then has an equivalent near a
member of the grid, and the grid has as many members as that of the same group in its standard setting.
"""

import numpy as np
import pytest
from orix.quaternion import symmetry
from orix.sampling import get_sample_fundamental
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from difsims_core.config.documents import make_spec
from difsims_core.simulation.simulator import Simulator
from tests.crystal.reading import CASES
from tests.oracles.cif_writer import Symmetry, write_cif
from tests.oracles.crystal_sites import Site, Structure, operations_of, rotations_in_space
from tests.oracles.orientations import uniform_orientations
from tests.oracles.settings import SETTINGS, generic_cell, triplets_of

COARSE_DEG, FINE_DEG = 15.0, 6.0
STANDARD = {
    (group.size, int(np.sum(np.isclose(group.angle, np.pi)))): group
    for group in (
        symmetry.C1, symmetry.C2, symmetry.C3, symmetry.C4, symmetry.C6, symmetry.D2, symmetry.D3, symmetry.D4,
        symmetry.D6, symmetry.T, symmetry.O,
    )
}  # fmt: skip


def structure_in(setting: str) -> Structure:
    cell = generic_cell(setting, np.random.default_rng(SETTINGS.index(setting)), volume=60.0)
    return Structure(cell, *operations_of(setting), (Site("Pb", (0.11, 0.23, 0.37)),))


def point_operations(setting: str) -> frozenset:
    """Return the point operations of a setting as they act on its axes: what its grid depends on."""
    rotations, _ = operations_of(setting)
    return frozenset(map(tuple, rotations.reshape(-1, 9).astype(int).tolist()))


# The first setting of each set of point operations: conventional and other unique axes, 32 and -42m both ways round,
# rhombohedral axes.
SETTING_OF = {point_operations(setting): setting for setting in reversed(SETTINGS)}


def multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the products of quaternions (…, 4): q first, then p."""
    scalar = p[..., :1] * q[..., :1] - np.sum(p[..., 1:] * q[..., 1:], axis=-1, keepdims=True)
    vector = p[..., :1] * q[..., 1:] + q[..., :1] * p[..., 1:] + np.cross(p[..., 1:], q[..., 1:])
    return np.concatenate([scalar, vector], axis=-1)


def grids_of(settings, resolution_deg: float, folder) -> dict[str, np.ndarray]:
    """Return the grid of each setting, all from one document."""
    phases = []
    for i, setting in enumerate(settings):
        path = folder / f"setting{i}.cif"
        path.write_bytes(write_cif(structure_in(setting), Symmetry(triplets_of(setting))))
        phases.append({"name": f"setting{i}", "cif": str(path)})
    return dict(zip(settings, grids(phases, resolution_deg), strict=True))


def grids(phases: list[dict[str, str]], resolution_deg: float) -> list[np.ndarray]:
    orientations = {"kind": "grid", "resolution_deg": resolution_deg}
    spec = make_spec({"phases": phases, "orientations": orientations, "n_patterns": len(phases)})
    found = Simulator.prepare(spec).tables.orientations
    assert found is not None
    return found


def farthest_deg(grid: np.ndarray, rotations: np.ndarray) -> float:
    """Return the largest angle between an orientation and a member of the grid, by way of its nearest equivalent."""
    orientations = uniform_orientations(4000, seed=7).data
    # Not by orix: it takes the axis of a half turn from signs that are rounding errors.
    group = Rotation.from_matrix(rotations).as_quat(scalar_first=True)
    equivalent = multiply(group[:, None], orientations)
    chord, _ = KDTree(np.vstack([grid, -grid])).query(equivalent)
    return float(np.degrees(4 * np.arcsin(chord.min(axis=0) / 2)).max())


def standard_group(rotations: np.ndarray) -> symmetry.Symmetry:
    """Return the proper point group in orix' own setting: order and number of half turns tell it."""
    half_turns = np.isclose(np.trace(rotations, axis1=1, axis2=2), -1)
    return STANDARD[len(rotations), int(half_turns.sum())]


def faults_of(grid: np.ndarray, rotations: np.ndarray, resolution_deg: float) -> str:
    expected = get_sample_fundamental(resolution_deg, point_group=standard_group(rotations), method="cubochoric").size
    if abs(len(grid) / expected - 1) > 0.08:
        return f"{len(grid)} members; its standard setting has {expected}"
    far = farthest_deg(grid, rotations)
    return f"an orientation is {far:.1f}° from the grid" if far > 1.25 * resolution_deg else ""


def all_faults(settings, resolution_deg, folder) -> dict[str, str]:
    found = {}
    for setting, grid in grids_of(settings, resolution_deg, folder).items():
        np.testing.assert_allclose(np.linalg.norm(grid, axis=1), 1, atol=1e-9)
        if fault := faults_of(grid, rotations_in_space(structure_in(setting)), resolution_deg):
            found[setting] = fault
    return found


def test_a_grid_covers_the_fundamental_zone_in_every_setting_of_every_point_group(tmp_path):
    assert len(SETTING_OF) == 50
    assert all_faults(SETTING_OF.values(), COARSE_DEG, tmp_path) == {}


def test_a_fine_grid_tells_312_from_321(tmp_path):
    """Turned by 30°, the zone of 32 misses corners of 8° only: a coarse grid hides that."""
    settings = ["P 3 1 2", "P 3 2 1", "P -3 1 m", "P -3 m 1", "P -6 m 2", "P -6 2 m", "R 3 2:R"]
    assert all_faults(settings, FINE_DEG, tmp_path) == {}


def test_the_grid_of_the_unique_axis_c_is_that_of_b_turned():
    """P 1 1 21/b: the proper rotation is the half turn about z, and the grid has the members of P 1 21/c 1."""
    (grid,) = grids([{"name": "mono_c", "cif": str(CASES / "mono_c.cif")}], COARSE_DEG)
    half_turn_about_z = np.array([np.eye(3), np.diag([-1.0, -1.0, 1.0])])
    assert faults_of(grid, half_turn_about_z, COARSE_DEG) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "resolution_deg"),
    [("P 1 1 2", "P 1 2 1", COARSE_DEG), ("P 3 2 1", "P 3 1 2", FINE_DEG), ("P 2 2 2", "P -4 m 2", COARSE_DEG)],
)
def test_the_check_sees_a_grid_about_the_wrong_axes(right, wrong, resolution_deg):
    """On a cell that both groups allow: orix' own grid, which is right for the first."""
    cell = (5.0, 5.0, 6.0, 90, 90, 120) if "3" in right else (5.0, 5.0, 6.0, 90, 90, 90)
    about_right, about_wrong = (
        rotations_in_space(Structure(cell, *operations_of(name), ())) for name in (right, wrong)
    )
    group = standard_group(about_right)
    grid = get_sample_fundamental(resolution_deg, point_group=group, method="cubochoric").data.reshape(-1, 4)
    assert faults_of(grid, about_right, resolution_deg) == ""
    assert "from the grid" in faults_of(grid, about_wrong, resolution_deg)
