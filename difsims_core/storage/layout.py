"""The names of everything in a store: functions that make keys, and nothing else makes any.

See docs/architecture.md §4.
"""

from __future__ import annotations

import re
import uuid

from difsims_core.errors import InputError
from difsims_core.storage.names import check_key, check_name

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SIMULATION = re.compile(f"sim-{_UUID}")
_MODEL = re.compile(f"cnn-{_UUID}")
_ANY_ID = re.compile(f"(?:sim|cnn)-{_UUID}")
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_RUN = re.compile("run-[0-9a-f]+")

SIMULATIONS = "simulations"
SIMULATION_ENDING = ".zarr"  # of the folder of a dataset
EXPERIMENT_ENDING = ".zarr"  # of the folder of a preprocessed scan
COMPLETE = "complete.json"  # in the Zarr group of a dataset or a preprocessed scan
RECEIPTS = "receipts"
MODELS = "models"
RAW_SCANS = "experiments/raw"
PROFILES = "experiments/profiles"
PROFILES_ENDING = "_radial_crop.npz"  # of the file of profiles of an experiment
POLAR = "experiments/polar"
PREDICTIONS = "predictions"
EVALUATIONS = "evaluations"
EXPORTS = "exports"
REPORTS = "reports"
LIBRARIES = "libraries"
LIBRARY_ENDING = ".zarr"
MODEL_RECORD = "bundle.json"  # in the folder of a model, written last
INTAKE = "experiments/intake.json"  # what is known of each scan
SIMULATION_INDEX = f"{SIMULATIONS}/by-fingerprint"  # folder of the records that find a dataset by its fingerprint
MODEL_INDEX = f"{MODELS}/by-fingerprint"
TRAINING_STATES = f"{MODELS}/unfinished"  # folder of what trainings that were stopped go on from
CHAMPION_NOTES = f"{MODELS}/champions"  # one of each model that was ever champion, beside the registry


def new_simulation_id() -> str:
    """Return a new id of a dataset."""
    return f"sim-{uuid.uuid4()}"


def new_model_id() -> str:
    """Return a new id of a model."""
    return f"cnn-{uuid.uuid4()}"


def is_simulation_id(text: str) -> bool:
    """Return whether a text is the id of a dataset."""
    return _SIMULATION.fullmatch(text) is not None


def is_model_id(text: str) -> bool:
    """Return whether a text is the id of a model."""
    return _MODEL.fullmatch(text) is not None


def find_ids(text: str) -> frozenset[str]:
    """Return the ids of all datasets and models that a text names."""
    return frozenset(_ANY_ID.findall(text))


def is_fingerprint(text: str) -> bool:
    """Return whether a text is a fingerprint: 64 hexadecimal digits."""
    return _FINGERPRINT.fullmatch(text) is not None


def check_simulation_id(text: str) -> str:
    """Return the id of a dataset, or raise ``InputError``."""
    if not is_simulation_id(text):
        raise InputError(f"expected the id of a dataset, sim-<uuid4>, found {text!r}", "`difsims simulate` prints it")
    return text


def check_model_id(text: str) -> str:
    """Return the id of a model, or raise ``InputError``."""
    if not is_model_id(text):
        raise InputError(f"expected the id of a model, cnn-<uuid4>, found {text!r}", "`difsims train` prints it")
    return text


def _check_fingerprint(text: str) -> str:
    if not is_fingerprint(text):
        raise InputError(f"expected a fingerprint of 64 hexadecimal digits, found {text!r}")
    return text


def simulation(simulation_id: str) -> str:
    """Return the key of the Zarr group of a dataset."""
    return f"{SIMULATIONS}/{check_simulation_id(simulation_id)}{SIMULATION_ENDING}"


def receipts(simulation_id: str) -> str:
    """Return the folder of the receipts of a dataset."""
    return f"{simulation(simulation_id)}/{RECEIPTS}"


def receipt(simulation_id: str, block: int) -> str:
    """Return the key of the receipt of a block."""
    return f"{receipts(simulation_id)}/{receipt_name(block)}"


def receipt_name(block: int) -> str:
    """Return the name of the receipt of a block in its folder."""
    return f"{block:05d}.json"


def completion(simulation_id: str) -> str:
    """Return the key of the completion record of a dataset, written last."""
    return f"{simulation(simulation_id)}/{COMPLETE}"


def simulation_index(fingerprint: str) -> str:
    """Return the key of the record that says which dataset has a fingerprint."""
    return f"{SIMULATION_INDEX}/{_check_fingerprint(fingerprint)}.json"


def library(fingerprint: str) -> str:
    """Return the key of the Zarr group of a library of beam directions, by the fingerprint of its recipe."""
    return f"{LIBRARIES}/{library_id(fingerprint)}{LIBRARY_ENDING}"


def library_fingerprint(folder: str) -> str | None:
    """Return the fingerprint that the folder of a library is called by; None when it is called otherwise."""
    found = folder.removeprefix("lib-").removesuffix(LIBRARY_ENDING)
    return found if is_fingerprint(found) and library(found).endswith(f"/{folder}") else None


def library_id(fingerprint: str) -> str:
    """Return what a library of beam directions is called by."""
    return f"lib-{_check_fingerprint(fingerprint)}"


def library_receipt(fingerprint: str, block: int) -> str:
    """Return the key of the receipt of a block of a library."""
    return f"{library(fingerprint)}/{RECEIPTS}/{receipt_name(block)}"


def library_completion(fingerprint: str) -> str:
    """Return the key of the completion record of a library."""
    return f"{library(fingerprint)}/{COMPLETE}"


def experiment_profiles(name: str) -> str:
    """Return the key of the profiles of an experiment, by its name without ``_radial_crop``."""
    return f"{PROFILES}/{check_name(name)}{PROFILES_ENDING}"


def experiment_polar(name: str) -> str:
    """Return the key of the Zarr group of a preprocessed scan: polar patterns, profiles, and all that is known."""
    return f"{POLAR}/{check_experiment_name(name)}{EXPERIMENT_ENDING}"


def check_experiment_name(name: str) -> str:
    """Return the name of an experiment, or raise ``InputError``: reports of runs and models lie in the same folder."""
    if find_ids(name) or _RUN.fullmatch(name):
        raise InputError(f"{name!r} cannot be the name of an experiment: runs and models are called so", "rename it")
    return check_name(name)


def model(model_id: str) -> str:
    """Return the folder of a model."""
    return f"{MODELS}/{check_model_id(model_id)}"


def model_record(model_id: str) -> str:
    """Return the key of the record of a model: what it was made from, and the checksum of its network."""
    return f"{model(model_id)}/{MODEL_RECORD}"


def model_index(fingerprint: str) -> str:
    """Return the key of the record that says which model has a training fingerprint."""
    return f"{MODEL_INDEX}/{_check_fingerprint(fingerprint)}.json"


def training_states(fingerprint: str) -> str:
    """Return the folder of what a training goes on from when it was stopped."""
    return f"{TRAINING_STATES}/{_check_fingerprint(fingerprint)}"


def training_id(fingerprint: str) -> str:
    """Return what a training that was stopped is called by."""
    return f"training-{_check_fingerprint(fingerprint)}"


def training_state(fingerprint: str, network: str) -> str:
    """Return the key of the record of how far a network of a training is."""
    return f"{training_states(fingerprint)}/{check_name(network)}.json"


def training_arrays(fingerprint: str, network: str, epoch: int) -> str:
    """Return the key of the arrays of a network of a training after an epoch."""
    return f"{training_states(fingerprint)}/{check_name(network)}-{epoch:05d}.npz"


def model_registry() -> str:
    """Return the key of the record that says which model is the champion."""
    return f"{MODELS}/registry.json"


def champion_note(model_id: str) -> str:
    """Return the key of the note that a model was made champion once."""
    return f"{CHAMPION_NOTES}/{check_model_id(model_id)}.json"


def predictions(model_id: str) -> str:
    """Return the folder of the predictions of a model."""
    return f"{PREDICTIONS}/{check_model_id(model_id)}"


def prediction(model_id: str, name: str) -> str:
    """Return the key of the prediction of a model for an experiment, by its whole name (`npz.experiment_name`)."""
    return f"{predictions(model_id)}/{check_name(name)}_probability_pred.npz"


def evaluations(model_id: str) -> str:
    """Return the folder of the scores of a model."""
    return f"{EVALUATIONS}/{check_model_id(model_id)}"


def evaluation(model_id: str, name: str) -> str:
    """Return the key of the scores of a model on an experiment, by the name of the prediction."""
    return f"{evaluations(model_id)}/{check_name(name)}.json"


def exports(simulation_id: str) -> str:
    """Return the folder of the exports of a dataset."""
    return f"{EXPORTS}/{check_simulation_id(simulation_id)}"


def export(simulation_id: str, ending: str) -> str:
    """Return the key of the export of a dataset with this ending; one of several files has numbers before it."""
    return f"{exports(simulation_id)}/{check_simulation_id(simulation_id)}{ending}"


def report_folder(owner: str) -> str:
    """Return the folder of the report of a run, or of the figures of a dataset or a model."""
    return f"{REPORTS}/{check_name(owner)}"


def report(run: str) -> str:
    """Return the key of the report of a run."""
    return f"{report_folder(run)}/index.html"


def figure(owner: str, name: str) -> str:
    """Return the key of a figure in the report of a run, or of a dataset or a model."""
    return f"{report_folder(owner)}/{check_name(name)}"


def verdict(experiment: str) -> str:
    """Return the key of the verdict on the raw scan of an experiment, beside its report."""
    return f"{report_folder(experiment)}/verdict.json"


def cache(key: str) -> str:
    """Return the key of something that can be computed again."""
    return f"cache/{check_key(key)}"
