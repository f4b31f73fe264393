"""Beam directions over the sector of a point group: those that a library holds, and the way of an orientation to them.

The sector holds one of each set of directions that the point operations bring into each other; without an inversion a
direction and its opposite are two. Turns about the beam and mirrors of the pattern need no members of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.point_group import cartesian_operations
from difsims_core.errors import InputError
from difsims_core.kernels.library import into_sector, turn_beam
from difsims_core.randomness import NamedRandom

if TYPE_CHECKING:
    from scipy.spatial import KDTree

MOST_DIRECTIONS = 300_000
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_CANDIDATES = 200  # vectors among which the one that is farthest from its images is taken
_OFF_EDGE = 4e-6  # single precision of a stored orientation must not move a member over the edge of the sector
_DECIMALS = 8  # of a member: trigonometric functions differ between processors in their last digits
_AT_ONCE = 2**16


@dataclass(frozen=True, eq=False)
class BeamDirections:
    """The beam directions of a library of one phase.

    Attributes
    ----------
    operations : (m, 3, 3) float64
        Point operations in the Cartesian frame of the crystal.
    towards : (m, 3) float64
        S⁻¹ v of each operation, v a vector inside the sector.
    members : (k, 3) float64
        Unit vectors in the sector, in the crystal's frame.
    drawn : mapping of str to (k,) float32
        Quantities that were drawn once for each member, by name.
    """

    operations: np.ndarray
    towards: np.ndarray
    members: np.ndarray
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def over_sector(cls, crystal: Crystal, resolution_deg: float) -> BeamDirections:
        """Return directions that cover the sector of a crystal evenly, each at random within a cell of its own.

        Parameters
        ----------
        crystal
            Of whatever symmetry.
        resolution_deg
            Edge of a cell, degrees.

        Raises
        ------
        InputError
            If there are too many.
        """
        operations = cartesian_operations(crystal.structure)
        n = math.ceil(4 * math.pi / math.radians(resolution_deg) ** 2)
        if n > MOST_DIRECTIONS * len(operations):
            least = math.degrees(math.sqrt(4 * math.pi / (MOST_DIRECTIONS * len(operations))))
            raise InputError(
                f"{crystal.name}: {resolution_deg:g}° makes {n // len(operations):,} beam directions over the sector "
                f"of its {len(operations)} point operations, at most {MOST_DIRECTIONS:,} can be",
                f"set orientations.resolution_deg to {math.ceil(least * 100) / 100:g} or more",
            )
        towards = np.einsum("mji,j->mi", operations, _far_from_its_images(operations))
        inside = [part[_is_inside(part, operations, towards)] for part in _jittered_sphere(n)]
        return cls(operations, towards, np.concatenate(inside))

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        return KDTree(self.members)

    @property
    def orientations(self) -> np.ndarray:
        """(k, 4) quaternions, crystal ← sample, of the smallest turn that has the beam along each member."""
        return orientations_along(self.members)

    def located(self, orientations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for (n, 4) orientations the (n,) operation that brings the beam into the sector and nearest member."""
        orientations = np.asarray(orientations, np.float64)
        which, directions = np.empty(len(orientations), np.int64), np.empty((len(orientations), 3))
        into_sector(orientations, self.operations, self.towards, which, directions)
        return which, np.asarray(self._tree.query(directions)[1], np.int64)

    def onto_members(self, orientations: np.ndarray) -> np.ndarray:
        """Return (n, 4) float64 orientations turned by as little as brings the beam onto the nearest member.

        Uniform rotations come out with uniform turns about the beam and all operations of the point group alike.
        """
        orientations = np.asarray(orientations, np.float64)
        which, member = self.located(orientations)
        turned = np.empty(orientations.shape)
        turn_beam(orientations, self.operations, which, self.members[member], turned)
        return turned


def orientations_along(directions: np.ndarray) -> np.ndarray:
    """Return (n, 4) quaternions, crystal ← sample, of the smallest turn that has the beam along each direction (n, 3).

    >>> orientations_along(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])).round(3).tolist()
    [[1.0, -0.0, 0.0, 0.0], [0.707, -0.0, 0.707, 0.0]]
    """
    x, y, z = directions.T
    found = np.stack([1 + z, -y, x, np.zeros(len(z))], axis=1)
    found[z < -1 + 1e-12] = (0, 1, 0, 0)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _spiral(n: int, i: np.ndarray, height: np.ndarray | float = 0.5) -> np.ndarray:
    """Return unit vectors at the places ``i`` (m,) of n on a spiral about z, each of which has the same area."""
    z = 1 - 2 * (i + height) / n
    across = np.sqrt(np.maximum(1 - z * z, 0))
    return np.stack([across * np.cos(i * _GOLDEN_ANGLE), across * np.sin(i * _GOLDEN_ANGLE), z], axis=1)


def _jittered_sphere(n: int) -> Iterator[np.ndarray]:
    """Yield parts of n directions, spread evenly, each moved at random within its cell of the sphere."""
    edge = math.sqrt(4 * math.pi / n)
    for first in range(0, n, _AT_ONCE):
        i = np.arange(first, min(first + _AT_ONCE, n))
        random = NamedRandom.of_patterns(0, "beam directions", i)
        centre = _spiral(n, i)
        one = np.cross(centre, [0.0, 0.0, 1.0])  # along the parallel; no place of the spiral is a pole
        one /= np.linalg.norm(one, axis=1, keepdims=True)
        other = np.cross(centre, one)
        move = [random.uniform(way, -edge / 2, edge / 2)[:, None] for way in ("parallel", "meridian")]
        moved = centre + move[0] * one + move[1] * other
        moved = np.round(moved / np.linalg.norm(moved, axis=1, keepdims=True), _DECIMALS)
        yield moved / np.sqrt(moved[:, :1] ** 2 + moved[:, 1:2] ** 2 + moved[:, 2:] ** 2)


def _far_from_its_images(operations: np.ndarray) -> np.ndarray:
    """Return the unit vector, of some, whose nearest image under the operations is farthest: no edge comes near it."""
    candidates = _spiral(_CANDIDATES, np.arange(_CANDIDATES))
    nearest = np.full(_CANDIDATES, 2.0)
    for operation in operations:
        if not np.allclose(operation, np.eye(3), atol=1e-6):
            nearest = np.minimum(nearest, np.linalg.norm(candidates - candidates @ operation.T, axis=1))
    return candidates[np.argmax(np.round(nearest, 6))]


def _is_inside(directions: np.ndarray, operations: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Return whether (n, 3) directions lie in the sector, and not at its edge."""
    identity = int(np.argmin(np.abs(operations - np.eye(3)).max(axis=(1, 2))))
    along = np.einsum("ni,mi->nm", directions, towards)
    own = along[:, identity].copy()
    along[:, identity] = -2
    return own > along.max(axis=1) + _OFF_EDGE
