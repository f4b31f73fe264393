"""Fresh patterns of a simulation document, as many as a training asks for; none of them is stored.

Pattern i is a function of the document's seed and i alone, and so is its side of the split, as in a dataset: the
held-out patterns are those of a dataset of the same document. Every epoch trains on rows that no other epoch has, in an
order of their own. They are simulated in threads, ahead of the batch that is asked for, a few thousand at most.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Self

import numpy as np

from difsims_core.config.simulation import OutputSpec, SimulationSpec
from difsims_core.errors import InputError
from difsims_core.learn.data.pattern_stream import POOL_ROWS, PatternStream, rows_in_memory
from difsims_core.learn.data.split import Part, part_of
from difsims_core.learn.data.streams import ClassGroups
from difsims_core.simulation.simulator import Simulator

MOST_PATTERNS = 10**10
_CHUNK_ROWS = 1024  # of profiles; a run of a simulator's own size
_CHUNK_CELLS = 256 * 74 * 72  # of polar patterns, likewise
_WINDOW_ROWS = 4096
_SHUFFLING = 0x4652455348  # "FRESH": apart from everything else that is derived from a seed
_OUTPUTS = {
    "1d/x_px": ("x_px", {}), "1d/x_q": ("x_q", {}), "1d/x_all": ("x_all", {"x_all": True}),
    "2d/x_px": ("polar_px", {"polar_px": True}), "2d/x_all": ("polar_all", {"polar_all": True}),
    "polar/x": ("polar", {}),
}  # fmt: skip
_Labelled = tuple[np.ndarray, np.ndarray]


def streamed_document(spec: SimulationSpec, array: str, n_patterns: int) -> SimulationSpec:
    """Return the document of a stream: what it simulates beside the array that is trained on is left out.

    Parameters
    ----------
    spec
        What to simulate.
    array
        Path of the array of a dataset: ``1d/x_px``.
    n_patterns
        Of the first epoch, those held out among them.

    Raises
    ------
    InputError
        If patterns of this kind cannot be streamed, or the document does not say how they are made.
    """
    if array not in _OUTPUTS:
        raise InputError(f"{array} cannot be streamed (arrays here: {', '.join(_OUTPUTS)})", "train on a dataset")
    if array == "1d/x_q" and spec.postprocessing.q_crop is None:
        raise InputError("profiles over the q crop were asked for, but none is in the document", "set a q_crop")
    if array == "polar/x" and spec.output.polar is None:
        raise InputError("polar patterns were asked for, but the document makes none", "set output.polar to {}")
    polar = spec.output.polar if array == "polar/x" else None
    wanted = {"x_all": False, "polar": polar, "precision": spec.output.precision, **_OUTPUTS[array][1]}
    return spec.model_copy(update={"output": OutputSpec(**wanted), "n_patterns": n_patterns})


@dataclass(frozen=True, eq=False)
class SimulatedSource:
    """The patterns of a document by row, simulated when they are read.

    Attributes
    ----------
    simulator : Simulator
        Of the document of `streamed_document`.
    array : str
        Path of the array of a dataset that they are in the place of.
    """

    simulator: Simulator
    array: str

    @property
    def n_rows(self) -> int:
        """Rows of the first epoch, held-out ones included."""
        return self.simulator.spec.n_patterns

    @property
    def window_rows(self) -> int:
        """Rows that are simulated at a time."""
        return rows_in_memory(self.input_shape, _WINDOW_ROWS)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern."""
        return self._input_shape

    @cached_property
    def _input_shape(self) -> tuple[int, ...]:
        return self.simulate(np.zeros(1, np.int64))[0].shape[1:]

    @property
    def n_classes(self) -> int:
        """Classes of the classifier."""
        return len(self.simulator.class_names)

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains."""
        return self.simulator.spec.overlap is not None

    def read(self, start: int, stop: int, keep: np.ndarray, *, fractions: bool = False) -> _Labelled:
        """Return patterns and labels of the rows to keep of ``start:stop``, as a dataset would."""
        return self.simulate(np.arange(start, stop)[keep], fractions=fractions)

    def simulate(self, rows: np.ndarray, *, fractions: bool = False) -> _Labelled:
        """Return patterns (m, *input_shape) float32 and labels of any rows (m,) int64, in their order."""
        if not len(rows):
            labels = np.empty((0, self.n_classes), np.float32) if fractions else np.empty(0, np.int32)
            return np.empty((0, *self.input_shape), np.float32), labels
        made = self.simulator.slice_of(rows)
        patterns = getattr(made, _OUTPUTS[self.array][0])
        if not fractions:
            return patterns, made.y.astype(np.int32)
        one = np.eye(self.n_classes, dtype=np.float32)[made.y]
        return patterns, one if made.fractions is None else made.fractions

    def read_classes(self, start: int, stop: int, keep: np.ndarray) -> np.ndarray:
        """Return the classes alone; nothing is simulated for them."""
        return (np.arange(start, stop)[keep] % self.n_classes).astype(np.int32)


@dataclass(frozen=True, eq=False)
class SimulatedStream:
    """Batches of fresh patterns (`learn.data.streams.Stream`).

    Attributes
    ----------
    source : SimulatedSource
        Makes them.
    held_out_fraction, seed
        Of the split; the seed also decides the order.
    batch_size : int
        Rows of a batch; the last of an epoch may be smaller.
    threads : int
        That simulate.
    pool_rows : int
        Rows whose order is mixed; only their numbers are in memory.
    groups : ClassGroups or None
        Which classes, by which numbers; None: all by their own.
    """

    source: SimulatedSource
    held_out_fraction: float
    seed: int
    batch_size: int
    threads: int = os.cpu_count() or 1
    pool_rows: int = POOL_ROWS
    groups: ClassGroups | None = None

    @cached_property
    def _first(self) -> PatternStream:
        """The rows of the first epoch and what is held out of them."""
        return PatternStream(
            (self.source,), self.held_out_fraction, self.seed, self.batch_size, self.pool_rows, self.groups
        )

    @property
    def sources(self) -> tuple[SimulatedSource, ...]:
        """The one that makes them."""
        return (self.source,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern."""
        return self.source.input_shape

    @property
    def has_fractions(self) -> bool:
        """Whether some patterns show two grains of known volume fractions."""
        return self.source.has_fractions

    def count(self, part: Part) -> int:
        """Return how many patterns an epoch of a part has."""
        return self._first.count(part)

    def n_batches(self, part: Part) -> int:
        """Return how many batches an epoch of a part has."""
        return self._first.n_batches(part)

    def class_counts(self, part: Part) -> np.ndarray:
        """Return how many patterns of each class the first epoch of a part has, (k,) int64."""
        return self._first.class_counts(part)

    def in_batches_of(self, rows: int) -> Self:
        """Return the same patterns in batches of another size."""
        return replace(self, batch_size=rows)

    def regrouped(self, groups: ClassGroups) -> Self:
        """Return the patterns of some classes, by other numbers; no others are simulated."""
        return replace(self, groups=groups)

    def batches(self, part: Part, epoch: int | None = None, *, fractions: bool = False) -> Iterator[_Labelled]:
        """Yield the batches of an epoch; of what is held out there is but one, the same again and again."""
        if part != Part.TRAIN or epoch is None:
            yield from self._first.batches(part, None, fractions=fractions)
            return
        ahead: deque[Future[_Labelled]] = deque()
        with ThreadPoolExecutor(self.threads, thread_name_prefix="simulated") as pool:
            try:
                for rows in self._chunks(epoch):
                    ahead.append(pool.submit(self.source.simulate, rows, fractions=fractions))
                    if len(ahead) > 2 * self.threads:
                        yield from self._cut(ahead.popleft().result())
                while ahead:
                    yield from self._cut(ahead.popleft().result())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _cut(self, labelled: _Labelled) -> Iterator[_Labelled]:
        x, y = labelled if self.groups is None else (labelled[0], self.groups.labels(labelled[1]))
        for start in range(0, len(y), self.batch_size):
            yield x[start : start + self.batch_size], y[start : start + self.batch_size]

    def _chunks(self, epoch: int) -> Iterator[np.ndarray]:
        """Yield the rows of an epoch, whole batches at a time, in an order of its own."""
        cells = int(np.prod(self.input_shape))
        wanted = min(_CHUNK_ROWS, max(1, _CHUNK_CELLS // cells))
        size = self.batch_size * max(1, wanted // self.batch_size)
        rest = np.empty(0, np.int64)
        for rows in self._pools(epoch):
            held = np.concatenate([rest, rows])
            whole = len(held) - len(held) % size
            yield from held[:whole].reshape(-1, size)
            rest = held[whole:]
        if len(rest):
            yield rest

    def _pools(self, epoch: int) -> Iterator[np.ndarray]:
        """Yield the rows of an epoch, mixed among so many: as many as the first has, and none of another's."""
        rng = np.random.default_rng((_SHUFFLING, self.seed, epoch))
        n, left = self.source.n_rows, self.count(Part.TRAIN)
        begin = epoch * (n + 10 * int(n**0.5) + 100)  # ten standard deviations: it finds as many before the next begins
        for start in count(begin, self.pool_rows):
            rows = np.arange(start, start + self.pool_rows)
            mine = rows[part_of(rows, self.held_out_fraction, self.seed) == Part.TRAIN]
            if self.groups is not None:
                mine = mine[self.groups.keeps(mine % self.source.n_classes)]
            mine = mine[:left]
            left -= len(mine)
            yield rng.permutation(mine)
            if not left:
                return


def simulated_stream(
    simulator: Simulator, array: str, held_out_fraction: float, seed: int, batch_size: int, epochs: int
) -> SimulatedStream:
    """Return the stream of a prepared document.

    Raises
    ------
    InputError
        If so many epochs have more patterns than a document can have.
    """
    n = simulator.spec.n_patterns
    if (epochs + 1) * 2 * n > MOST_PATTERNS:
        raise InputError(
            f"{epochs} epochs of {n:,} fresh patterns are more than can be told apart", "lower n_patterns or epochs"
        )
    return SimulatedStream(SimulatedSource(simulator, array), held_out_fraction, seed, batch_size)
