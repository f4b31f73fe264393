"""Mean square displacements of the sites of a crystal file: isotropic, or a third of the trace of a tensor."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.tables import POSITION, CifBlock, number, value_at
from difsims_core.crystal.structure import B_OF_U

_COMPONENTS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
_LABEL = "_atom_site_aniso_label"


def read_displacements(block: CifBlock, cell: UnitCell) -> tuple[list[float], tuple[str, ...]]:
    """Return U of each row of the list of sites, Å², NaN where none is given, and what could not be told.

    An isotropic U or B comes first, then the tensor of the site of the same label.
    """
    table = block.table(POSITION)
    labels = [value_at(table, "_atom_site_label", row) for row in range(len(table[POSITION]))]
    tensors = _tensors(block, cell)
    rows, sites = Counter(label for label, _ in tensors), Counter(labels)
    unclear = [label for label in rows if rows[label] > 1 or sites[label] != 1]
    of_label = {label: u for label, u in tensors if label not in unclear}
    found = []
    for row, label in enumerate(labels):
        u = number(value_at(table, "_atom_site_u_iso_or_equiv", row))
        b = number(value_at(table, "_atom_site_b_iso_or_equiv", row)) / B_OF_U
        given = (u, b, of_label.get(label or "", math.nan))
        found.append(next((value for value in given if math.isfinite(value)), math.nan))
    notes = [f"the anisotropic displacements of {label} belong to no one site" for label in unclear]
    notes += [f"the anisotropic displacements of {label} are incomplete" for label, u in tensors if math.isnan(u)]
    return found, tuple(dict.fromkeys(notes))


def _tensors(block: CifBlock, cell: UnitCell) -> list[tuple[str, float]]:
    """Return label and U_eq, a third of the trace in Cartesian axes, of each row of a list of tensors."""
    table = block.table(_LABEL)
    kind, factor = ("u", 1.0) if "_atom_site_aniso_u_11" in table else ("b", 1 / B_OF_U)
    scaled = np.diag(np.linalg.norm(cell.reciprocal, axis=1)) @ cell.base
    found = []
    for row, label in enumerate(table.get(_LABEL, [])):
        tensor = np.zeros((3, 3))
        for i, j in _COMPONENTS:
            tensor[i, j] = tensor[j, i] = (
                number(value_at(table, f"_atom_site_aniso_{kind}_{i + 1}{j + 1}", row)) * factor
            )
        found.append((label or "?", float(np.trace(scaled.T @ tensor @ scaled)) / 3))
    return found
