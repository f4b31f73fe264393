"""The rotations of a crystal, and how they are turned against the standard orientation of their group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.structure import Structure

_NAMES = {  # by order of the group and number of its twofold rotations; names as orix has them
    (1, 0): "1",
    (2, 1): "112",
    (3, 0): "3",
    (4, 1): "4",
    (6, 1): "6",
    (4, 3): "222",
    (6, 3): "32",
    (8, 5): "422",
    (12, 7): "622",
    (12, 3): "23",
    (24, 9): "432",
}
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class ProperPointGroup:
    """The proper rotations of a crystal.

    Attributes
    ----------
    name : str
        Of the group in its standard orientation, which has its main axis along z and a secondary one along x.
    rotations : (n, 3, 3) float64
        In the Cartesian frame of the crystal (a ∥ x, c* ∥ z).
    frames : (m, 3, 3) float64
        Rotations that bring z onto a main axis and x onto a secondary one, the smallest turn first; those that bring
        the standard group onto ``rotations`` are among them.
    """

    name: str
    rotations: np.ndarray
    frames: np.ndarray

    def turn_from(self, standard: np.ndarray) -> np.ndarray:
        """Return the (3, 3) smallest turn with which the (n, 3, 3) standard rotations become those of the crystal."""
        for frame in self.frames:
            if same_rotations(frame @ standard @ frame.T, self.rotations):
                return frame
        raise ValueError(f"the rotations are those of no crystal class: {self.name}")


def cartesian_operations(structure: Structure) -> np.ndarray:
    """Return (m, 3, 3) float64 the point operations in the Cartesian frame of the crystal, exactly orthogonal."""
    to_cartesian = structure.cell.base.T
    matrices = to_cartesian @ structure.setting.point_operations @ np.linalg.inv(to_cartesian)
    u, _, v = np.linalg.svd(matrices)  # a cell may have the symmetry but for its last digits
    return u @ v


def proper_point_group(structure: Structure) -> ProperPointGroup:
    """Return the proper rotations of a structure."""
    operations = cartesian_operations(structure)
    rotations = operations[np.linalg.det(operations) > 0]
    cosines = np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)
    orders = np.rint(2 * np.pi / np.maximum(np.arccos(cosines), _SAME)).astype(np.int64)
    name = _NAMES[len(rotations), int(np.count_nonzero(orders == 2))]
    return ProperPointGroup(name, rotations, _frames(rotations, orders))


def same_rotations(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two sets of (n, 3, 3) rotations are the same but for their order."""
    if len(one) != len(other):
        return False
    differences = np.abs(one[:, None] - other[None]).max(axis=(2, 3))
    return bool((differences.min(axis=1) < 1e-4).all())


def _frames(rotations: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Return right-handed frames, axes as columns: z along an axis of each kind, x along one across it if there is."""
    proper = orders[orders < 7]  # the identity has an order beyond any
    if len(proper) == 0:
        return np.eye(3)[None]
    axes = np.array([np.linalg.eigh(rotation + rotation.T)[1][:, 2] for rotation in rotations[orders < 7]])
    axes = np.concatenate([axes, -axes])
    frames = [np.eye(3)]
    for z in axes:
        across = [x for x in axes if abs(x @ z) < _SAME]
        frames += [np.stack([x, np.cross(z, x), z], axis=1) for x in across] if across else [_shortest_turn(z)]
    angles = np.round(np.arccos(np.clip((np.trace(frames, axis1=1, axis2=2) - 1) / 2, -1, 1)), 6)
    return np.array(frames)[np.argsort(angles, kind="stable")]


def quaternions_of(rotations: np.ndarray) -> np.ndarray:
    """Return (n, 4) unit quaternions, scalar first, of (n, 3, 3) rotations.

    By SciPy: orix 0.15 takes the signs of the axis of a half turn from entries that are rounding errors.
    """
    from scipy.spatial.transform import Rotation  # who needs it has loaded orix, and much of SciPy with it

    return np.atleast_2d(Rotation.from_matrix(rotations).as_quat(canonical=True, scalar_first=True))


def _shortest_turn(axis: np.ndarray) -> np.ndarray:
    """Return the smallest rotation that brings z onto an axis."""
    x, y, z = axis
    if z < -1 + _SAME:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)
