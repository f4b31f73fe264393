"""What a comparison of two models consists of: mergeable tallies of held-out rows and of scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from difsims_core.errors import InputError


@dataclass(frozen=True, eq=False)
class HeldOut:
    """How two models answer for the same held-out patterns; parts add up.

    Attributes
    ----------
    phases : (k,) tuple of str
        Classes.
    counts : (k, 2, 2) int64
        Patterns of each class by whether the challenger (second axis) and the champion (third) is right: 0 no, 1 yes.
    """

    phases: tuple[str, ...]
    counts: np.ndarray

    @classmethod
    def start(cls, phases: Sequence[str]) -> HeldOut:
        """Return the tally of no patterns."""
        return cls(tuple(phases), np.zeros((len(phases), 2, 2), np.int64))

    def add(self, labels: np.ndarray, challenger_right: np.ndarray, champion_right: np.ndarray) -> HeldOut:
        """Return the tally with patterns counted in: (n,) labels 0 … k−1 and (n,) bool for each model."""
        cells = 4 * labels.astype(np.int64) + 2 * challenger_right + champion_right
        return replace(self, counts=self.counts + np.bincount(cells, minlength=self.counts.size).reshape(-1, 2, 2))

    def __add__(self, other: HeldOut) -> HeldOut:
        if self.phases != other.phases:
            raise InputError(f"tallies of different classes cannot be added: {self.phases} and {other.phases}")
        return replace(self, counts=self.counts + other.counts)

    @property
    def total(self) -> np.ndarray:
        """(2, 2) patterns of all classes."""
        return self.counts.sum(axis=0)

    @property
    def n(self) -> int:
        """All patterns."""
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class ScanScores:
    """How well the peaks of one scan fit the phases that each model claims (docs/physics.md §10).

    Attributes
    ----------
    experiment : str
        Its name.
    challenger, champion : mapping of str to float
        Peaks F1 minus the best F1 of another phase, for the phases where both are known; a phase that claims no pixel,
        or whose pixels show no peak, is not there.
    """

    experiment: str
    challenger: Mapping[str, float]
    champion: Mapping[str, float]

    @property
    def phases(self) -> tuple[str, ...]:
        """Phases that at least one of the two models can be scored on."""
        return tuple(sorted({*self.challenger, *self.champion}))

    @property
    def difference(self) -> float:
        """Mean over these phases of challenger minus champion; a phase that a model does not show counts as 0.

        So a phase that is no longer found costs what its peaks were worth, and one that was wrongly claimed gains.
        """
        terms = [self.challenger.get(name, 0.0) - self.champion.get(name, 0.0) for name in self.phases]
        return sum(terms) / len(terms) if terms else 0.0

    def margin(self, model: str) -> float:
        """Return the mean over the same phases of ``challenger`` or ``champion``."""
        margins: Mapping[str, float] = getattr(self, model)
        return sum(margins.values()) / len(self.phases) if self.phases else 0.0


@dataclass(frozen=True)
class Comparison:
    """Everything that decides between two models; parts of the held-out rows and of the scans add up.

    Attributes
    ----------
    challenger, champion : str
        Ids.
    held_out : HeldOut
        On rows that neither has seen.
    scans : tuple of ScanScores
        Of the experiments that both have mapped.
    lost : tuple of str
        Experiments that only the champion can map.
    left_out : mapping of str to str
        Experiments that are not compared, and why.
    refused : str
        Why the two cannot be compared at all; empty when they can.
    """

    challenger: str
    champion: str
    held_out: HeldOut
    scans: tuple[ScanScores, ...] = ()
    lost: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    def __add__(self, other: Comparison) -> Comparison:
        if (self.challenger, self.champion) != (other.challenger, other.champion):
            raise InputError("comparisons of different models cannot be added", "compare the same two")
        return replace(
            self,
            held_out=self.held_out + other.held_out,
            scans=self.scans + other.scans,
            lost=self.lost + other.lost,
            left_out={**self.left_out, **other.left_out},
            refused=self.refused or other.refused,
        )
