"""Where a phase may show a peak in a radial profile: its reflections, merged into lines (docs/physics.md §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from difsims_core.crystal.reflections import ReflectionList


_SAME_G = 1e-6  # Å⁻¹: equivalent reflections differ by rounding only


@dataclass(frozen=True)
class PowderLines:
    """The lines of one phase, sorted by position.

    Attributes
    ----------
    q : (m,) float64
        Positions |g|, Å⁻¹, at lattice scale 1.
    strength : (m,) float64
        Expected height in the mean profile of randomly oriented grains, relative to the strongest line.
    hkl : (m, 3) int64
        One reflection of each line.
    """

    q: np.ndarray
    strength: np.ndarray
    hkl: np.ndarray

    def between(self, q_min: float, q_max: float, min_strength: float = 0.0) -> PowderLines:
        """Return the lines inside [q_min, q_max] that have at least this strength."""
        keep = (self.q >= q_min) & (self.q <= q_max) & (self.strength >= min_strength)
        return PowderLines(self.q[keep], self.strength[keep], self.hkl[keep])

    def to_document(self) -> dict[str, Any]:
        """Return ``q_per_angstrom``, ``strength`` and ``hkl`` as plain lists."""
        return {
            "q_per_angstrom": [round(float(q), 6) for q in self.q],
            "strength": [round(float(s), 6) for s in self.strength],
            "hkl": self.hkl.tolist(),
        }


def powder_lines(reflections: ReflectionList, q_range: tuple[float, float], min_intensity: float = 1e-4) -> PowderLines:
    """Sum reflections of equal |g| into lines.

    A reflection's strength is |F|²/g²: at random orientations it meets the Ewald sphere with a probability ∝ 1/g, and
    a profile shows the mean over a ring whose circumference is ∝ g.

    Parameters
    ----------
    reflections
        All symmetry equivalents as separate vectors, so that multiplicities come with their number.
    q_range
        Reflections outside of it, Å⁻¹, are left out; strengths are relative to the strongest line within.
    min_intensity
        Reflections with |F|² below this fraction of the strongest one are negligible (extinct ones among them).
    """
    g = np.linalg.norm(np.asarray(reflections.g, np.float64), axis=1)
    intensity = np.asarray(reflections.intensity, np.float64)
    inside = (g >= q_range[0]) & (g <= q_range[1])
    keep = inside & (intensity > 0) & (intensity >= min_intensity * intensity[inside].max(initial=0.0))
    order = np.argsort(g[keep], kind="stable")
    q = g[keep][order]
    strength = intensity[keep][order] / np.square(q)
    hkl = np.asarray(reflections.hkl, np.int64).reshape(-1, 3)[keep][order]
    if not q.size:
        return PowderLines(q, strength, hkl)
    first = np.flatnonzero(np.diff(q, prepend=-np.inf) > _SAME_G)
    total = np.add.reduceat(strength, first)
    return PowderLines(np.add.reduceat(q * strength, first) / total, total / total.max(), hkl[first])


def merge_lines(lines: PowderLines, resolution_per_angstrom: float) -> PowderLines:
    """Merge lines that a profile cannot show apart.

    From the strongest down, each line takes in all those left within the resolution; the result lies at their mean,
    weighted by strength, and keeps the hkl of the strongest.
    """
    free = np.ones(lines.q.size, bool)
    merged: list[tuple[float, float, int]] = []
    for seed in np.argsort(-lines.strength, kind="stable"):
        if not free[seed]:
            continue
        members = free & (np.abs(lines.q - lines.q[seed]) <= resolution_per_angstrom)
        free &= ~members
        weight = lines.strength[members]
        merged.append((float(lines.q[members] @ weight / weight.sum()), float(weight.sum()), int(seed)))
    merged.sort()
    q = np.array([line[0] for line in merged], np.float64)
    strength = np.array([line[1] for line in merged], np.float64)
    hkl = lines.hkl[np.array([line[2] for line in merged], np.int64)]
    return PowderLines(q, strength / strength.max() if merged else strength, hkl)
