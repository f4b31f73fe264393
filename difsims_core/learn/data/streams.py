"""What a classifier is trained on: batches of labelled patterns, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from difsims_core.learn.data.split import Part


@dataclass(frozen=True, slots=True, eq=False)
class ClassGroups:
    """Classes by other numbers, several under one, some left out.

    Attributes
    ----------
    of : (k,) int64
        The new number of each class; −1: its patterns are left out.
    """

    of: np.ndarray

    @property
    def n(self) -> int:
        """How many there are."""
        return int(self.of.max()) + 1

    def keeps(self, classes: np.ndarray) -> np.ndarray:
        """Return (m,) bool: which patterns of these classes are not left out."""
        return self.of[classes] >= 0

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of patterns that are not left out, (m,) classes or (m, k) fractions, by the new numbers.

        Fractions of classes that are left out go, and the others are what they are of the rest.
        """
        if labels.ndim == 1:
            return self.of[labels].astype(np.int32)
        member = (self.of[:, None] == np.arange(self.n)).astype(np.float32)
        rows = labels @ member
        return rows / rows.sum(axis=1, keepdims=True)


class Source(Protocol):
    """Labelled patterns by row, such as those of a dataset."""

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        ...

    @property
    def window_rows(self) -> int:
        """As many rows as are well read at a time."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern: (n_q,) or (n_q, n_φ)."""
        ...

    @property
    def n_classes(self) -> int:
        """Classes of the classifier."""
        ...

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains of known volume fractions."""
        ...

    def read_classes(self, start: int, stop: int, keep: np.ndarray) -> np.ndarray:
        """Return the classes (m,) int32 alone."""
        ...

    def read(
        self, start: int, stop: int, keep: np.ndarray, *, fractions: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return patterns (m, *input_shape) float32 and classes (m,) int32 of the rows to keep of ``start:stop``.

        With ``fractions`` there are (m, k) float32 volume fractions of the classes in the place of the classes.
        """
        ...


class Stream(Protocol):
    """Batches of labelled patterns, of which a part is held out."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the held-out patterns are; all with the same axes."""
        ...

    @property
    def held_out_fraction(self) -> float:
        """Part of the patterns that is never trained on."""
        ...

    @property
    def seed(self) -> int:
        """Of the split (`learn.data.split`) and of the order."""
        ...

    @property
    def batch_size(self) -> int:
        """Rows of a batch; the last of an epoch may be smaller."""
        ...

    @property
    def pool_rows(self) -> int:
        """Rows among which a batch is drawn, at most."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern: (n_q,) or (n_q, n_φ)."""
        ...

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains of known volume fractions."""
        ...

    def count(self, part: Part) -> int:
        """Return how many patterns an epoch of a part has."""
        ...

    def n_batches(self, part: Part) -> int:
        """Return how many batches an epoch of a part has."""
        ...

    def class_counts(self, part: Part) -> np.ndarray:
        """Return how many patterns of each class the first epoch of a part has, (k,) int64."""
        ...

    def batches(
        self, part: Part, epoch: int | None = None, *, fractions: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (patterns (b, *input_shape) float32, classes (b,) int32) of an epoch of a part.

        Parameters
        ----------
        part
            Which patterns.
        epoch
            Number of the pass, of ``Part.TRAIN``: each has its own order, or its own patterns. None: those of the
            first, in the order of their rows.
        fractions
            Yield (b, k) float32 volume fractions of the classes in the place of the classes.
        """
        ...

    def in_batches_of(self, rows: int) -> Self:
        """Return the same patterns in batches of another size."""
        ...

    def regrouped(self, groups: ClassGroups) -> Self:
        """Return the patterns of some classes, by other numbers; an epoch has as many as the first one has of them."""
        ...
