"""Build the thirteen phases from published asymmetric units, without reading a CIF file (docs/physics.md §3).

Cells and sites are the published numbers. Symmetry operations come from diffpy's tables (Pnam, a
non-standard setting of group 62, from those of Pnma with y and z exchanged). Positions closer than
0.01 Å are one atom: published coordinates are rounded and miss their special positions by that much.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from diffpy.structure import Atom, Lattice, Structure
from diffpy.structure.spacegroups import GetSpaceGroup
from orix.crystal_map import Phase

DEFAULT_PHASES = ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")

_MERGE_DISTANCE_ANGSTROM = 0.01

_P4MBM_SITES = """
Pb 0 0 0 1; I 0 0 0.5 1; I 0.245 0.255 0 1; C 0 0.5 0.5 1"""
_PBI2_4H_SITES = """
Pb 0.33333 0.66667 0 1; I 0.33333 0.66667 0.367 1; I 0 0 0.633 1"""
_PBI2_4H_CELL = (4.557, 4.557, 13.958, 90, 90, 120)


@dataclass(frozen=True, slots=True)
class Published:
    """One published structure: space group number, cell (Å, degrees) and sites ``element x y z occupancy``."""

    space_group: int
    cell: tuple[float, ...]
    sites: str
    exchange_yz: bool = False


PUBLISHED = {
    "cubic_fapbi_scaled": Published(
        1,
        (6.30, 6.30, 6.30, 90, 90, 90),
        """Pb 0 0 0 1; I 0.5 0 0 1; I 0 0.5 0 1; I 0 0 0.5 1; C 0.500001 0.569011 0.5 1; N 0.682927 0.47528 0.5 1;
        N 0.317071 0.47528 0.5 1; H 0.5 0.741416 0.5 1; H 0.814009 0.56763 0.5 1; H 0.704462 0.31528 0.5 1;
        H 0.295538 0.31528 0.5 1; H 0.185991 0.56763 0.5 1""",
    ),
    "p4mbm_scaled_mixed_halide": Published(127, (8.91, 8.91, 6.30, 90, 90, 90), _P4MBM_SITES),
    "p4mbm_tetragonal": Published(127, (9.00, 9.00, 6.36, 90, 90, 90), _P4MBM_SITES),
    "pnma_TD_adjust_orthorhombic": Published(
        62,
        (8.93, 12.72, 8.90, 90, 90, 90),
        "Pb 0.5 0 0 1; I 0.49 0.25 0 1; I 0.24 0 0.24 1; C 1.0 0.25 0 1; N 1.0 0.75 0 1",
    ),
    "gratia_2h": Published(
        194,
        (8.6667, 8.6667, 7.9077, 90, 90, 120),
        "Pb 0 0 0.5 1; I 0.33799 0.16900 0.75 1; C 0.666667 0.333333 0.25 1; N 0.6306 0.261 0.103 0.3332",
    ),
    "gratia_4h": Published(
        194,
        (8.8136, 8.8136, 15.2076, 90, 90, 120),
        """Pb 0.333333 0.666667 0.37988 1; I 0.5 0 0.5 0.723; Br 0.5 0 0.5 0.277; I 0.16848 0.83152 0.25 0.932;
        Br 0.16848 0.83152 0.25 0.068; C 0 0 0.5 1; C 0.333333 0.666667 0.75 1; N 0 0 0.4096 1;
        N 0.333333 0.666667 0.6592 1""",
    ),
    "gratia_6h": Published(
        194,
        (8.8436, 8.8436, 22.4524, 90, 90, 120),
        """Pb 0 0 0.5 1; Pb 0.6667 0.3333 0.66209 1; I 0.99553 0.49776 0.75 0.966; Br 0.99553 0.49776 0.75 0.034;
        I 0.83482 0.16518 0.58182 0.762; Br 0.83482 0.16518 0.58182 0.238; C 0.04 0.11 0.773 0.0833;
        N 0.01 0.934 0.781 0.1667; N 0.000 0.187 0.823 0.1667; C 0.300 0.645 0.583 0.1666;
        N 0.433 0.674 0.625 0.1666; N 0.346 0.787 0.543 0.1666""",
    ),
    "pbi2_2h": Published(164, (4.555, 4.555, 6.977, 90, 90, 120), "Pb 0 0 0 1; I 0.33333 0.66667 0.265 1"),
    "pbi2_4h": Published(186, _PBI2_4H_CELL, _PBI2_4H_SITES),
    "pbi2": Published(186, _PBI2_4H_CELL, _PBI2_4H_SITES),
    "pbi2_6h": Published(
        1,
        (4.67131047, 4.67131047, 29.67834133, 90, 90, 120),
        """Pb 0.333333 0.666667 0.749987 1; Pb 0.333333 0.666667 0.999964 1; Pb 0.666667 0.333333 0.249987 1;
        Pb 0.666667 0.333333 0.499964 1; I 0.333333 0.666667 0.187058 1; I 0 0 0.813046 1; I 0 0 0.062912 1;
        I 0.666667 0.333333 0.937033 1; I 0.333333 0.666667 0.687058 1; I 0 0 0.313046 1;
        I 0.666667 0.333333 0.437033 1; I 0 0 0.562912 1""",
    ),
    "pbbr2": Published(
        62,
        (8.059, 9.540, 4.7319, 90, 90, 90),
        "Br 0.8576 0.0778 0.25 0.991; Br 0.4807 0.8376 0.25 1.0; Pb 0.2657 0.0884 0.25 1",
        exchange_yz=True,
    ),
    "pb": Published(225, (4.95, 4.95, 4.95, 90, 90, 90), "Pb 0 0 0 1"),
}


@cache
def published_phase(name: str, lattice_scale: float = 1.0, occupancy_factor: float = 1.0) -> Phase:
    """Return the published structure ``name`` as an orix phase with a full unit cell.

    ``lattice_scale`` multiplies a, b and c; ``occupancy_factor`` multiplies every occupancy.
    """
    published = PUBLISHED[name]
    a, b, c, *angles_deg = published.cell
    lattice = Lattice(a * lattice_scale, b * lattice_scale, c * lattice_scale, *angles_deg)
    operations = _operations(published)
    atoms = []
    for site in published.sites.split(";"):
        element, *numbers = site.split()
        x, y, z, occupancy = (float(number) for number in numbers)
        orbit = _orbit(np.array([x, y, z]), operations, lattice)
        atoms += [Atom(element, position, occupancy=occupancy * occupancy_factor) for position in orbit]
    return Phase(name, space_group=published.space_group, structure=Structure(atoms=atoms, lattice=lattice))


def _operations(published: Published) -> list[Callable[[np.ndarray], np.ndarray]]:
    tabulated = list(GetSpaceGroup(published.space_group).iter_symops())
    order = [0, 2, 1] if published.exchange_yz else [0, 1, 2]
    return [lambda x, op=op: (op.R @ x[order] + op.t)[order] for op in tabulated]


def _orbit(site: np.ndarray, operations: list, lattice: Lattice) -> list[np.ndarray]:
    """Return the distinct images of ``site``; images within the merge distance are averaged."""
    groups: list[list[np.ndarray]] = []
    for operation in operations:
        image = operation(site)
        for group in groups:
            shift = np.round(image - group[0])
            if lattice.norm(image - shift - group[0]) < _MERGE_DISTANCE_ANGSTROM:
                group.append(image - shift)
                break
        else:
            groups.append([image])
    return [np.mean(group, axis=0) % 1.0 for group in groups]
