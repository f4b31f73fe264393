"""The reflections of a phase laid out for the Ewald kernel, |F|² as a polynomial in the lattice scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.reflections import EXTINCT, Scatterers, indices_within, reciprocal_basis
from difsims_core.errors import CrystalError
from difsims_core.kernels.records import Lattice

_TOLERANCE = 2e-6
_NARROW, _NODES_NARROW, _NODES_WIDE = 0.05, 6, 13


@dataclass(frozen=True, slots=True)
class ReflectionRows:
    """Reflections as rows along the shortest reciprocal axis.

    Attributes
    ----------
    lattice : Lattice
        As the kernels take them; |F|² is zero where extinct, and at the origin.
    hkl : (n, 3) int16
        Miller indices of each reflection.
    cell_volume : float
        Of the unscaled lattice, Å³.
    """

    lattice: Lattice
    hkl: np.ndarray
    cell_volume: float


def reflection_rows(
    crystal: Crystal,
    q_max_per_angstrom: float,
    scattering_factors: str,
    debye_waller: str | dict[str, float],
    scales: tuple[float, float],
) -> ReflectionRows:
    """Prepare one phase for lattice scales within ``scales`` and scaled |g| up to q_max.

    Raises
    ------
    CrystalError
        If every reflection in range is extinct or there is none.
    """
    basis = reciprocal_basis(crystal.phase)
    order = np.argsort(-np.linalg.norm(basis, axis=1), kind="stable")
    axes = basis[order]
    indices = indices_within(axes, q_max_per_angstrom * scales[1])
    indices = indices[np.lexsort((indices[:, 2], indices[:, 1], indices[:, 0]))]
    rows, offsets, lengths = np.unique(indices[:, :2], axis=0, return_index=True, return_counts=True)
    hkl = np.empty_like(indices)
    hkl[:, order] = indices

    centre, half = (scales[0] + scales[1]) / 2, (scales[1] - scales[0]) / 2
    scatterers = Scatterers.of(crystal.phase, scattering_factors, debye_waller)
    coefficients = _fit(scatterers, hkl, np.linalg.norm(indices @ axes, axis=1), centre, half)
    strongest = np.abs(coefficients[np.any(indices != 0, axis=1), 0]).max(initial=0.0)
    if not strongest > 0:
        raise CrystalError(
            f"{crystal.name}: no allowed reflection with |g| ≤ {q_max_per_angstrom:g} Å⁻¹; "
            "check the cell lengths (Å) and the detector's range"
        )
    coefficients[np.abs(coefficients[:, 0]) < EXTINCT * strongest] = 0.0
    coefficients[np.all(indices == 0, axis=1)] = 0.0
    first = indices[offsets, 2]
    lattice = Lattice(
        axes=np.ascontiguousarray(axes),
        h=rows[:, 0].astype(np.float32),
        j=rows[:, 1].astype(np.float32),
        low=first.astype(np.float32),
        high=indices[offsets + lengths - 1, 2].astype(np.float32),
        offsets=(offsets - first).astype(np.int32),
        intensity=np.ascontiguousarray(coefficients, dtype=np.float32),
        centre=centre,
        half=half if half > 0 else 1.0,
    )
    return ReflectionRows(lattice, hkl.astype(np.int16), 1 / abs(float(np.linalg.det(basis))))


def _fit(scatterers: Scatterers, hkl: np.ndarray, g: np.ndarray, centre: float, half: float) -> np.ndarray:
    """Return (n, d) power-series coefficients of |F|² over the scales, good to 2·10⁻⁶ of the strongest reflection."""
    if half == 0:
        return scatterers.intensity(hkl, (g / centre)[None]).T
    n_nodes = _NODES_NARROW if half / centre <= _NARROW else _NODES_WIDE
    nodes = np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    values = scatterers.intensity(hkl, g / (centre + half * nodes[:, None]))
    transform = chebyshev.chebvander(nodes, n_nodes - 1) * (2 / n_nodes)
    transform[:, 0] /= 2
    series = np.stack([(values * weights[:, None]).sum(axis=0) for weights in transform.T])
    strongest = values[:, g > 0].max(initial=0.0)
    tails = np.cumsum(np.abs(series[::-1, g > 0]), axis=0)[::-1].max(axis=1)
    enough = np.flatnonzero(tails <= _TOLERANCE * strongest)
    degree = int(enough[0]) if len(enough) else n_nodes
    power = np.zeros((max(degree, 1), max(degree, 1)))
    for d in range(len(power)):
        row = chebyshev.cheb2poly(np.eye(len(power))[d])
        power[d, : len(row)] = row
    return series[: len(power)].T @ power
