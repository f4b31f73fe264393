"""A crystal structure as it was read: the cell and every atom in it, whatever wrote it down (docs/physics.md §3)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.setting import Setting

FULL_OCCUPANCY = 1.001
"""Occupancies up to here are 1: refinements end a little above it."""

B_OF_U = 8 * np.pi**2
"""Debye–Waller B over the mean square displacement U (docs/physics.md §3)."""

_DIGITS = 7  # of fractional positions and occupancies: 1e-6 Å, far below what diffraction sees


@dataclass(frozen=True, eq=False)
class Atoms:
    """All atoms of one unit cell, symmetry expanded.

    Attributes
    ----------
    labels, elements : tuple of str
        Label of the site that an atom comes from, and chemical symbol.
    positions : (n, 3) float64
        Fractional coordinates, 0 … 1.
    occupancies : (n,) float64
        0 … 1.
    u_iso : (n,) float64
        Mean square displacement, Å²; NaN where the source gives none.
    """

    labels: tuple[str, ...]
    elements: tuple[str, ...]
    positions: np.ndarray
    occupancies: np.ndarray
    u_iso: np.ndarray

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def formula(self) -> str:
        """Content of the cell in Hill's order, occupancies counted: ``C2 I6 N4 Pb2``."""
        counts = self.counts()
        first = [element for element in ("C", "H") if "C" in counts and element in counts]
        order = first + sorted(counts.keys() - set(first))
        return " ".join(e if abs(counts[e] - 1) < 5e-4 else f"{e}{counts[e]:.4g}" for e in order)

    def counts(self) -> dict[str, float]:
        """Return the number of atoms of each element in the cell, occupancies counted."""
        found: dict[str, float] = {}
        for element, occupancy in zip(self.elements, self.occupancies, strict=True):
            found[element] = found.get(element, 0.0) + float(occupancy)
        return found


@dataclass(frozen=True, slots=True)
class Formula:
    """What a file says that its cell holds.

    Attributes
    ----------
    text : str
        The formula as written.
    counts : mapping of str to float
        Atoms of each element in a formula unit.
    units : float or None
        Formula units in the cell, Z.
    """

    text: str
    counts: dict[str, float]
    units: float | None

    @classmethod
    def read(cls, formula: str | None, units: str | None) -> Formula | None:
        """Return the formula that a text such as ``C H6 I3 N Pb`` states; None when it states none."""
        parts = (formula or "").split()
        found = [re.fullmatch(r"([A-Z][a-z]?)(\d*\.?\d*)", part) for part in parts]
        if not parts or not all(found):
            return None
        counts: dict[str, float] = {}
        for match in found:
            assert match is not None  # noqa: S101 - narrows the type; checked above
            symbol, number = match.groups()
            symbol = "H" if symbol == "D" else symbol
            counts[symbol] = counts.get(symbol, 0.0) + float(number if number.strip(".") else 1)
        z = re.fullmatch(r"\d+(\.\d+)?", (units or "").strip())
        return cls(" ".join(parts), counts, float(z.group()) if z and float(z.group()) > 0 else None)


@dataclass(frozen=True, eq=False)
class Structure:
    """A crystal structure.

    Attributes
    ----------
    cell : UnitCell
        Lengths and angles.
    atoms : Atoms
        Every atom of the cell.
    setting : Setting
        Its symmetry operations.
    formula : Formula or None
        What the file says that it holds.
    warnings : tuple of str
        What a user should know before trusting it, one sentence each.
    """

    cell: UnitCell
    atoms: Atoms
    setting: Setting
    formula: Formula | None = None
    warnings: tuple[str, ...] = ()

    def with_warnings(self, *warnings: str) -> Structure:
        """Return it with further warnings, each once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of what a simulation sees of it: cell, point operations, and of each atom element, position,
        occupancy and U.
        """
        positions = np.round(self.atoms.positions, _DIGITS) % 1.0 + 0.0
        columns = (self.atoms.elements, positions.tolist(), self.atoms.occupancies, self.atoms.u_iso)
        rows = [
            [element, *position, round(float(occupancy), _DIGITS), None if np.isnan(u) else round(float(u), _DIGITS)]
            for element, position, occupancy, u in zip(*columns, strict=True)
        ]
        cell = [round(value, _DIGITS) for value in (*self.cell.lengths, *self.cell.angles)]
        content = [cell, self.setting.point_operations.tolist(), sorted(rows, key=str)]
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
