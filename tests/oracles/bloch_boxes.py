"""Multislice of tests/references/abtem_dynamical.json, and the same crystal for the oracle of Bloch waves."""

from dataclasses import dataclass

import numpy as np
from orix.crystal_map import Phase

from difsims_core.crystal.phases import load_phase
from tests.oracles.bloch import Atoms, Diffracted
from tests.oracles.structure_factor import fractional_positions


def atoms_of(phase: Phase, b: dict[str, float], shift: np.ndarray | float = 0.0) -> Atoms:
    """Return the atoms of a phase, moved by ``shift`` in fractional coordinates; ``b`` of each element, Å²."""
    elements = tuple(atom.element for atom in phase.structure)
    return Atoms(
        np.array(phase.structure.lattice.base),
        elements,
        fractional_positions(phase) + shift,
        np.array([atom.occupancy for atom in phase.structure]),
        np.array([b[element] for element in elements]),
    )


@dataclass(frozen=True, slots=True)
class Box:
    """One slab and one direction of the beam.

    Attributes
    ----------
    atoms : Atoms
        As they lie in the box.
    edges : (3, 3) int
        Edges of the box, [uvw].
    matrix, normal
        Orientation, g_lab = matrix · g_crystal with the beam along −z, and normal of the slab, in the laboratory.
    thicknesses : (4,)
    orders : (m, 2) int
        Of each spot, along x and y of the box.
    multislice : (4, m)
        Intensities of the spots.
    """

    atoms: Atoms
    edges: np.ndarray
    matrix: np.ndarray
    normal: np.ndarray
    thicknesses: np.ndarray
    orders: np.ndarray
    multislice: np.ndarray

    @classmethod
    def read(cls, entry: dict, b: dict[str, float]) -> "Box":
        """Read one case of the file."""
        phase, edges = load_phase(entry["phase"]), np.array(entry["edges_uvw"])
        atoms = atoms_of(phase, b, entry["shift"] * edges[2])
        axes = edges @ atoms.base
        axes = axes / np.linalg.norm(axes, axis=1)[:, None]
        polar, azimuth = np.deg2rad(entry["tilt_deg"])
        along = np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]) @ axes
        across = np.cross(axes[1], -along)
        across /= np.linalg.norm(across)
        matrix = np.array([across, np.cross(-along, across), -along])
        spots = np.array(entry["spots"])
        return cls(
            atoms,
            edges,
            matrix,
            matrix @ -axes[2],
            np.array(entry["thicknesses_angstrom"]),
            spots[:, :2].astype(int),
            spots[:, 2:].T,
        )

    def spots(self, found: Diffracted) -> np.ndarray:
        """Return (4, m) intensities in the places of the box: beams of several Laue zones meet in one of them.

        Thicknesses are whole cells, so waves that differ along the normal meet in phase.
        """
        orders = found.hkl @ self.edges[:2].T
        here = np.all(self.orders[:, None] == orders, axis=2)
        return np.abs(found.wave @ here.T) ** 2

    def deviation(self, found: Diffracted) -> np.ndarray:
        """Return R = Σ|I − I_multislice| / Σ I_multislice of the twenty strongest spots at each thickness."""
        ours = self.spots(found)
        r = []
        for mine, reference in zip(ours, self.multislice, strict=True):
            few = np.argsort(-reference)[:20]
            r.append(np.abs(mine[few] - reference[few]).sum() / reference[few].sum())
        return np.array(r)
