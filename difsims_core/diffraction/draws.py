"""Everything that is drawn for a pattern, from (seed, pattern index) alone (PHYSICS §8)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from difsims_core.config.distributions import Choice, Distribution, Fixed, LogUniform, Uniform
from difsims_core.config.simulation import SimulationSpec
from difsims_core.kernels import draw
from difsims_core.randomness import Purpose

SIGMA_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn for patterns ``start`` … ``start + n``; the profiles are computed from these very numbers.

    Attributes
    ----------
    orientation : (n, 4) float32
        Unit quaternion (a, b, c, d) of the orix rotation (crystal ← sample).
    lattice_scale, calibration_scale : (n,) float32
        Factors on a, b, c and on the nominal Å⁻¹ per pixel.
    relrod_width_per_angstrom : (n,) float32
        Å⁻¹.
    precession_angle_deg : (n,) float32
        Degrees.
    sigma_px : (n,) float32
        Standard deviation of a spot, pixels.
    removed_spots : (n,) uint64
        Bit r is set when the (r + 1)-th brightest spot was dropped (the last spot of a pattern stays).
    direct_beam : (n,) float32
        Direct beam over the brightest reflection; 0: none.
    dose : (n,) float32
        Counts in the pixel at the centre of the brightest spot; infinite: no counting noise.
    snr, intensity_spike : (n,) float32
        Probability that a pixel is left alone; reading of a hot pixel over the maximum.
    background_amplitude, background_decay_angstrom : (n,) float32
        A and τ.
    """

    orientation: np.ndarray
    lattice_scale: np.ndarray
    calibration_scale: np.ndarray
    relrod_width_per_angstrom: np.ndarray
    precession_angle_deg: np.ndarray
    sigma_px: np.ndarray
    removed_spots: np.ndarray
    direct_beam: np.ndarray
    dose: np.ndarray
    snr: np.ndarray
    intensity_spike: np.ndarray
    background_amplitude: np.ndarray
    background_decay_angstrom: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def draw_patterns(spec: SimulationSpec, grids: list[np.ndarray] | None, start: int, stop: int) -> Draws:
    """Draw everything for patterns ``start`` … ``stop``.

    Parameters
    ----------
    spec
        The document.
    grids
        For each phase the (m, 4) quaternions to choose from; ``None`` draws uniform random rotations.
    start, stop
        Global pattern indices.
    """
    n = stop - start

    def quantity(wanted: Distribution | None, purpose: Purpose, absent: float) -> np.ndarray:
        return draw_quantity(Fixed(fixed=absent) if wanted is None else wanted, spec.seed, purpose, start, n)

    noise, background = spec.noise, spec.background
    infinite = np.full(n, np.inf, np.float32)
    return Draws(
        orientation=_orientations(spec, grids, start, n),
        lattice_scale=_lattice_scales(spec, start, n),
        calibration_scale=quantity(spec.calibration_scale, Purpose.CALIBRATION_SCALE, 1),
        relrod_width_per_angstrom=quantity(spec.diffraction.relrod_width_per_angstrom, Purpose.RELROD_WIDTH, 0),
        precession_angle_deg=quantity(spec.diffraction.precession_angle_deg, Purpose.PRECESSION_ANGLE, 0),
        sigma_px=quantity(_levels_distribution(spec.spots.sigma_px), Purpose.SIGMA, 0),
        removed_spots=_removed_spots(spec, start, n),
        direct_beam=quantity(spec.spots.direct_beam, Purpose.DIRECT_BEAM, 0),
        dose=quantity(noise.dose, Purpose.DOSE, 0) if noise else infinite,
        snr=quantity(noise.snr if noise else None, Purpose.SNR, 1),
        intensity_spike=quantity(noise.intensity_spike if noise else None, Purpose.INTENSITY_SPIKE, 0),
        background_amplitude=quantity(background.amplitude if background else None, Purpose.BACKGROUND_AMPLITUDE, 0),
        background_decay_angstrom=quantity(
            background.decay_angstrom if background else None, Purpose.BACKGROUND_DECAY, 0
        ),
    )


def draw_quantity(wanted: Distribution, seed: int, purpose: Purpose, start: int, n: int) -> np.ndarray:
    """Return (n,) float32 draws of one quantity for patterns ``start`` … ``start + n``."""
    out = np.empty(n, np.float32)
    if isinstance(wanted, Fixed):
        out[:] = wanted.fixed
    elif isinstance(wanted, Choice):
        index = np.empty(n, np.int64)
        draw.choice_index(seed, start, len(wanted.choice), int(purpose), index)
        out[:] = np.array(wanted.choice, np.float32)[index]
    else:
        low, high = wanted.support()
        kernel = draw.log_uniform if isinstance(wanted, LogUniform) else draw.uniform
        kernel(seed, start, low, high, int(purpose), out)
    return out


def sigma_levels(wanted: Distribution) -> np.ndarray:
    """Return the (k,) float32 increasing values that σ can take, pixels: a range stands for 64 even levels."""
    if isinstance(wanted, Choice):
        return np.unique(np.array(wanted.choice, np.float32))
    low, high = wanted.support()
    if low == high:
        return np.array([low], np.float32)
    spaced = np.geomspace if isinstance(wanted, LogUniform) else np.linspace
    return spaced(low, high, SIGMA_LEVELS).astype(np.float32)


def _levels_distribution(wanted: Distribution) -> Distribution:
    if isinstance(wanted, Uniform | LogUniform):
        return Choice(choice=tuple(float(value) for value in sigma_levels(wanted)))
    return wanted


def _orientations(spec: SimulationSpec, grids: list[np.ndarray] | None, start: int, n: int) -> np.ndarray:
    out = np.empty((n, 4), np.float32)
    if grids is None:
        draw.rotation(spec.seed, start, int(Purpose.ORIENTATION), out)
        return out
    labels = (start + np.arange(n)) % len(spec.class_names)
    out[:] = (1, 0, 0, 0)
    for label, grid in enumerate(grids):
        index = np.empty(n, np.int64)
        draw.choice_index(spec.seed, start, len(grid), int(Purpose.ORIENTATION), index)
        mine = labels == label
        out[mine] = grid[index[mine]]
    return out


def _lattice_scales(spec: SimulationSpec, start: int, n: int) -> np.ndarray:
    out = np.ones(n, np.float32)
    n_classes = len(spec.class_names)
    drawn: dict[Any, np.ndarray] = {}
    for label in range(len(spec.phases)):
        wanted = spec.lattice_scale_of(label)
        if wanted not in drawn:
            drawn[wanted] = draw_quantity(wanted, spec.seed, Purpose.LATTICE_SCALE, start, n)
        first = (label - start) % n_classes
        out[first::n_classes] = drawn[wanted][first::n_classes]
    return out


def _removed_spots(spec: SimulationSpec, start: int, n: int) -> np.ndarray:
    out = np.zeros(n, np.uint64)
    removal = spec.spots.removal
    if removal is not None:
        count = -1 if removal.count == "uniform" else min(int(removal.count), removal.among)
        draw.subset(spec.seed, start, removal.among, count, int(Purpose.SPOT_REMOVAL), out)
    return out
