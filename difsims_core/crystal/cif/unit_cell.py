"""The unit cell that a crystal file states."""

from __future__ import annotations

import math

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.tables import CifBlock, number
from difsims_core.errors import CrystalError

_SMALLEST = 5.0  # Å³, less than any element has
_SHORTEST_IN_ANGSTROM = 2.0


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
    if not cell.volume > _SMALLEST:
        lengths, angles = ", ".join(f"{v:g}" for v in cell.lengths), ", ".join(f"{v:g}" for v in cell.angles)
        looks = "; its lengths look like nm, give them in Å" if max(cell.lengths) < _SHORTEST_IN_ANGSTROM else ""
        raise CrystalError(
            f"{source}: the cell ({lengths}; {angles}) has a volume of {cell.volume:.3g} Å³",
            f"check its lengths (Å) and angles (degrees){looks}",
        )
    return cell
