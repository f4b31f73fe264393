"""Evaluate one prediction, keep the evaluation in the store, and know when it is there already."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.crystals import Simulated, crystal_files
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import (
    CorruptDataError,
    CrystalError,
    DifsimsError,
    ExperimentError,
    InputError,
    MissingObjectError,
)
from difsims_core.evaluate.experiment_scores import ExperimentEvaluation
from difsims_core.evaluate.peak_positions import LineLibrary, crystal_of_class, evaluate_prediction
from difsims_core.evaluate.scan_files import read_truth_of, scan_folder
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.resources import samples_folder
from difsims_core.results.evaluation_record import EvaluationRecord
from difsims_core.results.map_scores import MapScores
from difsims_core.storage import layout
from difsims_core.storage.names import parent_url
from difsims_core.storage.npz.contracts import Prediction, Truth, predicted_name, read_prediction
from difsims_core.storage.objects import ObjectStore, open_store, read_url
from difsims_core.version import __version__

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluationSources:
    """Where lies what predictions are evaluated against.

    Attributes
    ----------
    experiments : str or None
        Folder of the scans; None: where each prediction says that its scan lies.
    truth, crystals : str or None
        Folders of truth maps and of CIF files; None: no truth, and the crystals of the datasets behind a prediction.
    also_read : tuple of str
        Folders and files outside the store that predictions and datasets may name (`locations_of`).
    """

    experiments: str | None = None
    truth: str | None = None
    crystals: str | None = None
    also_read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluatedMap:
    """An evaluated map with the arrays that were read for it, so that nobody reads them again.

    Attributes
    ----------
    scores : MapScores
        Its numbers, and where its evaluation lies.
    evaluation : ExperimentEvaluation
        Everything said about it.
    prediction : Prediction
        Its probabilities.
    truth : Truth or None
        Its truth map, where it is known.
    """

    scores: MapScores
    evaluation: ExperimentEvaluation
    prediction: Prediction
    truth: Truth | None


def evaluate_map(store: ObjectStore, url: str, sources: EvaluationSources | None = None) -> EvaluatedMap:
    """Evaluate a prediction unless the store holds its evaluation for the same inputs; each npz is read once.

    Parameters
    ----------
    store
        Keeps the evaluation.
    url
        The prediction.
    sources
        Where scan, truth and crystals lie.

    Raises
    ------
    ExperimentError
        If the prediction cannot be evaluated: it, its scan and its truth do not belong together, or it names what is
        not there or may not be read.
    StoreError
        If the store fails.
    """
    try:
        return _evaluate_or_reuse(store, url, sources or EvaluationSources())
    except ExperimentError:
        raise
    except InputError as error:  # an id, a name or a place that the file gives
        raise ExperimentError(f"{url}: {error.problem}", error.remedy) from None


def _evaluate_or_reuse(store: ObjectStore, url: str, sources: EvaluationSources) -> EvaluatedMap:
    prediction = read_prediction(url)
    key = _key_of_evaluation(store, url, prediction)
    origins = () if sources.crystals is not None else origins_of(prediction)
    files = crystals_of(store.root, origins, sources.also_read)
    truth = read_truth_of(prediction, url, sources.truth)
    parts = _inputs(prediction, truth, sources.crystals, files)
    inputs, without_truth = _digest(parts), _digest(parts | {"truth": None})
    evaluation = _kept(store, key, inputs, without_truth if sources.truth is None else None)
    reused = evaluation is not None
    if evaluation is None:
        folder = sources.experiments or scan_folder(prediction, url, _readable(store.root, sources.also_read))
        evaluation = evaluate_prediction(prediction, url, folder, truth, LineLibrary(sources.crystals, files))
        digests = {"inputs_sha256": inputs, "inputs_without_truth_sha256": without_truth}
        store.write_record(key, evaluation.to_document() | digests | {"prediction": url})
    scores = MapScores.of(evaluation, url=store.url(key), prediction=url, reused=reused)
    return EvaluatedMap(scores, evaluation, prediction, truth)


def read_evaluation(store: ObjectStore, url: str) -> EvaluationRecord:
    """Return the evaluation at a URL of the store.

    Raises
    ------
    MissingObjectError, CorruptDataError
        If there is none, or it is damaged.
    """
    key = store.key_of(url)
    return EvaluationRecord.from_document(store.read_record(key), store.url(key))


def locations_of(scans: Iterable[str], simulation: SimulationSpec | None = None) -> list[str]:
    """Return what a run was told to read: the folders of its scans, and the crystals of its own document."""
    found = [parent_url(scan) for scan in scans]
    if simulation is not None:
        found += [phase.cif for phase in simulation.phases if phase.cif is not None]
        found += [] if simulation.crystal_folder is None else [simulation.crystal_folder]
    return list(dict.fromkeys(found))


def _readable(store: str, also_read: Iterable[str]) -> tuple[str, ...]:
    """Return where a scan may be read on the word of a prediction: the store, the samples, and what the user named."""
    return (store, str(samples_folder()), *also_read)


@dataclass(frozen=True, slots=True)
class _Streamed:
    """The patterns that a model was trained on, as the crystals of a dataset are looked up."""

    id: str
    spec: SimulationSpec
    store: ObjectStore
    attrs: Mapping[str, Any]


def origins_of(prediction: Prediction) -> tuple[str, ...]:
    """Return what tells the crystals behind a prediction: its datasets, or the model where this had none."""
    return prediction.sim_ids or (prediction.cnn_id,)


def crystals_of(store: str, origins: Iterable[str], also_read: Iterable[str] = ()) -> dict[str, str | None]:
    """Return the CIF file of each class of datasets, or of models that were trained without one, by their ids.

    None stands for a file that is gone, or that lies where nothing is opened on the word of a record.
    """
    files: dict[str, str | None] = {}
    for name in origins:
        try:
            found = _simulated(name, open_store(store))
            files |= {} if found is None else crystal_files(found, also_read)
        except DifsimsError:
            continue  # one in another store, or a damaged one: its phases are looked up by name
        except Exception as error:  # noqa: BLE001 a damaged record of a dataset is no fault of the map
            _log.warning("the crystals of %s cannot be looked up (%s: %s)", name, type(error).__name__, error)
    return files


def _simulated(name: str, store: ObjectStore) -> Simulated | None:
    if layout.is_simulation_id(name):
        return open_simulation(name, store)
    stream = load_bundle(name, store).simulation if layout.is_model_id(name) else None
    if stream is None:
        return None
    return _Streamed(name, stream.spec, store, {"crystals": [crystal.model_dump() for crystal in stream.crystals]})


def candidate_phases(store: ObjectStore, model: ModelBundle, also_read: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the crystals of the classes of a model, as names or places of files; classes without one are left out."""
    files, found = crystals_of(store.root, model.sim_ids or (model.id,), also_read), list[str]()
    for name in model.phases:
        try:
            found.append(files.get(name) or crystal_of_class(name, None, None))
        except CrystalError:
            continue  # such as the background class
    return tuple(found)


def _key_of_evaluation(store: ObjectStore, url: str, prediction: Prediction) -> str:
    """Return the key of the scores of a prediction; it may speak for no other model than the one it lies with."""
    key = layout.evaluation(prediction.cnn_id, predicted_name(url))
    try:
        folder = store.key_of(url).rpartition("/")[0]
    except InputError:
        return key  # somebody's own file
    if folder.startswith(f"{layout.PREDICTIONS}/") and folder != layout.predictions(prediction.cnn_id):
        raise ExperimentError(
            f"{url}: says that it is of {prediction.cnn_id}, but lies with the predictions of another model",
            "predict again",
        )
    return key


def _kept(store: ObjectStore, key: str, inputs: str, without_truth: str | None) -> ExperimentEvaluation | None:
    """Return the stored evaluation of these inputs; when no truth is given, also one that a truth map was added to."""
    try:
        record = read_evaluation(store, store.url(key))
        own = layout.evaluation(record.cnn_id, record.experiment) == key
    except (MissingObjectError, CorruptDataError, InputError):
        return None  # there is none, or it cannot be shown
    same = record.inputs_sha256 == inputs
    same |= without_truth is not None and record.inputs_without_truth_sha256 == without_truth
    return record.evaluation() if own and same else None


def _inputs(
    prediction: Prediction, truth: Truth | None, crystals: str | None, files: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return everything that scores depend on: prediction, experiment, truth, crystals, code; files as SHA-256."""
    return {
        "prediction": prediction.sha256,
        "datasets": list(prediction.sim_ids),
        "experiment": prediction.experiment_sha256,
        "truth": None if truth is None else truth.sha256,
        "crystals": [_sha256_of_crystal(name, files.get(name, ""), crystals) for name in prediction.phases],
        "version": __version__,
    }


def _digest(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _sha256_of_crystal(name: str, file: str | None, folder: str | None) -> str | None:
    """Return the checksum of the crystal file of a class; ``file`` None: it is gone, empty: it is found by its name."""
    if file is None:
        return None
    try:
        return hashlib.sha256(read_url(crystal_of_class(name, file or None, folder))).hexdigest()
    except CrystalError:
        return None
