"""Shuffled batches of labelled patterns out of any number of stored datasets, in bounded memory.

Shuffling has two steps. Windows (runs of whole chunks, read with few requests) are taken in random order
over all datasets and shards, and pooled; the rows of a pool are then permuted. While a pool is used the next is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from difsims_core.errors import CorruptDataError, InputError
from difsims_core.learn.data.split import Part, part_of
from difsims_core.learn.data.streams import ClassGroups, Source

WINDOW_ROWS = 4096
POOL_ROWS = 65_536  # 39 MB of 147 float32 values; two pools are in memory at a time
_POOL_BYTES = 1 << 28  # of patterns so large that fewer rows are pooled
_READERS = 2
_COUNT_ROWS = 1 << 20
_SHUFFLING = 0x4F52444552  # "ORDER": apart from everything else that is derived from a seed


def rows_in_memory(shape: tuple[int, ...], at_most: int) -> int:
    """Return how many patterns of a shape are worked on at a time: fewer where they are large."""
    return max(1, min(at_most, _POOL_BYTES // max(1, 4 * math.prod(shape))))


@dataclass(frozen=True, slots=True, eq=False)
class PatternSource:
    """Patterns and labels of one dataset.

    Attributes
    ----------
    name : str
        For error messages.
    x : (n, *input_shape) float32 array
        Patterns; anything that can be sliced, read a chunk at a time.
    y : (n, 1) or (n,) integer array
        Labels.
    n_rows : int
        Use the first so many rows.
    classes : (k,) int64
        Class of the classifier for each label of this dataset.
    fractions : (n, k) float32 array or None
        Volume fraction of each label's class; None: every pattern shows one grain.
    """

    name: str
    x: Any
    y: Any
    n_rows: int
    classes: np.ndarray
    fractions: Any = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern: (n_q,) or (n_q, n_φ)."""
        return tuple(int(edge) for edge in self.x.shape[1:])

    @property
    def n_classes(self) -> int:
        """Classes of the classifier, as far as this dataset has them."""
        return int(self.classes.max()) + 1

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains of known volume fractions."""
        return self.fractions is not None

    @property
    def window_rows(self) -> int:
        """Rows of a window: whole chunks, about `WINDOW_ROWS`."""
        chunk = int(getattr(self.x, "chunks", (1024,))[0])
        return chunk * max(1, rows_in_memory(self.x.shape[1:], WINDOW_ROWS) // chunk)

    def read(
        self, start: int, stop: int, keep: np.ndarray, *, fractions: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return patterns (m, *input_shape) float32 and classes (m,) int32 of the rows to keep of ``start:stop``.

        With ``fractions`` there are (m, k) float32 volume fractions of the classes in the place of the classes.
        """
        labels = self.read_fractions(start, stop, keep) if fractions else self.read_classes(start, stop, keep)
        return np.asarray(self.x[start:stop], np.float32)[keep], labels

    def read_fractions(self, start: int, stop: int, keep: np.ndarray) -> np.ndarray:
        """Return the volume fractions of the classes alone."""
        found = np.zeros((int(np.count_nonzero(keep)), self.n_classes), np.float32)
        if self.fractions is None:
            found[np.arange(len(found)), self.read_classes(start, stop, keep)] = 1
        else:
            found[:, self.classes] = np.asarray(self.fractions[start:stop])[keep]
        return found

    def read_classes(self, start: int, stop: int, keep: np.ndarray) -> np.ndarray:
        """Return the classes alone."""
        labels = np.asarray(self.y[start:stop]).reshape(stop - start)[keep]
        if labels.size and int(labels.max()) >= len(self.classes):
            raise CorruptDataError(
                f"{self.name}: expected labels 0 … {len(self.classes) - 1}, found {labels.max()} in rows "
                f"{start}:{stop}",
                "verify the dataset",
            )
        return self.classes[labels].astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Window:
    source: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class PatternStream:
    """Batches of the labelled patterns of a part of them.

    Attributes
    ----------
    sources : tuple of Source
        All with the same axes.
    held_out_fraction, seed
        Of the split (`learn.data.split`); the seed also decides the order.
    batch_size : int
        Rows of a batch; the last of an epoch may be smaller.
    pool_rows : int
        Rows among which a batch is drawn, at most; memory is proportional to it, not to the data.
    groups : ClassGroups or None
        Which classes, by which numbers; None: all by their own.
    """

    sources: tuple[Source, ...]
    held_out_fraction: float
    seed: int
    batch_size: int
    pool_rows: int = POOL_ROWS
    groups: ClassGroups | None = None
    _counts: dict[Part, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("expected at least one dataset to read, found none")
        if self.batch_size < 1 or self.pool_rows < 1:
            raise InputError(f"batch_size and pool_rows must be positive, found {self.batch_size}, {self.pool_rows}")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern: (n_q,) or (n_q, n_φ)."""
        return self.sources[0].input_shape

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains of known volume fractions."""
        return any(source.has_fractions for source in self.sources)

    def in_batches_of(self, rows: int) -> Self:
        """Return the same patterns in batches of another size."""
        return replace(self, batch_size=rows)

    def regrouped(self, groups: ClassGroups) -> Self:
        """Return the patterns of some classes, by other numbers."""
        return replace(self, groups=groups, _counts={})

    def count(self, part: Part) -> int:
        """Return how many patterns a part has."""
        if self.groups is not None and part not in self._counts:
            self._counts[part] = int(self.class_counts(part).sum())
        if not self._counts:
            totals = np.zeros(len(Part), np.int64)
            for source in self.sources:
                for start in range(0, source.n_rows, _COUNT_ROWS):
                    parts = self._parts(start, min(start + _COUNT_ROWS, source.n_rows))
                    totals += np.bincount(parts, minlength=len(Part))
            self._counts.update({member: int(totals[member]) for member in Part})
        return self._counts[part]

    def n_batches(self, part: Part) -> int:
        """Return how many batches an epoch of a part has."""
        return -(-self.count(part) // self.batch_size)

    def class_counts(self, part: Part) -> np.ndarray:
        """Return how many patterns of each class a part has, (k,) int64; reads the labels alone."""
        counts = np.zeros(max(source.n_classes for source in self.sources), np.int64)
        for window in self._windows():
            keep = self._parts(window.start, window.stop) == part
            classes = self.sources[window.source].read_classes(window.start, window.stop, keep)
            counts += np.bincount(classes, minlength=len(counts))
        if self.groups is None:
            return counts
        kept = self.groups.keeps(np.arange(len(counts)))
        return np.bincount(self.groups.of[kept], counts[kept], self.groups.n).astype(np.int64)

    def batches(
        self, part: Part, epoch: int | None = None, *, fractions: bool = False
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (patterns (b, *input_shape) float32, classes (b,) int32), every pattern of the part once.

        Parameters
        ----------
        part
            Which patterns.
        epoch
            Number of the pass: each has its own order, the same for the same seed. None: in stored order.
        fractions
            Yield (b, k) float32 volume fractions of the classes in the place of the classes.
        """
        rng = None if epoch is None else np.random.default_rng((_SHUFFLING, self.seed, epoch))
        rest_x, rest_y = np.empty((0, *self.input_shape), np.float32), None
        for pool_x, pool_y in self._pools(part, rng, fractions=fractions):
            x = np.concatenate([rest_x, pool_x])
            y = pool_y if rest_y is None else np.concatenate([rest_y, pool_y])
            order = np.arange(len(y)) if rng is None else rng.permutation(len(y))
            whole = len(y) - len(y) % self.batch_size
            for start in range(0, whole, self.batch_size):
                rows = order[start : start + self.batch_size]
                yield x[rows], y[rows]
            rest_x, rest_y = x[order[whole:]], y[order[whole:]]
        if rest_y is not None and len(rest_y):
            yield rest_x, rest_y

    def _pools(
        self, part: Part, rng: np.random.Generator | None, *, fractions: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        windows = self._windows()
        if rng is not None:
            windows = [windows[i] for i in rng.permutation(len(windows))]
        rows = sum(window.stop - window.start for window in windows)
        pool_rows = rows_in_memory(self.input_shape, self.pool_rows)
        n_pools = min(len(windows), -(-rows // pool_rows))
        edges = [len(windows) * i // n_pools for i in range(n_pools + 1)]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="patterns") as readers:
            try:
                coming = self._start_reading(readers, part, windows[: edges[1]], fractions=fractions)
                for i in range(n_pools):
                    parts = [window.result() for window in coming]
                    following = windows[edges[i + 1] : edges[i + 2]] if i + 2 <= n_pools else []
                    coming = self._start_reading(readers, part, following, fractions=fractions)
                    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
                    del parts
                    yield x, y
            finally:
                readers.shutdown(wait=False, cancel_futures=True)

    def _start_reading(
        self, readers: ThreadPoolExecutor, part: Part, windows: list[_Window], *, fractions: bool
    ) -> list[Any]:
        return [readers.submit(self._read, part, window, fractions=fractions) for window in windows]

    def _read(self, part: Part, window: _Window, *, fractions: bool) -> tuple[np.ndarray, np.ndarray]:
        keep, source = self._parts(window.start, window.stop) == part, self.sources[window.source]
        if self.groups is None:
            return source.read(window.start, window.stop, keep, fractions=fractions)
        keep[keep] = self.groups.keeps(source.read_classes(window.start, window.stop, keep))
        patterns, labels = source.read(window.start, window.stop, keep, fractions=fractions)
        return patterns, self.groups.labels(labels)

    def _windows(self) -> list[_Window]:
        return [
            _Window(index, start, min(start + source.window_rows, source.n_rows))
            for index, source in enumerate(self.sources)
            for start in range(0, source.n_rows, source.window_rows)
        ]

    def _parts(self, start: int, stop: int) -> np.ndarray:
        return part_of(np.arange(start, stop), self.held_out_fraction, self.seed)
