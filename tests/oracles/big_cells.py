"""Cells of any size with atoms at random places: what a framework with large pores looks like to the sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase

_ELEMENTS, _SHARES = ("C", "H", "O", "N", "Zn"), (0.45, 0.30, 0.15, 0.05, 0.05)


def random_phase(n_atoms: int, cell: Sequence[float], seed: int = 1, u: tuple[float, float] | None = None) -> Phase:
    """Return a phase of space group P1.

    Parameters
    ----------
    n_atoms
        Carbon, hydrogen, oxygen, nitrogen and zinc as in a metal–organic framework, of random occupancies.
    cell
        a, b, c in Å and α, β, γ in degrees.
    seed
        Of the atoms.
    u
        Range of U of the atoms, Å², each with one of its own; none without.
    """
    random = np.random.default_rng(seed)
    atoms = [
        Atom(str(element), position, occupancy=float(occupancy))
        for element, position, occupancy in zip(
            random.choice(_ELEMENTS, n_atoms, p=_SHARES),
            random.random((n_atoms, 3)),
            random.uniform(0.3, 1.0, n_atoms),
            strict=True,
        )
    ]
    if u is not None:
        for atom in atoms:
            atom.Uisoequiv = float(random.uniform(*u))
    return Phase(f"{n_atoms} atoms", space_group=1, structure=Structure(atoms=atoms, lattice=Lattice(*cell)))


def cube(volume: float) -> tuple[float, float, float, float, float, float]:
    """Return the cell of a cube of ``volume`` Å³."""
    return (volume ** (1 / 3),) * 3 + (90.0, 90.0, 90.0)
