"""Evaluate one prediction, keep the scores in the store, and know when they are there already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from difsims_core import __version__
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.dataset.crystals import crystal_files
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import CorruptDataError, CrystalError, MissingObjectError, StoreError
from difsims_core.evaluate.experiment_scores import ExperimentEvaluation
from difsims_core.evaluate.partners import folder_of, truth_url
from difsims_core.evaluate.peak_positions import evaluate_all
from difsims_core.storage import layout
from difsims_core.storage.npz import Prediction, predicted_name, read_prediction
from difsims_core.storage.objects import open_store, read_url


def score_prediction(
    store: str, url: str, experiments: str | None = None, truth: str | None = None, crystals: str | None = None
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
    """
    place, prediction = open_store(store), read_prediction(url)
    key = layout.evaluation(prediction.cnn_id, predicted_name(url))
    files = crystals_of(store, prediction, crystals)
    parts = _inputs(url, prediction, truth, crystals, files)
    inputs, without_truth = _digest(parts), _digest(parts | {"truth": None})
    document = _kept(store, key, inputs, without_truth if truth is None else None)
    reused = document is not None
    if document is None:
        document = evaluation_of(url, prediction, experiments, truth, crystals, files).to_document()
        digests = {"inputs_sha256": inputs, "inputs_without_truth_sha256": without_truth}
        place.write_json(key, document | digests | {"prediction": url})
    return summary_row(document) | {"scores": place.url(key), "reused": reused}


def crystals_of(store: str, prediction: Prediction, folder: str | None) -> dict[str, str | None]:
    """Return the CIF file of each class, those of the datasets behind a prediction, unless a folder is named.

    None stands for a file that is gone.
    """
    files: dict[str, str | None] = {}
    if folder is None:
        for simulation in prediction.sim_ids:
            try:
                files |= crystal_files(open_simulation(simulation, open_store(store)))
            except StoreError:
                continue  # a dataset in another store: its phases are looked up by name
    return files


def evaluation_of(
    url: str,
    prediction: Prediction,
    experiments: str | None,
    truth: str | None,
    crystals: str | None,
    files: Mapping[str, str | None],
) -> ExperimentEvaluation:
    """Return everything said about one prediction."""
    folder = experiments or folder_of(prediction, url)
    return evaluate_all([url], folder, crystals, truth, crystal_files=files).per_experiment[0]


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


def _kept(store: str, key: str, inputs: str, without_truth: str | None) -> dict[str, Any] | None:
    """Return the stored scores of these inputs; when no truth is given, also those that a truth map was added to."""
    try:
        document = open_store(store).read_json(key)
    except (MissingObjectError, CorruptDataError):
        return None
    if not isinstance(document, dict):
        return None
    same = document.get("inputs_sha256") == inputs
    same |= without_truth is not None and document.get("inputs_without_truth_sha256") == without_truth
    return document if same else None


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
    found = truth_url(prediction, url, folder)
    return None if found is None else hashlib.sha256(read_url(found)).hexdigest()


def _sha256_of_crystal(name: str, file: str | None, folder: str | None) -> str | None:
    """Return the checksum of the crystal file of a class; ``file`` None: it is gone, empty: it is found by its name."""
    if file is None:
        return None
    try:
        return hashlib.sha256(read_url(find_crystal(name, file or None, folder))).hexdigest()
    except CrystalError:
        return None
