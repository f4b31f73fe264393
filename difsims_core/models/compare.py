"""Challenger and champion on the same held-out rows and on the same scans."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.errors import CorruptDataError, ExperimentError, InputError, MissingObjectError, StoreError
from difsims_core.learn.data.pattern_stream import rows_in_memory
from difsims_core.learn.data.split import Part, part_of
from difsims_core.learn.data.training_data import (
    SAME_AXIS_PER_ANGSTROM,
    TrainingData,
    load_training_data,
    streamed_training_data,
)
from difsims_core.models.comparison import Comparison, HeldOut, ScanScores
from difsims_core.storage import layout
from difsims_core.storage.npz.checks import text
from difsims_core.storage.npz.members import read_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.storage.objects import ObjectStore

logger = logging.getLogger(__name__)

_BATCH_ROWS = 8192


def compare(
    store: ObjectStore,
    challenger: ModelBundle,
    champion: ModelBundle,
    experiments: Iterable[str] = (),
    *,
    simulations: Iterable[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Compare two models on what neither was trained on; no truth map is looked at.

    Parameters
    ----------
    store
        Where both lie, and their evaluations.
    challenger, champion
        The models.
    experiments
        Names of scans that both have mapped and that were evaluated.
    simulations
        The challenger's datasets, ids or URLs; default: by their ids in the store.
    progress
        Called with the number of held-out patterns that are done.

    Raises
    ------
    StoreError
        If a dataset or an evaluation cannot be read.
    """
    nothing = Comparison(challenger.id, champion.id, HeldOut.start(challenger.phases))
    refused = why_incomparable(challenger, champion)
    if refused:
        return replace(nothing, refused=refused)
    opened = _datasets(store, challenger, simulations)
    if challenger.simulation is not None:
        data = streamed_training_data(store, challenger.simulation, challenger.training)
        seeds = [challenger.simulation.spec.seed]
    else:
        data, seeds = _stored(opened, challenger)
    theirs = _for_the_other(data, opened, challenger, champion)
    if theirs is None:
        return replace(nothing, refused=_other_form(challenger, champion))
    shared = _shared(seeds, seen_seeds(store, champion))
    held_out = _count_right(challenger, champion, (data, theirs), shared, progress)
    scans, left_out = compare_scans(store, challenger.id, champion.id, experiments)
    return replace(nothing, held_out=held_out, scans=scans, left_out=left_out)


def why_incomparable(challenger: ModelBundle, champion: ModelBundle) -> str:
    """Return why two models do not answer the same question, or an empty text."""
    if sorted(challenger.phases) != sorted(champion.phases):
        return f"the challenger knows {', '.join(challenger.phases)}, the champion {', '.join(champion.phases)}"
    if challenger.preprocessing.sqrt != champion.preprocessing.sqrt:
        return "only one of the two takes square roots of the patterns"
    if challenger.input.array != champion.input.array:
        return ""  # a dataset may hold both
    here, there = challenger.q_axis, champion.q_axis
    if here.shape != there.shape or not np.allclose(here, there, rtol=0, atol=SAME_AXIS_PER_ANGSTROM):
        ends = [f"{len(q)} points {q[0]:.4f} … {q[-1]:.4f} Å⁻¹" for q in (here, there)]
        return f"the challenger takes patterns of {ends[0]}, the champion of {ends[1]}"
    return _other_form(challenger, champion) if challenger.other_axes != champion.other_axes else ""


def _other_form(challenger: ModelBundle, champion: ModelBundle) -> str:
    forms = [f"{model.input} of shape {model.input_shape}" for model in (challenger, champion)]
    return f"the challenger takes {forms[0]}, the champion {forms[1]}, and no dataset here holds both"


def _datasets(store: ObjectStore, challenger: ModelBundle, simulations: Iterable[str] | None) -> list[Simulation]:
    named = [open_simulation(name, store) for name in simulations or ()]
    return named or [_own_dataset(name, store) for name in challenger.sim_ids]


def _for_the_other(
    data: TrainingData, simulations: Sequence[Simulation], challenger: ModelBundle, champion: ModelBundle
) -> TrainingData | None:
    """Return the challenger's rows as the champion takes them; None where the datasets do not hold them so."""
    array = champion.input.array
    if challenger.input.array == array:
        return data
    if challenger.simulation is not None or not all(array in simulation for simulation in simulations):
        return None
    same_rows = {"max_patterns": challenger.training.max_patterns, "source": "stored"}
    found = load_training_data(simulations, champion.training.model_copy(update=same_rows))
    fits = found.stream.input_shape == champion.input_shape and np.allclose(
        found.q_axis, champion.q_axis, rtol=0, atol=SAME_AXIS_PER_ANGSTROM
    )
    return found if fits else None


def seen_seeds(store: ObjectStore, model: ModelBundle) -> frozenset[int] | None:
    """Return the seeds of what a model was trained on; None when a dataset of it is gone."""
    if model.simulation is not None:
        return frozenset({model.simulation.spec.seed})
    try:
        return frozenset(_own_dataset(name, store).spec.seed for name in model.sim_ids)
    except (StoreError, InputError) as error:
        logger.info("a dataset of %s cannot be read, all are taken as seen by it (%s)", model.id, error)
        return None


def compare_held_out(
    challenger: ModelBundle,
    champion: ModelBundle,
    simulations: Sequence[Simulation],
    seen: frozenset[int] | None,
    progress: Callable[[int], None] | None = None,
) -> HeldOut:
    """Count the right answers of two models on rows that neither has seen, in bounded memory.

    The rows are those of the challenger's test part. A row that the champion may have seen is left out: the draws of a
    pattern are a function of its dataset's seed and its index, so that a dataset of a seed that the champion was
    trained on may hold the champion's patterns again, a little changed; of these datasets only the champion's own test
    part counts. Datasets of other seeds count whole.

    Parameters
    ----------
    challenger, champion
        Models of the same classes, in any order, and the same q axis.
    simulations
        Those that the challenger was trained on.
    seen
        Seeds of the champion's datasets; None: unknown, every dataset is taken as seen.
    progress
        Called with the number of patterns that are done.
    """
    data, seeds = _stored(simulations, challenger)
    return _count_right(challenger, champion, (data, data), _shared(seeds, seen), progress)


def _stored(simulations: Sequence[Simulation], challenger: ModelBundle) -> tuple[TrainingData, list[int]]:
    """Return what datasets hold for a model, and the seed of each, in the order of its sources."""
    data = load_training_data(simulations, challenger.training)
    seeds = {sim.fingerprint: sim.spec.seed for sim in simulations}
    return data, [seeds[fingerprint] for fingerprint in data.sim_fingerprints]


def _shared(seeds: Sequence[int], seen: frozenset[int] | None) -> list[bool]:
    return [seen is None or seed in seen for seed in seeds]


def _count_right(
    challenger: ModelBundle,
    champion: ModelBundle,
    data: tuple[TrainingData, TrainingData],
    shared: Sequence[bool],
    progress: Callable[[int], None] | None,
) -> HeldOut:
    """Count on the rows of the challenger's data, and the same rows as the champion takes them."""
    phases = data[0].phases
    order = {name: index for index, name in enumerate(phases)}
    tally = HeldOut.start(phases)
    for *patterns, labels in _batches(_common_rows(data, champion, shared)):
        models = zip((challenger, champion), patterns, strict=True)
        tally = tally.add(labels, *(_answers(model, order, taken) == labels for model, taken in models))
        if progress is not None:
            progress(tally.n)
    return tally


def compare_scans(
    store: ObjectStore, challenger: str, champion: str, experiments: Iterable[str]
) -> tuple[tuple[ScanScores, ...], dict[str, str]]:
    """Return the peak scores of two models on the scans of which both have mapped the same bytes, and what is left out.

    A scan whose evaluation or prediction cannot be used is left out with the reason; it does not end the comparison.

    Parameters
    ----------
    store
        Where the evaluations lie.
    challenger, champion
        Ids.
    experiments
        Names of scans that both have mapped.
    """
    scans, left_out = [], {}
    for name in experiments:
        try:
            first, second = (_scan_of(store, model, name) for model in (challenger, champion))
            documents = [store.read_record(layout.evaluation(model, name)) for model in (challenger, champion)]
            scores = ScanScores(name, *map(margins, documents))
        except (InputError, CorruptDataError, MissingObjectError) as error:
            left_out[name] = str(error)
            continue
        if first != second:
            left_out[name] = "the two models have mapped different versions of this scan"
            continue
        scans.append(scores)
    return tuple(scans), left_out


def margins(document: Mapping[str, Any]) -> dict[str, float]:
    """Return, from an evaluation, by how much the peaks of each phase fit it better than any other phase.

    Raises
    ------
    ExperimentError
        If it is no evaluation.
    """
    try:
        found = {
            phase["phase"]: phase["match"]["f1"] - phase["null_f1"]
            for phase in document["phases"]
            if phase["match"] is not None and phase["null_f1"] is not None
        }
    except (KeyError, TypeError, OverflowError) as error:
        raise ExperimentError(f"not an evaluation ({type(error).__name__} {error})", "evaluate the map again") from None
    if not all(isinstance(name, str) and -1 <= value <= 1 for name, value in found.items()):
        raise ExperimentError("an evaluation whose peak scores are none", "evaluate the map again")
    return found


def _own_dataset(name: str, store: ObjectStore) -> Simulation:
    """Open a dataset that the record of a model names: by its id in this store, never by a place of its choice."""
    return open_simulation(layout.check_simulation_id(name), store)


def _scan_of(store: ObjectStore, model: str, name: str) -> str:
    """Return the checksum of the scan that a prediction was made from."""
    url = store.url(layout.prediction(model, name))
    return text(url, "experiment_sha256", read_members(url, ("experiment_sha256",))["experiment_sha256"])


def _common_rows(
    data: tuple[TrainingData, TrainingData], champion: ModelBundle, shared: Sequence[bool]
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the patterns, as either model takes them, and classes of rows held out for both, a window at a time."""
    own, other = data[0].stream, champion.training
    for source, theirs, seen in zip(own.sources, data[1].stream.sources, shared, strict=True):
        for start in range(0, source.n_rows, source.window_rows):
            stop = min(start + source.window_rows, source.n_rows)
            rows = np.arange(start, stop)
            keep = part_of(rows, own.held_out_fraction, own.seed) == Part.TEST
            if seen:
                keep &= part_of(rows, other.held_out_fraction, other.seed) == Part.TEST
            if keep.any():
                patterns, labels = source.read(start, stop, keep)
                yield patterns, patterns if theirs is source else theirs.read(start, stop, keep)[0], labels


def _batches(windows: Iterable[tuple[np.ndarray, ...]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Join small windows to batches worth a call of a classifier."""
    held: list[tuple[np.ndarray, ...]] = []
    for window in windows:
        held.append(window)
        rows = min(rows_in_memory(patterns.shape[1:], _BATCH_ROWS) for patterns in window[:-1])
        if sum(len(labels) for *_, labels in held) >= rows:
            yield tuple(map(np.concatenate, zip(*held, strict=True)))
            held = []
    if held:
        yield tuple(map(np.concatenate, zip(*held, strict=True)))


def _answers(model: ModelBundle, order: Mapping[str, int], patterns: np.ndarray) -> np.ndarray:
    """Return the most probable class of each pattern, in the order of the training data's classes."""
    table = np.array([order[name] for name in model.phases])
    return table[model.classifier.predict(patterns).argmax(axis=1)]
