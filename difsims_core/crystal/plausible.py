"""What is odd about a structure: another content than its formula says, an impossible density, atoms too close."""

from __future__ import annotations

import gemmi
import numpy as np

from difsims_core.crystal.cell import SAME_ATOM_ANGSTROM, close_pairs
from difsims_core.crystal.structure import FULL_OCCUPANCY, Structure

DENSITIES_G_PER_CM3 = (0.1, 25.0)  # from aerogel-like frameworks to osmium at 22.6
CLOSEST_OF_COVALENT = 0.6
_GRAMS_A_CM3 = 1.66053907  # one dalton in one Å³
_COUNT_TOLERANCE = 0.02
_MOST_SHOWN = 3


def density(structure: Structure) -> float:
    """Return the density, g/cm³."""
    counts = structure.atoms.counts()
    mass = sum(gemmi.Element(element).weight * count for element, count in counts.items())
    return mass * _GRAMS_A_CM3 / structure.cell.volume


def implausible(structure: Structure) -> tuple[str, ...]:
    """Return what is odd about a structure, one sentence each."""
    return (*_content(structure), *_density(structure), *_close_atoms(structure), *_displacements(structure))


def _content(structure: Structure) -> list[str]:
    """Compare the atoms of the cell with the formula; without Z, with the number of units that fits most elements."""
    formula, found = structure.formula, structure.atoms.counts()
    if formula is None:
        return []
    units = formula.units or _likely_units(formula.counts, found)
    differing = []
    for element in sorted(formula.counts.keys() | found.keys()):
        expected, here = formula.counts.get(element, 0.0) * units, found.get(element, 0.0)
        if abs(here - expected) > max(_COUNT_TOLERANCE * expected, 0.05):
            differing.append(f"{here:.4g} {element} read, {expected:.4g} expected")
    if not differing:
        return []
    stated = f"{formula.text}, Z = {units:g}" + ("" if formula.units else " (not stated, the likeliest)")
    return [f"the cell differs from the formula of the file ({stated}): {'; '.join(differing)}"]


def _likely_units(expected: dict[str, float], found: dict[str, float]) -> float:
    """Return the number of formula units with which most elements agree; of equals, the one of the heaviest element."""
    heaviest_first = sorted(expected, key=lambda element: -gemmi.Element(element).atomic_number)
    units = [round(found.get(e, 0.0) / expected[e]) for e in heaviest_first if expected[e] > 0]
    return float(max(units, key=units.count, default=1) or 1)


def _density(structure: Structure) -> list[str]:
    low, high = DENSITIES_G_PER_CM3
    value = density(structure)
    if low <= value <= high:
        return []
    looks = "; its cell lengths look like nm" if value > 100 * high else ""
    return [f"a density of {value:.3g} g/cm³ is outside {low:g} … {high:g}: check cell, sites and symmetry{looks}"]


def _close_atoms(structure: Structure) -> list[str]:
    atoms = structure.atoms
    radii = np.array([gemmi.Element(element).covalent_r for element in atoms.elements])
    pairs, distances = close_pairs(atoms.positions, structure.cell, 2 * CLOSEST_OF_COVALENT * float(radii.max()))
    a, b = pairs.T
    both = atoms.occupancies[a] + atoms.occupancies[b] > FULL_OCCUPANCY  # else they are never there together
    close = both & (distances > SAME_ATOM_ANGSTROM) & (distances < CLOSEST_OF_COVALENT * (radii[a] + radii[b]))
    shown: dict[tuple[str, str], float] = {}
    for i in np.flatnonzero(close):
        names = atoms.labels[a[i]], atoms.labels[b[i]]
        key = min(names), max(names)
        shown[key] = min(shown.get(key, np.inf), float(distances[i]))
    nearest = sorted(shown.items(), key=lambda item: item[1])
    named = ", ".join(f"{one}–{other} {distance:.2f} Å" for (one, other), distance in nearest[:_MOST_SHOWN])
    return [f"atoms are too close to each other ({named}): check sites and symmetry"] if nearest else []


def _displacements(structure: Structure) -> list[str]:
    atoms = structure.atoms
    missing = np.isnan(atoms.u_iso)
    if not missing.any() or missing.all():
        return []
    labels = dict.fromkeys(label for label, gone in zip(atoms.labels, missing, strict=True) if gone)
    named = ", ".join(list(labels)[:8]) + ", …" * (len(labels) > 8)
    return [f"no displacement parameter (U or B) is given for {named}, but for other sites: theirs counts as 0"]
