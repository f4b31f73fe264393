"""The lines of candidate phases, as a likelihood of spot radii (docs/physics.md §17)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.reflections import ReflectionList

_Q_MIN, _Q_MAX = 0.05, 2.5  # Å⁻¹
_STEP = 2.5e-4  # of log q
_WIDTHS = np.array([0.0012, 0.002, 0.0035, 0.006, 0.01])  # of log q: what spots are known to
_SMOOTH = 0.12  # of log q: the density without lines
_BY_CHANCE = 0.3  # of the spots lie anywhere
_LEAST = 1e-4  # of the strongest |F|²
_EXPONENT = 0.5  # of |F|²: multiple scattering evens intensities out


@dataclass(frozen=True, slots=True)
class PhaseLines:
    """Logarithms of likelihood ratios, lines over no lines, by the logarithm of q.

    Attributes
    ----------
    tables : (phases, widths, points) float32
    """

    tables: np.ndarray

    def point_of(self, q: np.ndarray) -> np.ndarray:
        """Return where scattering vectors (Å⁻¹) lie in a table, points."""
        return (np.log(q) - math.log(_Q_MIN)) / _STEP

    def width_of(self, relative_error: np.ndarray) -> np.ndarray:
        """Return which width serves spots whose radius is known to a relative error."""
        return np.minimum(np.searchsorted(_WIDTHS, relative_error), len(_WIDTHS) - 1)

    @staticmethod
    def points_for(scale: np.ndarray) -> np.ndarray:
        """Return the points by which spots of lattice scales s move to the lines of scale 1: q becomes q · s."""
        return np.log(scale) / _STEP


def phase_lines(reflections: Sequence[ReflectionList]) -> PhaseLines:
    """Blur the lines of each phase by each width and compare them with their own smooth density.

    A reflection counts by |F|, as multiple scattering makes weak ones strong. A share of 0.3 of the spots is taken to
    lie anywhere.
    """
    from scipy.ndimage import gaussian_filter1d

    n = round(math.log(_Q_MAX / _Q_MIN) / _STEP)
    tables = np.empty((len(reflections), len(_WIDTHS), n), np.float32)
    for p, phase in enumerate(reflections):
        g = np.linalg.norm(np.asarray(phase.g, np.float64), axis=1)
        strength = np.asarray(phase.intensity, np.float64)
        kept = (strength > _LEAST * strength.max(initial=0.0)) & (g > _Q_MIN) & (g < _Q_MAX)
        point = ((np.log(g[kept]) - math.log(_Q_MIN)) / _STEP).astype(np.int64)
        lines = np.bincount(point, strength[kept] ** _EXPONENT, n)
        smooth = gaussian_filter1d(lines, _SMOOTH / _STEP)
        smooth = np.maximum(smooth, 1e-9 * smooth.max(initial=1.0))
        for w, width in enumerate(_WIDTHS):
            ratio = gaussian_filter1d(lines, width / _STEP) / smooth
            tables[p, w] = np.log(_BY_CHANCE + (1 - _BY_CHANCE) * ratio)
    return PhaseLines(tables)
