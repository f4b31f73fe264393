"""The unit cell and the atom sites that a crystal file lists, before symmetry."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import gemmi
import numpy as np

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.tables import POSITION, CifBlock, Table, number
from difsims_core.errors import CrystalError

SMALLEST_CELL = 5.0  # Å³, less than any element has
_SHORTEST_IN_ANGSTROM = 2.0
_FULL = 1.001  # occupancies up to here are 1: refinements end at 1.0003
_B = 8 * math.pi**2
_CHARGE = re.compile(r"(?:\d*[+-]|[+-]\d+|0|va?l?)?$", re.IGNORECASE)  # Pb2+, O2-, Na+, O-2, Fe0, Cval; never O2
_HEAVIEST = 103  # of the tables of scattering factors
_HYDROGEN = {"D": "H", "T": "H"}
_ANISOTROPIC = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]


@dataclass(frozen=True, slots=True)
class Site:
    """One atom site of the asymmetric unit.

    Attributes
    ----------
    label, element : str
        Its name and its chemical symbol.
    position : tuple of float
        Fractional coordinates as given.
    digits : int
        Decimal places of the most precise coordinate.
    occupancy : float
        0 … 1.
    u_iso : float
        Mean square displacement, Å²; NaN when none is given.
    multiplicity : int or None
        Atoms of the cell that the file expects of it, where it says so.
    disorder_group : str
        Sites of different groups are never occupied together; empty: always there.
    """

    label: str
    element: str
    position: tuple[float, float, float]
    digits: int
    occupancy: float
    u_iso: float
    multiplicity: int | None = None
    disorder_group: str = ""


def read_cell(block: CifBlock, source: str) -> UnitCell:
    """Return the unit cell.

    Raises
    ------
    CrystalError
        If a length or angle is missing or none, or they make no cell in Å and degrees.
    """
    values = []
    for item in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
        found = block.value(f"_cell_{item}")
        value = number(found[1]) if found else math.nan
        most = 180.0 if item.startswith("angle") else 1e5
        if not 0 < value < most:
            what = "an angle between 0 and 180°" if most == 180 else "a positive length in Å"
            raise CrystalError(f"{source}: _cell_{item} is {found[1] if found else 'missing'}; expected {what}")
        values.append(value)
    cell = UnitCell(*values)
    if not cell.volume > SMALLEST_CELL:
        lengths, angles = ", ".join(f"{v:g}" for v in cell.lengths), ", ".join(f"{v:g}" for v in cell.angles)
        looks = "; its lengths look like nm, give them in Å" if max(cell.lengths) < _SHORTEST_IN_ANGSTROM else ""
        raise CrystalError(
            f"{source}: the cell ({lengths}; {angles}) has a volume of {cell.volume:.3g} Å³; check its lengths (Å) and "
            f"angles (degrees){looks}"
        )
    return cell


def read_sites(block: CifBlock, cell: UnitCell, source: str) -> list[Site]:
    """Return every atom site, in the order of the file.

    Raises
    ------
    CrystalError
        If a site has no position, no element, or an occupancy outside 0 … 1.
    """
    table = block.table(POSITION)
    columns = [table.get(f"_atom_site_fract_{axis}") for axis in "xyz"]
    if any(column is None for column in columns):
        raise CrystalError(f"{source}: expected _atom_site_fract_x, _y and _z in one loop, found only some of them")
    displacements = _anisotropic(block, cell)
    sites, counts = [], dict[str, int]()
    for row, texts in enumerate(zip(*columns, strict=True)):  # pyright: ignore[reportArgumentType] - checked above
        given = _at(table, "_atom_site_label", row)
        if _at(table, "_atom_site_calc_flag", row) == "dum":
            continue
        shown = given or f"number {row + 1}"
        x, y, z = (number(text) for text in texts)
        position = (x, y, z)
        if not all(math.isfinite(value) and abs(value) < 1e3 for value in position):
            stated = " ".join(text or "?" for text in texts)
            raise CrystalError(f"{source}: atom site {shown} has no position ({stated}); give fractional coordinates")
        element = _element(_at(table, "_atom_site_type_symbol", row), given, shown, source)
        counts[element] = counts.get(element, 0) + 1
        label = given or f"{element}{counts[element]}"
        sites.append(
            Site(
                label,
                element,
                position,
                max(_decimals(text) for text in texts),
                _occupancy(_at(table, "_atom_site_occupancy", row), shown, source),
                _u_iso(table, row, displacements.get(label, math.nan)),
                _multiplicity(table, row),
                _at(table, "_atom_site_disorder_group", row) or "",
            )
        )
    if not sites:
        raise CrystalError(f"{source}: holds no atoms; a phase needs its atom sites, not the cell alone")
    return sites


def chemical_symbol(text: str) -> str | None:
    """Return the element of a type symbol such as ``Pb2+``, ``O-2`` or ``CU1+``; None when it is none."""
    match = re.match(r"[A-Za-z]{1,2}", text)
    for letters in (match.group(), match.group()[:1]) if match else ():
        symbol = _known(letters)
        if symbol and _CHARGE.match(text, len(letters)):
            return symbol
    return None


def _known(letters: str) -> str | None:
    symbol = letters.capitalize()
    symbol = _HYDROGEN.get(symbol, symbol)
    return symbol if 0 < gemmi.Element(symbol).atomic_number <= _HEAVIEST else None


def _element(symbol: str | None, label: str | None, shown: str, source: str) -> str:
    found = chemical_symbol(symbol) if symbol and symbol != label else _element_of_label(symbol or label or "")
    if found is None:
        stated = f"type symbol {symbol!r}" if symbol else f"label {label!r}"
        raise CrystalError(
            f"{source}: the {stated} of atom site {shown} is no chemical element; write one, such as Pb or Pb2+, in "
            "_atom_site_type_symbol, and one line for each element that shares a site"
        )
    return found


def _element_of_label(label: str) -> str | None:
    """Return the element that a label begins with: Pb1, O2A, OW1; None where it could be two (CA1) or is none."""
    letters = re.match(r"[A-Za-z]*", label).group()  # pyright: ignore[reportOptionalMemberAccess] - always matches
    two = _known(letters[:2]) if len(letters) > 1 else None
    one = _known(letters[:1]) if letters and not letters[1:2].islower() else None
    return two or one if not (two and one) else None


def _occupancy(text: str | None, shown: str, source: str) -> float:
    if text is None:
        return 1.0
    value = number(text)
    if not 0 <= value <= _FULL:
        raise CrystalError(f"{source}: site {shown} has occupancy {text}, expected 0 … 1; correct the file")
    return min(value, 1.0)


def _u_iso(table: Table, row: int, anisotropic: float) -> float:
    u = number(_at(table, "_atom_site_u_iso_or_equiv", row))
    b = number(_at(table, "_atom_site_b_iso_or_equiv", row)) / _B
    return next((value for value in (u, b, anisotropic) if math.isfinite(value)), math.nan)


def _anisotropic(block: CifBlock, cell: UnitCell) -> dict[str, float]:
    """Return U_eq, a third of the trace of the tensor in Cartesian axes, by the label of the site."""
    labels = block.column("_atom_site_aniso_label")
    table = block.table("_atom_site_aniso_label")
    scaled = np.diag(np.linalg.norm(cell.reciprocal, axis=1))
    found = {}
    for kind, factor in (("u", 1.0), ("b", 1 / _B)):
        columns = [table.get(f"_atom_site_aniso_{kind}_{i + 1}{j + 1}") for i, j in _ANISOTROPIC]
        if any(column is None for column in columns):
            continue
        for row, label in enumerate(labels):
            tensor = np.zeros((3, 3))
            for (i, j), column in zip(_ANISOTROPIC, columns, strict=True):
                tensor[i, j] = tensor[j, i] = number(column[row]) * factor  # pyright: ignore[reportOptionalSubscript]
            if label is not None:
                found[label] = float(np.trace(cell.base.T @ scaled @ tensor @ scaled @ cell.base)) / 3
    return found


def _multiplicity(table: Table, row: int) -> int | None:
    tags = ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity")
    value = next((text for tag in tags if (text := _at(table, tag, row))), None)
    return int(value) if value and re.fullmatch(r"\d{1,3}", value) else None


def _at(table: Table, tag: str, row: int) -> str | None:
    column = table.get(tag)
    return None if column is None else column[row] or None


def _decimals(text: str | None) -> int:
    """Return how many decimal places a number is given with."""
    match = re.match(r"[-+]?\d*\.?(\d*)(?:\(\d*\))?(?:[eE]([-+]?\d+))?", text or "")
    if not match:
        return 0
    return max(0, len(match.group(1)) - int(match.group(2) or 0))
