"""Evaluate one prediction, keep the scores in the store, and know when they are there already."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.crystals import crystal_files
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
from difsims_core.evaluate.peak_positions import crystal_of_class, evaluate_all
from difsims_core.evaluate.scan_files import find_truth, scan_folder
from difsims_core.resources import samples_folder
from difsims_core.storage import layout
from difsims_core.storage.names import parent_url
from difsims_core.storage.npz.contracts import Prediction, predicted_name, read_prediction
from difsims_core.storage.objects import ObjectStore, open_store, read_url
from difsims_core.version import __version__

_log = logging.getLogger(__name__)


def score_prediction(
    store: str,
    url: str,
    experiments: str | None = None,
    truth: str | None = None,
    crystals: str | None = None,
    places: Sequence[str] = (),
) -> dict[str, Any]:
    """Score a prediction unless the store holds its scores for the same inputs; return one row of numbers.

    Parameters
    ----------
    store
        Root URL of the store that keeps the scores.
    url
        The prediction.
    experiments
        Folder of the experiments; default: where the prediction says that its experiment lies.
    truth, crystals
        Folders of truth maps and of CIF files.
    places
        Folders and files outside the store that the prediction and its datasets may name (`places_of`).
    """
    place, prediction = open_store(store), read_prediction(url)
    key = _key_of_scores(place, url, prediction)
    files = crystals_of(store, prediction, crystals, places)
    parts = _inputs(url, prediction, truth, crystals, files)
    inputs, without_truth = _digest(parts), _digest(parts | {"truth": None})
    document = _kept(place, key, inputs, without_truth if truth is None else None)
    reused = document is not None
    if document is None:
        folder = experiments or scan_folder(prediction, url, readable(store, places))
        document = evaluation_of(url, folder, truth, crystals, files).to_document()
        digests = {"inputs_sha256": inputs, "inputs_without_truth_sha256": without_truth}
        place.write_record(key, document | digests | {"prediction": url})
    return summary_row(document) | {"scores": place.url(key), "reused": reused}


def places_of(scans: Iterable[str], simulation: SimulationSpec | None = None) -> list[str]:
    """Return what a run was told to read: the folders of its scans, and the crystals of its own document."""
    found = [parent_url(scan) for scan in scans]
    if simulation is not None:
        found += [phase.cif for phase in simulation.phases if phase.cif is not None]
        found += [] if simulation.crystal_folder is None else [simulation.crystal_folder]
    return list(dict.fromkeys(found))


def readable(store: str, places: Sequence[str]) -> tuple[str, ...]:
    """Return where a scan may be read on the word of a prediction: the store, the samples, and what the user named."""
    return (store, str(samples_folder()), *places)


def crystals_of(
    store: str, prediction: Prediction, folder: str | None, places: Sequence[str] = ()
) -> dict[str, str | None]:
    """Return the CIF file of each class, those of the datasets behind a prediction, unless a folder is named.

    None stands for a file that is gone, or that lies where nothing is opened on the word of a record.
    """
    files: dict[str, str | None] = {}
    for name in () if folder is not None else filter(layout.is_simulation_id, prediction.sim_ids):
        try:
            files |= crystal_files(open_simulation(name, open_store(store)), places)
        except DifsimsError:
            continue  # a dataset in another store, or a damaged one: its phases are looked up by name
        except Exception as error:  # noqa: BLE001 a damaged record of a dataset is no fault of the map
            _log.warning("the crystals of %s cannot be looked up (%s: %s)", name, type(error).__name__, error)
    return files


def evaluation_of(
    url: str, experiments: str, truth: str | None, crystals: str | None, files: Mapping[str, str | None]
) -> ExperimentEvaluation:
    """Return everything said about one prediction."""
    return evaluate_all([url], experiments, crystals, truth, crystal_files=files).per_experiment[0]


def _key_of_scores(store: ObjectStore, url: str, prediction: Prediction) -> str:
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


def summary_row(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a table for one evaluation document."""
    scores = document["truth"] or {}
    matched = [phase for phase in document["phases"] if phase["match"] is not None]
    compared = [phase for phase in matched if phase["better_than_null"] is not None]
    beaten = sum(bool(phase["better_than_null"]) for phase in compared)
    return {
        "map": document["experiment"],
        "accuracy": scores.get("accuracy"),
        "off boundaries": scores.get("accuracy_off_boundaries"),
        "confidence": document["mean_confidence"],
        "invalid": document["n_invalid"],
        "distance (1/Å)": document["mean_distance_per_angstrom"],
        "peaks F1": _mean([phase["match"]["f1"] for phase in matched]),
        "null F1": _mean([phase["null_f1"] for phase in compared]),
        "better than null": f"{beaten} of {len(compared)}",
        "model": document["cnn_id"],
    }


def phase_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a phase of an evaluation document: peak positions with their null."""
    rows = []
    for phase in document["phases"]:
        match = phase["match"] or {}
        rows.append(
            {
                "map": document["experiment"],
                "phase": phase["phase"],
                "pixels": phase["n_pixels"],
                "status": phase["status"],
                "precision": match.get("precision"),
                "recall": match.get("recall"),
                "F1": match.get("f1"),
                "null F1": phase["null_f1"],
                "lattice scale": match.get("scale"),
            }
        )
    return rows


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _kept(store: ObjectStore, key: str, inputs: str, without_truth: str | None) -> dict[str, Any] | None:
    """Return the stored scores of these inputs; when no truth is given, also those that a truth map was added to."""
    try:
        document = store.read_record(key)
        summary_row(document)  # what cannot be shown is scored again
        own = layout.evaluation(document["cnn_id"], document["experiment"]) == key
    except (MissingObjectError, CorruptDataError, InputError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    same = document.get("inputs_sha256") == inputs
    same |= without_truth is not None and document.get("inputs_without_truth_sha256") == without_truth
    return document if own and same else None


def _inputs(
    url: str, prediction: Prediction, truth: str | None, crystals: str | None, files: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return everything that scores depend on: prediction, experiment, truth, crystals, code; files as SHA-256."""
    return {
        "prediction": hashlib.sha256(read_url(url)).hexdigest(),
        "experiment": prediction.experiment_sha256,
        "truth": _sha256_of_truth(url, prediction, truth),
        "crystals": [_sha256_of_crystal(name, files.get(name, ""), crystals) for name in prediction.phases],
        "version": __version__,
    }


def _digest(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _sha256_of_truth(url: str, prediction: Prediction, folder: str | None) -> str | None:
    found = find_truth(prediction, url, folder)
    return None if found is None else hashlib.sha256(read_url(found)).hexdigest()


def _sha256_of_crystal(name: str, file: str | None, folder: str | None) -> str | None:
    """Return the checksum of the crystal file of a class; ``file`` None: it is gone, empty: it is found by its name."""
    if file is None:
        return None
    try:
        return hashlib.sha256(read_url(crystal_of_class(name, file or None, folder))).hexdigest()
    except CrystalError:
        return None
