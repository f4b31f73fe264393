"""Which templates a phase has: beam directions over the sector of its point group, thicknesses, lattice scales."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from difsims_core.crystal.point_group import quaternions_of
from difsims_core.diffraction.library.directions import orientations_along

_NEIGHBOURS = 8


@dataclass(frozen=True, eq=False)
class TemplateGrid:
    """The templates of one phase, numbered direction by direction, then by thickness, then by lattice scale.

    Attributes
    ----------
    operations : (s, 3, 3) float64
        Point operations in the Cartesian frame of the crystal.
    members : (d, 3) float64
        Beam directions, unit vectors in the crystal's frame.
    thickness_angstrom : (t,) float64
        Å.
    lattice_scale : (l,) float64
        Factors on a, b, c.
    """

    operations: np.ndarray
    members: np.ndarray
    thickness_angstrom: np.ndarray
    lattice_scale: np.ndarray

    @property
    def beside(self) -> int:
        """Templates of one direction."""
        return len(self.thickness_angstrom) * len(self.lattice_scale)

    @property
    def size(self) -> int:
        """Number of templates."""
        return len(self.members) * self.beside

    def of_directions(self, directions: np.ndarray) -> np.ndarray:
        """Return (n, c · beside) templates: of directions (n, c) those of every thickness and lattice scale."""
        n, c = directions.shape
        return (directions[:, :, None] * self.beside + np.arange(self.beside)).reshape(n, c * self.beside)

    @cached_property
    def orientations(self) -> np.ndarray:
        """(d, 4) quaternions, crystal ← sample, of the smallest turn that has the beam along each direction."""
        return orientations_along(self.members)

    @cached_property
    def mirrors(self) -> bool:
        """Whether the mirror image of a pattern is one too, as with an inversion or a mirror among the operations."""
        return bool((np.linalg.det(self.operations) < 0).any())

    @cached_property
    def around(self) -> tuple[np.ndarray, np.ndarray]:
        """(d, 8) int64 directions next to each, by symmetry too, and (d, 8, 3) float64 where they lie.

        At equal turns and mirrors a pattern is as like a direction as like its images under the point operations, so
        that beyond the edge of the sector its images stand in.
        """
        from scipy.spatial import KDTree

        images = np.einsum("sij,dj->sdi", self.operations, self.members).reshape(-1, 3)
        member = np.tile(np.arange(len(self.members)), len(self.operations))
        keep = np.unique(np.round(images, 7), axis=0, return_index=True)[1]
        images, member = images[keep], member[keep]
        n = min(_NEIGHBOURS + 1, len(images))
        found = np.atleast_2d(KDTree(images).query(self.members, n)[1])[:, 1:]
        return member[found], images[found]

    def orientation(
        self, direction: np.ndarray, beam: np.ndarray, turn_deg: np.ndarray, mirrored: np.ndarray
    ) -> np.ndarray:
        """Return (n, 4) orientations, crystal ← sample, of patterns that are those of directions, mirrored and turned.

        Parameters
        ----------
        direction
            (n,) directions that the patterns are like.
        beam
            (n, 3) where the beam runs in the crystal, near them.
        turn_deg
            (n,) turns of the pattern towards larger azimuths, degrees.
        mirrored
            (n,) bool: whether the azimuth was reversed before the turn.
        """
        from scipy.spatial.transform import Rotation

        matrices = Rotation.from_quat(self.orientations[direction], scalar_first=True).as_matrix()
        matrices = _smallest_turns(self.members[direction], beam) @ matrices
        if mirrored.any():
            improper = self.operations[np.argmin(np.linalg.det(self.operations))]
            matrices[mirrored] = improper.T @ matrices[mirrored] @ np.diag([1.0, -1.0, 1.0])
        turns = Rotation.from_euler("z", -np.asarray(turn_deg, np.float64)[:, None], degrees=True).as_matrix()
        return quaternions_of(matrices @ turns)


def _smallest_turns(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (n, 3, 3) smallest turns that bring unit vectors (n, 3) onto others, which are near them."""
    x, y, z = np.cross(one, other).T
    cross = np.zeros((len(one), 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross -= cross.transpose(0, 2, 1)
    return np.eye(3) + cross + cross @ cross / (1 + np.sum(one * other, axis=1))[:, None, None]
