"""The reflections of a phase laid out for the Ewald kernel, |F|² as a polynomial in the lattice scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from difsims_core.crystal.indices import FriedelHalf, friedel_half, mirrored
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.reflections import nm_hint
from difsims_core.crystal.structure_factors import EXTINCT, Scatterers
from difsims_core.errors import CrystalError
from difsims_core.kernels.spots.records import Lattice

_TOLERANCE = 2e-6
_NARROW, _NODES_NARROW, _NODES_WIDE = 0.05, 6, 13
_AT_ONCE = 2**18  # reflections, so that what is needed on the way stays small


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
    basis = crystal.structure.cell.reciprocal
    half = friedel_half(basis, q_max_per_angstrom * scales[1], crystal.name, along_longest_rows=True)
    centre, half_width = (scales[0] + scales[1]) / 2, (scales[1] - scales[0]) / 2
    scatterers = Scatterers.of(crystal, scattering_factors, debye_waller)
    coefficients = _fit(scatterers, half, centre, half_width)
    strongest = np.abs(coefficients[1:, 0]).max(initial=0.0)
    if not strongest > 0:
        raise CrystalError(
            f"{crystal.name}: no allowed reflection with |g| ≤ {q_max_per_angstrom:g} Å⁻¹",
            f"check the detector's range{nm_hint(crystal.structure)}",
        )
    coefficients[np.abs(coefficients[:, 0]) < EXTINCT * strongest] = 0.0
    coefficients[0] = 0.0
    lattice = as_lattice(half, mirrored(coefficients.astype(np.float32)), centre, half_width)
    return ReflectionRows(lattice, mirrored(half.hkl().astype(np.int16), -1), 1 / abs(float(np.linalg.det(basis))))


def as_lattice(half: FriedelHalf, intensity: np.ndarray, centre: float = 1.0, half_width: float = 0.0) -> Lattice:
    """Return all reflections of a half and its mirror image as the kernels take them.

    ``intensity`` (n, d) float32 holds polynomials of |F|² over lattice scales ``centre`` ± ``half_width``.
    """
    h, j, low, high = half.all_rows().T
    sizes = high - low + 1
    return Lattice(
        axes=half.axes,
        h=h.astype(np.float32),
        j=j.astype(np.float32),
        low=low.astype(np.float32),
        high=high.astype(np.float32),
        offsets=(np.cumsum(sizes) - sizes - low).astype(np.int32),
        intensity=intensity,
        centre=centre,
        half=half_width if half_width > 0 else 1.0,
    )


def _fit(scatterers: Scatterers, half: FriedelHalf, centre: float, half_width: float) -> np.ndarray:
    """Return (n, d) power-series coefficients of |F|² over the scales, good to 2·10⁻⁶ of the strongest reflection."""
    if half_width == 0:
        return scatterers.intensity(half, np.array([centre])).T
    n_nodes = _NODES_NARROW if half_width / centre <= _NARROW else _NODES_WIDE
    nodes = np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    values = scatterers.intensity(half, centre + half_width * nodes)
    strongest = values[:, 1:].max(initial=0.0)
    transform = chebyshev.chebvander(nodes, n_nodes - 1) * (2 / n_nodes)
    transform[:, 0] /= 2
    tails = np.zeros(n_nodes)
    for start in range(0, values.shape[1], _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        values[:, part] = np.einsum("sd,sn->dn", transform, values[:, part])  # in loops: the same for any BLAS
        further = values[:, part] if start else values[:, 1:_AT_ONCE]
        tails = np.maximum(tails, np.cumsum(np.abs(further[::-1]), axis=0)[::-1].max(axis=1, initial=0.0))
    enough = np.flatnonzero(tails <= _TOLERANCE * strongest)
    degree = max(int(enough[0]), 1) if len(enough) else n_nodes
    power = np.zeros((degree, degree))
    for d in range(degree):
        row = chebyshev.cheb2poly(np.eye(degree)[d])
        power[d, : len(row)] = row
    return np.einsum("dn,dp->np", values[:degree], power)
