"""Maps of many scans with one model: a scan that cannot be mapped stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.errors import ExperimentError, InputError, ModelError, StoreError
from difsims_core.guards import Guard, keep_failures
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import PredictionResult, predict_experiment
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.unit_names import QUnit

if TYPE_CHECKING:
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.storage.objects import ObjectStore

PredictOne = Callable[[str], PredictionResult]


@dataclass(frozen=True, slots=True)
class PredictionRun:
    """What became of the scans of one run.

    Attributes
    ----------
    results : tuple of PredictionResult
        Of the scans that are mapped, in order.
    failures : mapping of str to Exception
        Why the others are not, by their URLs.
    """

    results: tuple[PredictionResult, ...]
    failures: Mapping[str, Exception]


def run_prediction(
    store: ObjectStore,
    model: ModelBundle | str,
    experiments: Sequence[str],
    q_unit: QUnit | None = None,
    *,
    beam_energy_kv: float | None = None,
    progress: Callable[[int, str], None] | None = None,
    predict_one: PredictOne | None = None,
    guard: Guard | None = None,
) -> PredictionRun:
    """Map scans with a model and store the maps; those of the same scan and model are kept.

    Parameters
    ----------
    store
        Where the maps go, and where an id is looked up.
    model
        The model, or its id or URL.
    experiments
        URLs or paths of measured profiles.
    q_unit, beam_energy_kv
        Of the scans, see `predict_profiles`.
    progress
        Called after every scan with the number of scans that are done and the URL.
    predict_one
        Maps the scan of a URL; default: `predict_experiment` in this process.
    guard
        Returns the context in which a scan is mapped, and which keeps an error that is the scan's own; default: every
        error but those of the store and of the model is one, and is among the failures that are returned.

    Raises
    ------
    InputError
        If two scans have the same name.
    ModelError, StoreError
        If the model cannot be used, or the store fails.
    """
    check_names(experiments)
    failures: dict[str, Exception] = {}
    results = []

    def map_here() -> PredictOne:
        bundle = load_bundle(model, store) if isinstance(model, str) else model
        return lambda url: predict_experiment(store, bundle, url, q_unit, beam_energy_kv=beam_energy_kv)

    map_scan = predict_one or map_here()
    for done, url in enumerate(experiments, start=1):
        with (guard or keep_failures(failures, _concerns_all))(url):
            results.append(map_scan(url))
        if progress is not None:
            progress(done, url)
    return PredictionRun(tuple(results), failures)


def check_names(experiments: Sequence[str]) -> None:
    """Refuse two scans of the same name, whose maps would overwrite each other.

    Raises
    ------
    InputError
        Naming both.
    """
    names: dict[str, str] = {}
    for url in experiments:
        try:
            other = names.setdefault(experiment_name(url), url)
        except ExperimentError:
            continue  # no name of a scan: mapping it says so
        if other != url:
            raise InputError(
                f"{other} and {url} have the same name, and so would their predictions", "rename one of them"
            )


def _concerns_all(error: Exception) -> bool:
    return isinstance(error, ModelError | StoreError)
