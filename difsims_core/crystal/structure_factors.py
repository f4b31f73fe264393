"""Kinematical structure factors, F(hkl) = Σ_j occ_j f_j(|g|) exp(−B_j|g|²/4) exp(2πi h·x_j) (docs/physics.md §3).

Atoms of one kind, an element with one B, share everything but their phases, and phases do not change with the lattice
scale: F = Σ_kinds f exp(−B|g|²/4) S, with S the phase sum of a kind, computed once for all scales.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from difsims_core.crystal.indices import FriedelHalf
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.scattering_factors import coefficients_by_element, scattering_factors
from difsims_core.crystal.structure import B_OF_U
from difsims_core.errors import CrystalError
from difsims_core.kernels.structure_factors import add_phase_sums, add_scattered

FactorsOfKind = Callable[[int, np.ndarray], np.ndarray]

_log = logging.getLogger(__name__)
MOST_B = 100.0  # Å², a displacement of more than 1 Å
EXTINCT = 1e-12  # of the strongest |F|²: below it, an intensity is the rounding of zero
_SAME_B_DECIMALS = 12  # symmetry moves the U of an atom by its rounding
REFLECTIONS_AT_ONCE = 2**18  # bounds memory: some 100 MB at 13 lattice scales
_KINDS_AT_ONCE = 8
_INTERVALS_PER_ANGSTROM = 512  # polynomials of degree 5 are then good to 10⁻¹² of f
ATOMS_AT_ONCE = 128  # whose waves stay in the second-level cache


@dataclass(frozen=True, slots=True)
class Scatterers:
    """The atoms of one cell as numbers, sorted by kind.

    Attributes
    ----------
    positions : (n, 3)
        Fractional coordinates.
    weights : (n,)
        Occupancies.
    start : (k + 1,) int64
        Atoms of kind ``i``, an element with one B, are ``start[i]:start[i + 1]``.
    b : (k,)
        Debye–Waller B of each kind, Å².
    coefficients : (k, 5, 2)
        Scattering-factor parameters of each kind.
    parametrisation
        ``lobato`` or ``xtables``.
    """

    positions: np.ndarray
    weights: np.ndarray
    start: np.ndarray
    b: np.ndarray
    coefficients: np.ndarray
    parametrisation: str

    @classmethod
    def of(cls, crystal: Crystal, parametrisation: str, debye_waller: str | Mapping[str, float]) -> Scatterers:
        """Collect the atoms of a crystal."""
        atoms = crystal.structure.atoms
        table = coefficients_by_element(parametrisation)
        elements = np.array(atoms.elements)
        unknown = [element for element in np.unique(elements).tolist() if element not in table]
        if unknown:
            raise CrystalError(f"{crystal.name}: no {parametrisation} scattering factor for {', '.join(unknown)}")
        b = np.round(debye_waller_b(crystal, debye_waller), _SAME_B_DECIMALS)
        order = np.lexsort((b, elements))
        elements, b = elements[order], b[order]
        new = (elements[1:] != elements[:-1]) | (b[1:] != b[:-1])
        first = np.concatenate([[0], np.flatnonzero(new) + 1])
        return cls(
            positions=atoms.positions[order],
            weights=atoms.occupancies[order],
            start=np.append(first, len(atoms)),
            b=b[first],
            coefficients=np.array([table[element] for element in elements[first].tolist()], dtype=float),
            parametrisation=parametrisation,
        )

    def intensity(self, half: FriedelHalf, scales: np.ndarray) -> np.ndarray:
        """Return |F|² of reflections at one or more lattice scales.

        Parameters
        ----------
        half
            The reflections; those of the other half have the same |F|², because scattering factors are real.
        scales
            (s,) factors on a, b, c of the lattice that ``half`` is of; |F|² is evaluated at |g| / scale.

        Returns
        -------
        (s, n) float64, the same for any number of processors.
        """
        result, begin = np.empty((len(scales), len(half))), 0
        for part in half.parts(REFLECTIONS_AT_ONCE):
            n = len(part)
            real, imaginary = self._amplitude_at_once(part, scales, self.elastic_factors)
            result[:, begin : begin + n] = real**2 + imaginary**2
            begin += n
        return result

    def amplitude(self, half: FriedelHalf, scales: np.ndarray, factors: FactorsOfKind | None = None) -> np.ndarray:
        """Return F of reflections at one or more lattice scales, (s, n) complex128, Å; parameters as ``intensity``.

        Those of the other half are its complex conjugates. ``factors`` of the number of a kind of atom and of |g|² (m,)
        stand in the place of f exp(−B|g|²/4), Å, where they are given.
        """
        factors = factors or self.elastic_factors
        parts = [self._amplitude_at_once(part, scales, factors) for part in half.parts(REFLECTIONS_AT_ONCE)]
        return np.concatenate([real + 1j * imaginary for real, imaginary in parts], axis=1)

    def elastic_factors(self, kind: int, squared: np.ndarray) -> np.ndarray:
        """Return (m,) f exp(−B|g|²/4) of a kind of atom, Å, for |g|² (m,), Å⁻²."""
        f = scattering_factors(squared, self.coefficients[kind : kind + 1], self.parametrisation)[:, 0]
        return f * np.exp(-0.25 * self.b[kind] * squared)

    def _amplitude_at_once(
        self, half: FriedelHalf, scales: np.ndarray, factors: FactorsOfKind
    ) -> tuple[np.ndarray, np.ndarray]:
        lengths, per_scale = half.lengths(), _INTERVALS_PER_ANGSTROM / scales
        n_intervals = int(lengths.max() * per_scale.max()) + 1
        real, imaginary = np.zeros((2, len(scales), len(lengths)))
        for first in range(0, len(self.b), _KINDS_AT_ONCE):
            kinds = range(first, min(first + _KINDS_AT_ONCE, len(self.b)))
            sums = np.zeros((len(kinds), 2, len(lengths)))
            for kind, parts in zip(kinds, sums, strict=True):
                self._add_phase_sums(half, kind, parts)
            polynomials = np.stack([_polynomials(partial(factors, kind), n_intervals) for kind in kinds], axis=1)
            add_scattered(lengths, per_scale, polynomials, sums, real, imaginary)
        return real, imaginary

    def _add_phase_sums(self, half: FriedelHalf, kind: int, sums: np.ndarray) -> None:
        """Add Σ_j occ_j exp(2πi h·x_j) over the atoms of a kind to ``sums``, (2, n) real and imaginary parts."""
        lowest, highest = half.rows[:, :3].min(axis=0), half.rows[:, [0, 1, 3]].max(axis=0)
        end = self.start[kind + 1]
        for start in range(self.start[kind], end, ATOMS_AT_ONCE):
            some = slice(start, min(start + ATOMS_AT_ONCE, end))
            first, second, third = (
                index_waves(np.arange(low, high + 1), self.positions[some, axis])
                for low, high, axis in zip(lowest, highest, half.order, strict=True)
            )
            cosine, sine = np.ascontiguousarray(np.real(third).T), np.ascontiguousarray(np.imag(third).T)
            add_phase_sums(half.rows, first * self.weights[some], second, cosine, sine, lowest, *sums)


def _polynomials(factors: Callable[[np.ndarray], np.ndarray], n_intervals: int) -> np.ndarray:
    """Return (n_intervals, 6) polynomials in |g| of a function of |g|², to rounding: through Chebyshev's nodes."""
    nodes = (1 - np.cos(np.pi * (np.arange(6) + 0.5) / 6)) / 2
    squared = ((np.arange(n_intervals)[:, None] + nodes) / _INTERVALS_PER_ANGSTROM) ** 2
    values = factors(squared.ravel()).reshape(squared.shape)
    return np.einsum("nv,cv->nc", values, np.linalg.inv(np.vander(nodes, increasing=True)))


def debye_waller_b(crystal: Crystal, debye_waller: str | Mapping[str, float]) -> np.ndarray:
    """Return (n,) B of the atoms, Å²; ``debye_waller`` is ``none``, ``from_cif`` or {element: B in Å²}."""
    atoms = crystal.structure.atoms
    if debye_waller == "none":
        return np.zeros(len(atoms))
    if debye_waller == "from_cif":
        b = B_OF_U * np.nan_to_num(atoms.u_iso, nan=0.0, posinf=np.inf)
        if not np.all((b >= 0) & (b < MOST_B)):
            raise CrystalError(
                f"{crystal.name}: U of an atom is negative or beyond reason", "correct the CIF file (Å²)"
            )
        if not b.any():
            _log.warning("%s: the crystal file gives no U, so no Debye–Waller factor is applied", crystal.name)
        return b
    assert not isinstance(debye_waller, str)  # noqa: S101 - narrows the type; specs admit nothing else
    return np.array([debye_waller.get(element, 0.0) for element in atoms.elements])


def index_waves(indices: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return (m, n) exp 2πi·index·position."""
    turns = indices[:, None] * positions
    return np.exp(2j * np.pi * (turns - np.rint(turns)))
