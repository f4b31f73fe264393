"""The crystal's potential as its Fourier coefficients: what couples the beams of a crystal (docs/physics.md §11).

U_g = γ F_g / (π V) in Å⁻², F_g the structure factor in Å with its Debye–Waller factor, V the volume of the cell, γ the
relativistic factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from difsims_core.crystal.indices import FriedelHalf, friedel_half, mirrored
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.potential.absorption import absorptive_factors
from difsims_core.crystal.structure_factors import FactorsOfKind, Scatterers
from difsims_core.kernels.bloch.records import Potential
from difsims_core.units import relativistic_factor

_SCALE_STEP = 0.03  # coefficients are then linear between two levels within 10⁻³
_B_STEP = 0.12  # Å², likewise up to |g| = 3 Å⁻¹
_REAL = 1e-9  # of the strongest coefficient: imaginary parts below it are rounding


def potential_of(
    crystal: Crystal,
    reflections: FriedelHalf,
    reach_per_angstrom: float,
    scattering_factors: str,
    debye_waller: str | Mapping[str, float],
    beam_energy_kv: float,
    scales: tuple[float, float],
    b: tuple[float, float],
    absorption: float | Literal["phonons"] = 0.0,
) -> Potential:
    """Return the coefficients at the differences of beams.

    Parameters
    ----------
    crystal
        The phase.
    reflections
        Those among which beams are; their axes become those of the table.
    reach_per_angstrom
        Largest |g − h| of the unscaled lattice, Å⁻¹.
    scattering_factors, debye_waller
        As of documents.
    beam_energy_kv
        kV.
    scales, b
        Ranges of lattice scale and of a Debye–Waller B, Å², that is added to that of each atom.
    absorption
        Absorbing part of each coefficient over its value, or what phonons absorb.
    """
    half = friedel_half(crystal.structure.cell.reciprocal, reach_per_angstrom, crystal.name, along_longest_rows=True)
    scale_levels, b_levels = _levels(*scales, _SCALE_STEP), _levels(*b, _B_STEP)
    scatterers = Scatterers.of(crystal, scattering_factors, debye_waller)
    per_f = relativistic_factor(beam_energy_kv) / (math.pi * crystal.structure.cell.volume)
    kinds = [replace(scatterers, b=scatterers.b + extra) for extra in b_levels]
    values = per_f * np.stack([of_b.amplitude(half, scale_levels) for of_b in kinds])
    if absorption == "phonons":
        phonons = [of_b.amplitude(half, scale_levels, _phonon_factors(of_b, beam_energy_kv)) for of_b in kinds]
        absorbed = per_f * np.stack(phonons)
    else:
        absorbed = absorption * values
    imaginary = np.abs(values.imag).max() > _REAL * np.abs(values).max()
    hkl = half.hkl()[:, half.order]
    most = np.abs(hkl).max(axis=0)
    width = 2 * most + 1
    stride = np.array([width[1] * width[2], width[2], 1])
    origin = int(most @ stride)
    tables = np.zeros((2, *values.shape[:2], int(np.prod(width))), np.float32)
    both = (1, values, absorbed), (-1, values.conj(), absorbed.conj())
    for sign, coefficients, absorbing in both:
        places = origin + sign * (hkl @ stride)
        tables[0][..., places] = coefficients.real - absorbing.imag
        tables[1][..., places] = coefficients.imag + absorbing.real
    tables[1][..., origin] = 0.0
    mean = np.stack([values[..., 0].real, absorbed[..., 0].real], axis=-1)
    complex_ = imaginary or bool(absorbed.any())
    return Potential(
        real=tables[0],
        imaginary=tables[1] if complex_ else np.zeros((*values.shape[:2], 0), np.float32),
        mean=mean,
        places=mirrored(reflections.hkl()[:, half.order], -1) @ stride,
        origin=origin,
        b=_first_and_step(b_levels),
        scale=_first_and_step(scale_levels),
    )


def _phonon_factors(scatterers: Scatterers, beam_energy_kv: float) -> FactorsOfKind:
    def factors(kind: int, squared: np.ndarray) -> np.ndarray:
        pairs, b = scatterers.coefficients[kind : kind + 1], scatterers.b[kind : kind + 1]
        return absorptive_factors(np.sqrt(squared), pairs, scatterers.parametrisation, b, beam_energy_kv)[0]

    return factors


def _levels(low: float, high: float, step: float) -> np.ndarray:
    return np.linspace(low, high, 1 + math.ceil((high - low) / step - 1e-9)) if high > low else np.array([low])


def _first_and_step(levels: np.ndarray) -> np.ndarray:
    return np.array([levels[0], levels[1] - levels[0] if len(levels) > 1 else 1.0])
