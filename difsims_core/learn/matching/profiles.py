"""Profiles against the profiles of templates: their correlation, and the mixture that explains most of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from difsims_core.kernels.matching import correlate as kernels
from difsims_core.learn.matching.grid import TemplateGrid
from difsims_core.learn.matching.smooth import without_smooth
from difsims_core.learn.matching.sparse import padded

_SWEEPS = 100


@dataclass(frozen=True, eq=False)
class ProfileTemplates:
    """The profiles of the templates of one phase.

    Attributes
    ----------
    grid : TemplateGrid
        Which templates there are.
    profile : (m, n_q) float32
        Intensities, of maximum 1.
    strength : (m,) float32
        That maximum for a unit of the crystal's volume, in a unit that all phases share.
    degree : int
        Of the polynomial that is taken off.
    """

    grid: TemplateGrid
    profile: np.ndarray
    strength: np.ndarray
    degree: int

    @classmethod
    def of(cls, grid: TemplateGrid, runs: Iterable[np.ndarray], cell_volume: float, degree: int) -> ProfileTemplates:
        """Keep profiles (n, n_q), given run by run; a volume scatters as |F|² over the square of its cell's, Å³."""
        profiles = np.concatenate(list(runs))
        top = profiles.max(axis=1)
        cell = np.tile(cell_volume * grid.lattice_scale**3, len(profiles) // len(grid.lattice_scale))
        scaled = profiles / np.where(top > 0, top, 1)[:, None]
        return cls(grid, scaled.astype(np.float16).astype(np.float32), (top / cell**2).astype(np.float32), degree)

    @cached_property
    def sharp(self) -> np.ndarray:
        """(n_q′, m) float32: without what is smooth, of norm 1, padded for the kernel."""
        return np.ascontiguousarray(padded(without_smooth(self.profile.astype(np.float64), self.degree)).T)

    @cached_property
    def per_volume(self) -> np.ndarray:
        """(m,) float64: norm of a profile without what is smooth, for a unit of volume."""
        sharp = without_smooth(self.profile.astype(np.float64), self.degree)
        return np.linalg.norm(sharp, axis=1) * self.strength


def sharp_profiles(profiles: np.ndarray, degree: int) -> np.ndarray:
    """Return profiles (n, n_q) without what is smooth, of norm 1, as the kernel takes them.

    >>> sharp_profiles(np.eye(6), 1).shape
    (6, 8)
    """
    return padded(without_smooth(profiles.astype(np.float64), degree))


def best_profiles(sharp: np.ndarray, templates: ProfileTemplates) -> tuple[np.ndarray, np.ndarray]:
    """Return the best template (n,) int64 of each profile of `sharp_profiles`, and its correlation (n,) float32."""
    n = len(sharp)
    rows = np.pad(sharp, ((0, -n % kernels.TOGETHER), (0, 0)))
    scores = np.empty((len(rows), templates.grid.size), np.float32)
    kernels.correlate(rows, templates.sharp, scores)
    best = scores[:n].argmax(axis=1)
    return best, scores[np.arange(n), best]


@dataclass(frozen=True, slots=True)
class Mixtures:
    """What profiles are made of, one template of each phase.

    Attributes
    ----------
    part : (n, k) float32
        Non-negative: how much of each template's profile of norm 1 is in each profile of norm 1.
    volume : (n, k) float64
        The volumes that scatter so, in a unit of each profile's own.
    """

    part: np.ndarray
    volume: np.ndarray


def mixtures(sharp: np.ndarray, phases: tuple[ProfileTemplates, ...]) -> Mixtures:
    """Return the non-negative least squares of profiles by one template of each phase, smooth backgrounds aside.

    The template of a phase is first the one most like the profile, then the one most like what the others leave of it.
    """
    found = [best_profiles(sharp, templates)[0] for templates in phases]
    chosen = _chosen(phases, found)
    part = _non_negative(sharp, chosen)
    for k, templates in enumerate(phases):
        others = part.copy()
        others[:, k] = 0
        left = sharp - np.einsum("nk,nkq->nq", others, chosen)
        found[k] = best_profiles(left.astype(np.float32), templates)[0]
    part = _non_negative(sharp, _chosen(phases, found))
    per_volume = np.stack([templates.per_volume[best] for templates, best in zip(phases, found, strict=True)], axis=1)
    volume = np.divide(part, per_volume, out=np.zeros_like(per_volume), where=per_volume > 0)
    return Mixtures(part.astype(np.float32), volume)


def _chosen(phases: tuple[ProfileTemplates, ...], found: list[np.ndarray]) -> np.ndarray:
    """Return (n, k, n_q′) float64: the template of each phase."""
    pairs = zip(phases, found, strict=True)
    return np.stack([templates.sharp[:, best].T for templates, best in pairs], axis=1).astype(np.float64)


def _non_negative(sharp: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return (n, k): the non-negative parts that leave least of each profile, by coordinate descent."""
    gram = np.einsum("nkq,nlq->nkl", chosen, chosen)
    along = np.einsum("nkq,nq->nk", chosen, sharp)
    part = np.zeros_like(along)
    for _ in range(_SWEEPS):
        for k in range(part.shape[1]):
            rest = along[:, k] - np.einsum("nl,nl->n", gram[:, k], part) + part[:, k] * gram[:, k, k]
            part[:, k] = np.maximum(rest, 0) / np.where(gram[:, k, k] > 0, gram[:, k, k], 1)
    return part
