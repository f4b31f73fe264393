"""The symmetry operations of a crystal in the setting of its cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

DENOMINATOR = 24
"""Of the translations of symmetry operations, as gemmi counts them."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of a space group, or the group of a list of operations.

    Attributes
    ----------
    symbol : str
        For people; the full Hermann–Mauguin symbol with its setting.
    number : int or None
        In the International Tables, where known.
    rotations, translations : (n, 3, 3) and (n, 3) int
        x' = rotation · x + translation / 24, centring included.
    unique_axis_b : bool
        Whether this is a monoclinic setting with b as its axis, or no monoclinic one.

    References
    ----------
    International Tables for Crystallography, volume A, chapters 1.4 and 1.5.
    """

    symbol: str
    number: int | None
    rotations: np.ndarray
    translations: np.ndarray
    unique_axis_b: bool = True

    @cached_property
    def keys(self) -> frozenset[tuple[int, ...]]:
        """The operations, comparable: translations up to a lattice vector."""
        rows = np.concatenate([self.rotations.reshape(-1, 9), self.translations % DENOMINATOR], axis=1)
        return frozenset(map(tuple, rows.tolist()))

    @cached_property
    def point_operations(self) -> np.ndarray:
        """(m, 3, 3) int: the rotation parts, each once."""
        return np.unique(self.rotations, axis=0)

    @cached_property
    def point_group(self) -> tuple[tuple[int, int, int], ...]:
        """Determinant and trace of operations, and how many have them; this tells the 32 point groups apart."""
        determinants = np.rint(np.linalg.det(self.point_operations)).astype(int)
        kinds = zip(determinants.tolist(), np.trace(self.point_operations, axis1=1, axis2=2).tolist(), strict=True)
        counts: dict[tuple[int, int], int] = {}
        for kind in kinds:
            counts[kind] = counts.get(kind, 0) + 1
        return tuple(sorted((*kind, count) for kind, count in counts.items()))

    @property
    def n_centrings(self) -> int:
        """Lattice points in the cell."""
        return len(self.keys) // len(self.point_operations)

    def fits(self, metric: np.ndarray, tolerance: float = 0.02) -> bool:
        """Return whether a cell of this metric, (3, 3) in Å², has the symmetry, but for a relative ``tolerance``."""
        turned = np.einsum("nji,jk,nkl->nil", self.point_operations, metric, self.point_operations)
        scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
        return bool((np.abs(turned - metric) <= tolerance * scale).all())
