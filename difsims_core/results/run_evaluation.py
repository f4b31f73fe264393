"""Evaluate many predictions: one that cannot be evaluated stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from difsims_core.crystal.catalogue import crystal_files
from difsims_core.errors import CorruptDataError, DifsimsError, InputError, MissingObjectError, StoreError
from difsims_core.guards import Guard, keep_failures
from difsims_core.results.evaluate_map import EvaluatedMap, EvaluationSources, evaluate_map
from difsims_core.results.map_pictures import MapPictures, keep_pictures
from difsims_core.results.map_scores import MapScores
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import (
    PREDICTION_ENDINGS,
    TRUTH_ENDING,
    experiment_name,
    predicted_name,
    read_prediction,
)
from difsims_core.storage.objects import ObjectStore, files_in

EvaluateOne = Callable[[str], EvaluatedMap]
OnMap = Callable[[EvaluatedMap, MapPictures], None]


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """What became of the predictions of one run.

    Attributes
    ----------
    scores : tuple of MapScores
        Of the predictions that are evaluated, in order.
    failures : mapping of str to Exception
        Why others are not, or have no pictures, by their URLs.
    """

    scores: tuple[MapScores, ...]
    failures: Mapping[str, Exception]


def run_evaluation(
    store: ObjectStore,
    predictions: Sequence[str],
    sources: EvaluationSources | None = None,
    *,
    progress: Callable[[int, str], None] | None = None,
    on_map: OnMap | None = None,
    evaluate_one: EvaluateOne | None = None,
    guard: Guard | None = None,
) -> EvaluationRun:
    """Evaluate predictions, keep evaluations and pictures in the store; those of the same inputs are kept.

    Parameters
    ----------
    store
        Keeps them.
    predictions
        URLs.
    sources
        Where scans, truth and crystals lie.
    progress
        Called after every prediction with the number of predictions that are done and the URL.
    on_map
        Called with every map that is evaluated, while its arrays are in memory.
    evaluate_one
        Evaluates the prediction of a URL; default: `evaluate_map` in this process.
    guard
        Returns the context in which a prediction is evaluated, and which keeps an error that is its own; default:
        every error but those of the store is one, and is among the failures that are returned.

    Raises
    ------
    InputError
        If the folder of truth maps or of crystals holds none.
    StoreError
        If the store fails.
    """
    sources = sources or EvaluationSources()
    if sources.truth is not None:
        files_in(sources.truth, TRUTH_ENDING)
    if sources.crystals is not None:
        crystal_files(sources.crystals)
    failures: dict[str, Exception] = {}
    scores: list[MapScores] = []
    for done, url in enumerate(predictions, start=1):
        with (guard or keep_failures(failures, _concerns_all))(url):
            evaluated = evaluate_one(url) if evaluate_one else evaluate_map(store, url, sources)
            scores.append(evaluated.scores)  # it has its scores, whatever becomes of its pictures
            pictures = keep_pictures(store, evaluated)
            if on_map is not None:
                on_map(evaluated, pictures)
        if progress is not None:
            progress(done, url)
    return EvaluationRun(tuple(scores), failures)


def predictions_of(store: ObjectStore, model: str) -> list[str]:
    """Return the URLs of all predictions of a model; none under an earlier name whose scan has another by now."""
    urls: dict[str, str] = {}
    for key in store.list(layout.predictions(model)):
        if key.endswith(PREDICTION_ENDINGS):
            with suppress(InputError):  # an object with a name that this store never gives
                urls[predicted_name(store.url(key))] = store.url(key)
    return [url for name, url in urls.items() if f"{name}_radial_crop" not in urls or not _is_earlier(name, url)]


def _is_earlier(name: str, url: str) -> bool:
    """Return whether a prediction lies under the earlier, shorter name of its scan."""
    try:
        return experiment_name(read_prediction(url).experiment) != name
    except DifsimsError:
        return False  # its evaluation says what is wrong with it


def _concerns_all(error: Exception) -> bool:
    return isinstance(error, StoreError) and not isinstance(error, MissingObjectError | CorruptDataError)
