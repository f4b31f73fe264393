"""The search of a phase's templates: by profile, by their strongest cells, by all; then around the best direction.

A template has a direction of the beam, a thickness and a lattice scale. The profile chooses thickness and scale first,
all cells once the turn in the plane is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.kernels.matching import correlate as profile_kernels
from difsims_core.kernels.matching import turns
from difsims_core.learn.matching.raised import raised
from difsims_core.learn.matching.smooth import without_smooth
from difsims_core.learn.matching.sparse import SparseTemplates, padded

_LEAST = 16  # directions, of few
_LIKELY = 16  # directions that are compared at all turns once more


@dataclass(frozen=True, slots=True)
class SearchWidth:
    """How many directions of a phase are looked at more closely.

    Attributes
    ----------
    by_profile : float
        Part of the directions that their profiles leave.
    by_few : float
        Part of these that the match of the strongest cells leaves.
    last : int
        Directions whose every thickness and lattice scale is compared at all turns: of the best ones so many, and of
        those around the best one.
    """

    by_profile: float
    by_few: float
    last: int


@dataclass(frozen=True, eq=False)
class PreparedPatterns:
    """Polar patterns as the search takes them.

    Attributes
    ----------
    doubled : (n, n_q, 2 n_φ) float32
        Amplitudes of norm 1, each row twice.
    profiles : (n, n_q′) float32
        Their sums over the azimuth, as ``SparseTemplates.profiles``.
    """

    doubled: np.ndarray
    profiles: np.ndarray

    @classmethod
    def of(cls, patterns: np.ndarray, power: float) -> PreparedPatterns:
        """Prepare patterns (n, n_q, n_φ) of any scale."""
        amplitudes = raised(patterns, power)
        n, n_q, n_azimuths = amplitudes.shape
        doubled = np.empty((n, n_q, 2 * n_azimuths), np.float32)
        turns.twice_round(amplitudes, doubled)
        return cls(doubled, padded(without_smooth(amplitudes.sum(axis=2, dtype=np.float64))))

    def of_some(self, chosen: np.ndarray) -> PreparedPatterns:
        """Return some of them, (n,) bool."""
        return PreparedPatterns(self.doubled[chosen], self.profiles[chosen])

    @property
    def n_azimuths(self) -> int:
        """Sectors of the full circle."""
        return self.doubled.shape[2] // 2


@dataclass(frozen=True, slots=True)
class Matches:
    """How well patterns are matched by candidates.

    Attributes
    ----------
    template : (n or 1, c) int32
        The candidates.
    score : (n, c) float32
        ⟨T, P⟩ at the best turn and mirror, 0 … 1.
    turn : (n, c) int16
        That turn, cells towards larger azimuths.
    mirrored : (n, c) bool
        Whether the azimuth of the template was reversed before.
    """

    template: np.ndarray
    score: np.ndarray
    turn: np.ndarray
    mirrored: np.ndarray

    def of_places(self, places: np.ndarray) -> np.ndarray:
        """Return the templates (n, kept) at places of the rows."""
        return np.take_along_axis(self.template, places, axis=1)


def match(prepared: PreparedPatterns, templates: SparseTemplates, candidates: np.ndarray) -> Matches:
    """Compare each pattern with its candidates (n, c), or with the same ones (1, c)."""
    n, c = len(prepared.doubled), candidates.shape[1]
    candidates = np.ascontiguousarray(candidates, np.int32)
    found = Matches(candidates, np.empty((n, c), np.float32), np.empty((n, c), np.int16), np.empty((n, c), bool))
    turns.best_turns(
        prepared.doubled, templates.offset, templates.amplitude, candidates, prepared.n_azimuths, found.score,
        found.turn, found.mirrored,
    )  # fmt: skip
    return found


def preselected(prepared: PreparedPatterns, templates: SparseTemplates, part: float) -> np.ndarray:
    """Return (n, kept) int32 templates, one a direction: that whose profile is most like the pattern's.

    Of all directions a ``part`` is kept: those whose template is most like it.
    """
    n, beside = len(prepared.doubled), templates.grid.beside
    profiles = np.pad(prepared.profiles, ((0, -n % profile_kernels.TOGETHER), (0, 0)))
    scores = np.empty((len(profiles), templates.grid.size), np.float32)
    profile_kernels.correlate(profiles, templates.profiles, scores)
    scores = scores[:n].reshape(n, len(templates.grid.members), beside)
    best = scores.argmax(axis=2)
    directions = _largest(np.take_along_axis(scores, best[:, :, None], axis=2)[:, :, 0], part)
    return directions * np.int32(beside) + np.take_along_axis(best, directions, axis=1).astype(np.int32)


def best_beside(prepared: PreparedPatterns, templates: SparseTemplates, found: Matches) -> Matches:
    """Return the matches of the thickness and lattice scale of each direction that are best at its turn."""
    beside = templates.grid.beside
    first = np.broadcast_to(found.template // beside * beside, found.score.shape).astype(np.int32, order="C")
    best = Matches(np.empty(first.shape, np.int32), np.empty(first.shape, np.float32), found.turn, found.mirrored)
    turns.best_beside(
        prepared.doubled, templates.offset, templates.amplitude, first, beside, found.turn, found.mirrored,
        best.score, best.template,
    )  # fmt: skip
    return best


def _largest(scores: np.ndarray, part: float, least: int = _LEAST) -> np.ndarray:
    """Return the places (n, kept) int32 of the largest scores of each row (n, m): a part of them, and not too few."""
    m = scores.shape[1]
    chosen = np.empty((len(scores), min(m, max(least, int(np.ceil(part * m))))), np.int32)
    profile_kernels.largest(np.ascontiguousarray(scores), chosen)
    return chosen


@dataclass(frozen=True, slots=True)
class BestMatches:
    """The best match of each pattern among the templates of a phase.

    Attributes
    ----------
    template : (n,) int64
        The template.
    score : (n,) float32
        Its score.
    turn : (n,) int64
        The turn of the template, cells.
    mirrored : (n,) bool
        Whether it was mirrored.
    """

    template: np.ndarray
    score: np.ndarray
    turn: np.ndarray
    mirrored: np.ndarray

    @classmethod
    def of(cls, found: Matches) -> BestMatches:
        """Return the best of some candidates; of equal ones the first."""
        best = found.score.argmax(axis=1)[:, None] if found.score.size else np.empty((0, 1), np.int64)
        template = np.broadcast_to(found.template, found.score.shape)
        taken = [np.take_along_axis(values, best, axis=1)[:, 0] for values in (template, found.score, found.turn)]
        mirrored = np.take_along_axis(found.mirrored, best, axis=1)[:, 0]
        return cls(taken[0].astype(np.int64), taken[1], taken[2].astype(np.int64), mirrored)

    def of_some(self, chosen: np.ndarray) -> BestMatches:
        """Return those of some patterns, (n,) bool."""
        return BestMatches(self.template[chosen], self.score[chosen], self.turn[chosen], self.mirrored[chosen])

    def improve(self, chosen: np.ndarray, again: BestMatches) -> None:
        """Take what is better of other matches of some patterns, (n,) bool."""
        places = np.flatnonzero(chosen)
        better = again.score > self.score[places]
        for name in ("template", "score", "turn", "mirrored"):
            getattr(self, name)[places[better]] = getattr(again, name)[better]


def best_matches(prepared: PreparedPatterns, templates: SparseTemplates, width: SearchWidth) -> BestMatches:
    """Return the best match of each pattern: first among all directions, then among those around the best one."""
    grid = templates.grid
    rough = match(prepared, templates.few, preselected(prepared, templates, width.by_profile))
    close = match(prepared, templates, rough.of_places(_largest(rough.score, width.by_few)))
    close = best_beside(prepared, templates, close)
    likely = match(prepared, templates, close.of_places(_largest(close.score, 0, _LIKELY)))
    direction, beside = np.divmod(BestMatches.of(likely).template[:, None], grid.beside)
    around = np.concatenate([direction, grid.around[0][direction[:, 0]]], axis=1) * grid.beside + beside
    near = best_beside(prepared, templates, match(prepared, templates, around))
    last = [found.of_places(_largest(found.score, 0, width.last)) // grid.beside for found in (likely, near)]
    return BestMatches.of(match(prepared, templates, grid.of_directions(np.concatenate(last, axis=1))))
