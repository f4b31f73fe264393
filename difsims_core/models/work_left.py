"""How long it takes to make a model that a store lacks: libraries, patterns, training, by rates that were measured.

Beam directions are timed here and now, a few of each phase. How fast patterns are drawn from libraries and networks
are trained is read from the latest such model of the store, or else from the benchmarks, which name their machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.learn.classifiers.base import input_of

if TYPE_CHECKING:
    from difsims_core.config.learning import TrainingDocument
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.storage.objects import ObjectStore

_TIMED = 16  # beam directions of a phase
_PROCESSORS = 2  # of the machine on which these were measured:
_SIMULATED = {"profile": 24_000.0, "polar": 2_500.0}  # a second, from libraries (tests.benchmarks.bloch)
_TRAINED = {
    "polar_harmonics": 2_168.0, "polar_radial": 1_254.0, "polar_convolutions": 567.0,  # tests.benchmarks.polar_networks
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """A step that is yet to be done.

    Attributes
    ----------
    what : str
        For people.
    seconds : float or None
        About how long it takes on this machine while nothing else runs; None: nothing like it was measured.
    """

    what: str
    seconds: float | None

    def __str__(self) -> str:
        return f"{self.what}: {in_words(self.seconds)}"


def work_left(store: ObjectStore, simulation: SimulationSpec, training: TrainingDocument) -> tuple[Work, ...]:
    """Return what the store lacks of a model, in the order in which it is made; a few beam directions are computed.

    Raises
    ------
    InputError
        If the document cannot be simulated.
    StoreError
        If the store fails.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from difsims_core import SimulationSpec, TrainingSpec
    >>> from difsims_core.models.work_left import work_left
    >>> from difsims_core.storage.objects import open_store
    >>> with TemporaryDirectory() as folder:
    ...     for work in work_left(open_store(folder), SimulationSpec(n_patterns=480_000), TrainingSpec(epochs=2)):
    ...         print(work.what)
    480,000 patterns of 3 phases
    large_filter on 360,000 of the patterns, at most 2 times
    """
    return tuple(_work(store, simulation, training))


def in_words(seconds: float | None) -> str:
    """Return a duration as people say it.

    >>> from difsims_core.models.work_left import in_words
    >>> in_words(40), in_words(1000), in_words(9000), in_words(None)
    ('less than a minute', 'about 17 min', 'about 2.5 h', 'nobody has measured how long')
    """
    if seconds is None:
        return "nobody has measured how long"
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def _work(store: ObjectStore, simulation: SimulationSpec, training: TrainingDocument) -> Iterator[Work]:
    from difsims_core.dataset.build import find

    faster = (os.cpu_count() or 1) / _PROCESSORS
    kind, n = input_of(training).kind, simulation.n_patterns
    if training.max_patterns is not None:
        n = min(n, training.max_patterns)
    n_trained = round(n * (1 - training.held_out_fraction))
    patterns, simulated = n_trained * training.most_epochs, _SIMULATED[kind] * faster
    rate = _measured(store, training)
    if training.source == "stream":
        yield from _libraries(store, simulation)
        if rate is None and (trained := _TRAINED.get(training.label)) is not None:
            rate = 1 / (1 / trained + 1 / simulated)
        yield Work(
            f"{training.label} on {n_trained:,} fresh patterns of {len(simulation.phases)} phases, at most "
            f"{training.most_epochs} times",
            None if rate is None else patterns / rate,
        )
        return
    rate = rate or _TRAINED.get(training.label)
    _, plan = find(store, simulation)
    if plan is None or not plan.complete:
        yield from _libraries(store, simulation)
        seconds = simulation.n_patterns / simulated
        yield Work(f"{simulation.n_patterns:,} patterns of {len(simulation.phases)} phases", seconds)
    yield Work(
        f"{training.label} on {n_trained:,} of the patterns, at most {training.most_epochs} times",
        None if rate is None else patterns / rate,
    )


def _libraries(store: ObjectStore, simulation: SimulationSpec) -> Iterator[Work]:
    """Yield the libraries that are not in the store; of one that is begun the whole counts."""
    if simulation.orientations.kind != "library":
        return
    from difsims_core.dataset.libraries.records import read_completion
    from difsims_core.dataset.libraries.source import StoredLibraries
    from difsims_core.simulation.simulator import Simulator

    engine = Simulator.prepare(simulation, StoredLibraries(store.root)).tables.library
    lacking = [
        one for one in (() if engine is None else engine.recipes) if read_completion(store, one.fingerprint) is None
    ]
    if lacking:
        members = sum(recipe.n_members for recipe in lacking)
        seconds = sum(map(_seconds, lacking)) / (os.cpu_count() or 1)
        names = ", ".join(recipe.crystal.name for recipe in lacking)
        yield Work(f"libraries of {members:,} beam directions of {names}", seconds)


def _seconds(recipe: LibraryRecipe) -> float:
    """Return how long one processor computes the library of a phase, by a few directions from all over it."""
    n = min(_TIMED, recipe.n_members)
    firsts = [round(i * (recipe.n_members - 1) / max(1, n - 1)) for i in range(n)]
    recipe.spots_of(firsts[0], firsts[0] + 1)  # compiles what is not compiled
    started = time.perf_counter()
    for first in firsts:
        recipe.spots_of(first, first + 1)
    return (time.perf_counter() - started) / n * recipe.n_members


def _measured(store: ObjectStore, training: TrainingDocument) -> float | None:
    """Return how many patterns a second the latest such model was trained on: of fresh ones, with their simulation."""
    from difsims_core.learn.bundle import load_bundle
    from difsims_core.storage.ids import list_models

    found: list[tuple[str, float]] = []
    for name in list_models(store):
        try:
            bundle = load_bundle(name, store)
        except (CorruptDataError, InputError, MissingObjectError):
            continue
        same = (bundle.training.label, bundle.training.source) == (training.label, training.source)
        if same and bundle.history:
            found.append((bundle.created, median(float(epoch["samples_per_second"]) for epoch in bundle.history)))
    return max(found)[1] if found else None
