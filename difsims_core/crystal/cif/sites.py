"""The atom sites that a crystal file lists, before symmetry."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.displacements import read_displacements
from difsims_core.crystal.cif.elements import element_of
from difsims_core.crystal.cif.tables import POSITION, CifBlock, Table, number, value_at
from difsims_core.crystal.structure import FULL_OCCUPANCY
from difsims_core.errors import CrystalError

_NUMBER = re.compile(r"[-+]?\d*\.?(\d*)(?:\(\d*\))?(?:[eE]([-+]?\d+))?$")


@dataclass(frozen=True, slots=True)
class Site:
    """One atom site of the asymmetric unit.

    Attributes
    ----------
    label, element : str
        Its name and its chemical symbol.
    type_symbol : str
        As the file writes it: Fe2+ and Fe3+ are two kinds of one element.
    position : tuple of float
        Fractional coordinates as given.
    places : tuple of float
        Unit of the last decimal place of each coordinate.
    occupancy : float
        0 … 1.
    occupancy_place : float
        Unit of its last decimal place.
    u_iso : float
        Mean square displacement, Å²; NaN when none is given.
    multiplicity : int or None
        Atoms of the cell that the file expects of it, where it says so.
    disorder_group : str
        Sites of different groups are never occupied together; empty: always there.
    """

    label: str
    element: str
    type_symbol: str
    position: tuple[float, float, float]
    places: tuple[float, float, float]
    occupancy: float
    occupancy_place: float
    u_iso: float
    multiplicity: int | None = None
    disorder_group: str = ""


def read_sites(block: CifBlock, cell: UnitCell, source: str) -> tuple[list[Site], tuple[str, ...]]:
    """Return every atom site, in the order of the file, and what a user should know about them.

    Raises
    ------
    CrystalError
        If a site has no position, no element, or an occupancy outside 0 … 1.
    """
    table = block.table(POSITION)
    if any(f"_atom_site_fract_{axis}" not in table for axis in "xyz"):
        raise CrystalError(f"{source}: expected _atom_site_fract_x, _y and _z in one loop, found only some of them")
    displacements, notes = read_displacements(block, cell)
    sites, counts = [], dict[str, int]()
    for row, u_iso in enumerate(displacements):
        if value_at(table, "_atom_site_calc_flag", row) == "dum":
            continue
        given = value_at(table, "_atom_site_label", row)
        shown = (given or f"number {row + 1}")[:40]
        symbol = value_at(table, "_atom_site_type_symbol", row)
        element = _element(symbol, given, shown, source)
        counts[element] = counts.get(element, 0) + 1
        position, places = _position(table, row, shown, source)
        occupancy = value_at(table, "_atom_site_occupancy", row)
        sites.append(
            Site(
                given or f"{element}{counts[element]}",
                element,
                symbol or element,
                position,
                places,
                checked_occupancy(number(occupancy) if occupancy else 1.0, f"{source}: site {shown}", occupancy),
                last_place(occupancy or "1"),
                u_iso,
                _multiplicity(table, row),
                value_at(table, "_atom_site_disorder_group", row) or "",
            )
        )
    if not sites:
        raise CrystalError(f"{source}: holds no atoms", "a phase needs its atom sites, not the cell alone")
    return sites, notes


def checked_occupancy(value: float, whose: str, shown: str | None = None) -> float:
    """Return an occupancy, 1 where it is that to 0.1 %, or raise."""
    if not 0 <= value <= FULL_OCCUPANCY:
        raise CrystalError(f"{whose} has occupancy {(shown or f'{value:g}')[:20]}, expected 0 … 1", "correct it")
    return min(value, 1.0)


def last_place(text: str) -> float:
    """Return the unit of the last decimal place of a number as it is written: 0.001 for ``0.333(2)``."""
    match = _NUMBER.match(text)
    decimals = len(match.group(1)) - int(match.group(2) or 0) if match else 0
    return 10.0 ** -min(max(decimals, 0), 15)


def coordinate_places(texts: list[str], values: list[float]) -> tuple[float, float, float]:
    """Return the units of the last decimal places of three coordinates.

    A multiple of a twenty-fourth, such as 0.5, is exact however short it is written: to the finest of the three.
    """
    places = [last_place(text) for text in texts]
    exact = [abs(24 * value - round(24 * value)) < 1e-9 for value in values]
    x, y, z = (min(places) if sure else place for place, sure in zip(places, exact, strict=True))
    return x, y, z


def _position(
    table: Table, row: int, shown: str, source: str
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    texts = [value_at(table, f"_atom_site_fract_{axis}", row) or "?" for axis in "xyz"]
    x, y, z = (number(text) for text in texts)
    if not all(math.isfinite(value) and abs(value) < 1e3 for value in (x, y, z)):
        stated = " ".join(text[:20] for text in texts)
        raise CrystalError(
            f"{source}: atom site {shown} has no position ({stated})", "give fractional coordinates as decimal numbers"
        )
    return (x, y, z), coordinate_places(texts, [x, y, z])


def _element(symbol: str | None, label: str | None, shown: str, source: str) -> str:
    found = element_of(symbol, label)
    if found is None:
        stated = f"type symbol {symbol[:40]!r}" if symbol else f"label {(label or '')[:40]!r}"
        raise CrystalError(
            f"{source}: the {stated} of atom site {shown} is no chemical element",
            "write one, such as Pb or Pb2+, in _atom_site_type_symbol, and one line for each element that shares a "
            "site",
        )
    return found


def _multiplicity(table: Table, row: int) -> int | None:
    tags = ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity")
    value = next((text for tag in tags if (text := value_at(table, tag, row))), None)
    return int(value) if value and re.fullmatch(r"\d{1,3}", value) else None
