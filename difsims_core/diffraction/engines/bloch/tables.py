"""What the dynamical engine prepares for a phase: reflections, potential, choice of beams (docs/physics.md §11)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from difsims_core.config.imperfections import BlochSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.indices import FriedelHalf, friedel_half, mirrored, spanned_lattice
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.potential.fourier import potential_of
from difsims_core.crystal.rows import as_lattice
from difsims_core.crystal.structure import B_OF_U
from difsims_core.errors import CrystalError
from difsims_core.kernels.bloch.records import BeamChoice, Potential
from difsims_core.kernels.spots.records import Lattice

NEAR, G_NEAR = 0.01, 1.65  # Å⁻¹ from the sphere, and from the direct beam: beams that tell how near a zone axis is
_ZONE, _ZONE_OF_FEW = 3.6, 2.0  # times their |U|² in the mean over all directions: near a zone axis, where
_STRONG_ZONE = 1.3  # times the usual excitation error, beams are strong
_FEW = 120  # strong beams up to g_weak are no cost: weak ones act back on them, and up to
_BACK = 0.12  # Å⁻¹ from the sphere; those beyond are good for some directions and bad for as many
_NEAR_PER_ANGSTROM = 1.2
_EXTINCT = 1e-7  # of the largest coefficient


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many beams are taken into account.

    Attributes
    ----------
    strong : float
        Excitation error up to which beams are propagated, over the strongest coupling of two beams.
    fewest_strong, most_strong : int
        How many are propagated in a random direction at least, and in any at most.
    coupling : float
        Least coupling to the direct beam of beams beyond ``weak``, over the strongest of the phase and over their
        excitation error, Å.
    weak, far, back : float
        Excitation errors up to which all beams get first-order amplitudes, up to which those of some coupling do, and
        up to which beams act back on the strong ones away from zone axes, Å⁻¹. Near zone axes those up to ``weak`` do:
        parts of the Laue zones beyond it are worse than none.
    g_strong, g_weak : float
        In-plane |g| up to which beams are propagated at least, and up to which weak ones act back on them near a zone
        axis, Å⁻¹.
    """

    strong: float
    fewest_strong: int
    most_strong: int
    coupling: float
    weak: float = 0.08
    far: float = 0.2
    back: float = 0.0
    g_strong: float = 1.65
    g_weak: float = 2.4

    def choice(self, potential: Potential, lengths: np.ndarray, density: float, k: float) -> BeamChoice:
        """Return which beams are taken: ``lengths`` of all reflections, Å⁻¹, ``density`` their number per Å⁻³."""
        per_error = 2 * math.pi * self.g_strong**2 * density
        squares = _squares(potential)
        coupling = math.sqrt(squares.max()) / (2 * k)
        inner = lengths <= G_NEAR  # a direction has a reflection within NEAR of the sphere with this chance
        chance = np.minimum(NEAR / np.maximum(lengths[inner], NEAR), 1)
        near_coupling = float(chance @ squares[potential.origin + potential.places[inner]])
        strong = min(max(self.strong * coupling, self.fewest_strong / per_error), self.weak)
        few = 2 * math.pi * self.g_weak**2 * density * strong <= _FEW
        return BeamChoice(
            strong=strong,
            strong_zone=min(_STRONG_ZONE * strong, self.weak),
            weak=self.weak,
            far=self.far,
            far_coupling=self.coupling * coupling,
            back=max(self.back, _BACK) if few else self.back,
            g_strong=self.g_strong,
            g_weak=self.g_weak,
            near=NEAR,
            g_near=G_NEAR,
            zone=(_ZONE_OF_FEW if few else _ZONE) * near_coupling,
            most_strong=self.most_strong,
        )


ACCURACIES = {
    "default": Accuracy(strong=50, fewest_strong=90, most_strong=900, coupling=1.5),
    "fine": Accuracy(strong=60, fewest_strong=150, most_strong=1200, coupling=0.5, back=0.08, g_strong=2.0),
}


@dataclass(frozen=True, slots=True)
class BlochTables:
    """One phase.

    Attributes
    ----------
    name : str
        Of the phase.
    lattice : Lattice
        Reflections as rows; in the place of |F|² stands 1 for those that scattering leads to, be it in several steps.
    hkl : (n, 3) int16
        Miller indices.
    indices : (n, 3) int16
        The same along the axes of ``lattice``.
    potential : Potential
        What couples the beams.
    choice : BeamChoice
        Which beams are taken into account.
    reached_per_volume : float
        Reflections that scattering leads to per Å⁻³.
    """

    name: str
    lattice: Lattice
    hkl: np.ndarray
    indices: np.ndarray
    potential: Potential
    choice: BeamChoice
    reached_per_volume: float

    @property
    def lengths(self) -> np.ndarray:
        """(n,) |g| of the reflections, Å⁻¹."""
        return np.linalg.norm(self.indices @ np.asarray(self.lattice.axes, np.float64), axis=1)

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
        reach = max(q_max_per_angstrom, accuracy.g_weak) * scales[1]
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
            bloch.absorption,
        )
        hkl = mirrored(half.hkl(), -1).astype(np.int16)
        reached = _reached(potential, half)
        density = np.count_nonzero(reached) / (4 / 3 * math.pi * reach**3)
        return cls(
            crystal.name,
            as_lattice(half, reached.astype(np.float32)[:, None]),
            hkl,
            np.ascontiguousarray(hkl[:, half.order]),
            potential,
            accuracy.choice(potential, mirrored(half.lengths()), density, k),
            density,
        )


def _reached(potential: Potential, half: FriedelHalf) -> np.ndarray:
    """Return (n,) whether scattering can lead to each reflection, be it in several steps.

    Those that are extinct because the cell is a centred one cannot be reached; they are no points of the lattice that
    the others span.
    """
    near = half.lengths() <= _NEAR_PER_ANGSTROM
    places = potential.origin + potential.places[len(half) - 1 :]
    size = np.abs(potential.real[0, 0, places])
    if potential.imaginary.shape[2]:
        size = np.hypot(size, potential.imaginary[0, 0, places])
    hkl = half.hkl()
    basis = spanned_lattice(hkl[near & (size > _EXTINCT * size.max())])
    steps = hkl @ np.linalg.inv(basis)
    return mirrored(np.all(np.abs(steps - np.rint(steps)) < 1e-6, axis=1))


def _squares(potential: Potential) -> np.ndarray:
    """Return |U|² at every place, Å⁻⁴; 0 at 000."""
    middle = np.array([potential.real.shape[0], potential.real.shape[1]]) // 2
    squared = potential.real[tuple(middle)].astype(np.float64) ** 2
    if potential.imaginary.shape[2]:
        squared += potential.imaginary[tuple(middle)].astype(np.float64) ** 2
    squared[potential.origin] = 0.0
    return squared
