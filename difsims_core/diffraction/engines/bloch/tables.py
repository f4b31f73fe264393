"""What the dynamical engine prepares for a phase: reflections, potential, choice of beams (docs/physics.md §18)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.config.imperfections import BlochSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.indices import friedel_half, mirrored
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.potential import potential_of
from difsims_core.crystal.rows import as_lattice
from difsims_core.crystal.structure import B_OF_U
from difsims_core.errors import CrystalError
from difsims_core.kernels.bloch.records import BeamChoice, Potential
from difsims_core.kernels.spots.records import Lattice


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many beams are taken into account.

    Attributes
    ----------
    strong, weak : float
        Excitation errors up to which beams are propagated, and up to which they get first-order amplitudes, over the
        strongest coupling of two beams.
    g_strong_per_angstrom : float
        Largest |g| of a beam that is propagated.
    most_strong : int
        How many are propagated at most.
    """

    strong: float
    weak: float
    g_strong_per_angstrom: float
    most_strong: int


ACCURACIES = {"default": Accuracy(50, 200, 1.65, 600), "fine": Accuracy(100, 300, 2.2, 1200)}


@dataclass(frozen=True, slots=True)
class BlochTables:
    """One phase.

    Attributes
    ----------
    lattice : Lattice
        Reflections as rows, extinct ones included: multiple scattering excites them.
    hkl : (n, 3) int16
        Miller indices.
    indices : (n, 3) int16
        The same along the axes of ``lattice``.
    potential : Potential
        What couples the beams.
    choice : BeamChoice
        Which beams are taken into account.
    """

    lattice: Lattice
    hkl: np.ndarray
    indices: np.ndarray
    potential: Potential
    choice: BeamChoice

    @property
    def cell_volume(self) -> float:
        """1: intensities are parts of the incident beam, whatever the cell."""
        return 1.0

    @classmethod
    def of(cls, crystal: Crystal, label: int, spec: SimulationSpec, q_max_per_angstrom: float, k: float) -> BlochTables:
        """Prepare a phase."""
        wanted, bloch = spec.diffraction, spec.intensities
        assert isinstance(bloch, BlochSpec)  # noqa: S101 - narrows the type; the document names this engine
        accuracy, scales = ACCURACIES[bloch.beams], spec.lattice_scale_of(label).support()
        reach = max(q_max_per_angstrom, accuracy.g_strong_per_angstrom) * scales[1]
        half = friedel_half(crystal.structure.cell.reciprocal, reach, crystal.name, along_longest_rows=True)
        if len(half) == 1:
            raise CrystalError(f"{crystal.name}: no reflection with |g| ≤ {reach:g} Å⁻¹", "check the detector's range")
        displacement = (0.0, 0.0)
        if bloch.rms_displacement_angstrom is not None:
            displacement = bloch.rms_displacement_angstrom.support()
        potential = potential_of(
            crystal,
            half,
            2 * reach,
            wanted.scattering_factors,
            wanted.debye_waller,
            spec.microscope.beam_energy_kv,
            scales,
            (B_OF_U * displacement[0] ** 2, B_OF_U * displacement[1] ** 2),
            bloch.absorption if isinstance(bloch.absorption, float) else 0.0,
        )
        hkl = mirrored(half.hkl(), -1).astype(np.int16)
        coupling = _strongest_coupling(potential, k)
        return cls(
            as_lattice(half, np.zeros((len(hkl), 1), np.float32)),
            hkl,
            np.ascontiguousarray(hkl[:, half.order]),
            potential,
            BeamChoice(
                accuracy.strong * coupling,
                accuracy.weak * coupling,
                accuracy.g_strong_per_angstrom,
                accuracy.most_strong,
            ),
        )


def _strongest_coupling(potential: Potential, k: float) -> float:
    """Return the largest |U_g| / 2K, Å⁻¹."""
    middle = np.array([potential.real.shape[0], potential.real.shape[1]]) // 2
    squared = potential.real[tuple(middle)].astype(np.float64) ** 2
    if potential.imaginary.shape[2]:
        squared += potential.imaginary[tuple(middle)].astype(np.float64) ** 2
    squared[potential.origin] = 0.0
    return float(np.sqrt(squared.max())) / (2 * k)
