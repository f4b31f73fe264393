"""Scans of polycrystalline films, composed of polar patterns of the project's own engine, and what is true of them.

The spots are kinematical; grains blend over a pixel where they touch, the dose varies, an amorphous ring and an
exponential background lie below, and electrons are counted in the effective pixels of each cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from orix.quaternion import Rotation
from scipy.ndimage import gaussian_filter

from difsims_core import polar_patterns
from difsims_core.signal.amplitudes import ring_amplitudes
from difsims_core.signal.cell_pixels import polar_cells
from difsims_core.signal.polar_grid import PolarGrid

PHASES = ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")
GRID = PolarGrid()
DETECTOR = {"detector_size": 256, "calibration": 0.01176}
_DIRECTIONS = 60
_FINE = 6  # places in a pixel, along an edge


@dataclass(frozen=True, eq=False)
class Film:
    """A scan.

    Attributes
    ----------
    patterns : (ny * nx, n_q, n_φ) float32
        As they are measured.
    grain, phase : (ny * nx,) int
        Of the larger part of each pixel; −1: amorphous.
    interior, amorphous : (ny * nx,) bool
        Pixels of which one grain, or what is no crystal, makes up nine tenths.
    shape : tuple of int
        (ny, nx).
    """

    patterns: np.ndarray
    grain: np.ndarray
    phase: np.ndarray
    interior: np.ndarray
    amorphous: np.ndarray
    shape: tuple[int, int]


@cache
def grain_patterns() -> tuple[np.ndarray, np.ndarray]:
    """Return polar patterns of unit scattering (n, n_q, n_φ), and the phase of each."""
    found = []
    for k, phase in enumerate(PHASES):
        found.append(polar_patterns(phase, _turns(k), sigma_px=1.5, max_excitation_error=0.03, grid=GRID, **DETECTOR))
    patterns = np.concatenate(found)
    return patterns / (patterns * area()).sum(axis=(1, 2), keepdims=True), np.repeat(np.arange(3), _DIRECTIONS)


def _turns(seed: int) -> Rotation:
    return Rotation(np.random.default_rng(seed).normal(size=(_DIRECTIONS, 4)))


def area() -> np.ndarray:
    """Return (n_q, 1) pixels of each cell."""
    width = GRID.annuli_per_radius * GRID.grid.step_per_angstrom
    return (2 * np.pi * GRID.q * width / GRID.n_azimuths / DETECTOR["calibration"] ** 2)[:, None]


def film(electrons: float, *, shape=(24, 24), n_grains=36, n_amorphous=3, seed=0, scattered=0.25) -> Film:
    """Compose a scan of so many electrons a pattern, of which crystals scatter a part."""
    rng = np.random.default_rng(seed)
    patterns, phases = grain_patterns()
    n = n_grains + n_amorphous
    used = rng.choice(len(phases), n_grains, replace=False)
    of_grain = np.zeros((n, *patterns.shape[1:]))
    of_grain[:n_grains] = scattered * patterns[used]
    shares = _shares(rng.uniform(0, shape, (n, 2)), shape)
    around = np.exp(-GRID.q / 0.25), np.exp(-0.5 * ((GRID.q - 0.33) / 0.03) ** 2)
    below = sum(
        part * ring[:, None] / (ring[:, None] * area()).sum() for part, ring in zip((0.15, 0.05), around, strict=True)
    )
    dose = electrons * (1 + 0.05 * rng.normal(size=(len(shares), 1, 1)))
    expected = np.tensordot(shares, of_grain, axes=1) + below / GRID.n_azimuths
    expected *= 1 + 0.05 * rng.normal(size=expected.shape)  # the beam drifts, and spots move across edges of cells
    pixels = polar_cells(DETECTOR["detector_size"], DETECTOR["calibration"], GRID).effective
    measured = rng.poisson(np.maximum(dose * expected, 0) * pixels) / pixels
    largest = shares.argmax(axis=1)
    crystalline = largest < n_grains
    grain = np.where(crystalline, largest, -1)
    phase = np.where(crystalline, phases[used[np.minimum(largest, n_grains - 1)]] if n_grains else -1, -1)
    interior, amorphous = crystalline & (shares.max(axis=1) > 0.9), shares[:, n_grains:].sum(axis=1) > 0.9
    return Film(measured.astype(np.float32), grain, phase, interior, amorphous, shape)


def _shares(centres: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return (pixels, n) what each grain of a Voronoi mosaic makes up of each pixel."""
    y, x = ((np.arange(edge * _FINE) + 0.5) / _FINE for edge in shape)
    distance = (y[:, None, None] - centres[:, 0]) ** 2 + (x[None, :, None] - centres[:, 1]) ** 2
    nearest = distance.argmin(axis=-1)
    blended = [
        gaussian_filter((nearest == k).astype(np.float64), 0.5 * _FINE, mode="nearest")
        .reshape(shape[0], _FINE, shape[1], _FINE)
        .mean(axis=(1, 3))
        .ravel()
        for k in range(len(centres))
    ]
    shares = np.stack(blended, axis=1)
    return shares / shares.sum(axis=1, keepdims=True)


def by_templates(patterns: np.ndarray) -> np.ndarray:
    """Return probabilities (n, 3) of measured patterns: by the most alike of all patterns that there are."""
    templates, phases = grain_patterns()
    known, seen = (ring_amplitudes(values).reshape(len(values), -1) for values in (templates, patterns))
    known, seen = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9) for rows in (known, seen))
    best = np.stack([(seen @ known[phases == k].T).max(axis=1) for k in range(len(PHASES))], axis=1)
    shares = np.exp(20 * (best - best.max(axis=1, keepdims=True)))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
