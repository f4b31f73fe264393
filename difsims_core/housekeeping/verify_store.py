"""Check any item of a store, or all of them: datasets, models, experiments, maps, scores, indexes, registry, intake.

A barrier stands around each item: whatever is wrong with one, all the others are checked too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

from difsims_core.dataset.build import read_index
from difsims_core.dataset.description import read_description
from difsims_core.dataset.libraries.read import verify_library
from difsims_core.dataset.verify import verify
from difsims_core.errors import DifsimsError, IncompleteDatasetError, InputError, MissingObjectError
from difsims_core.experiment.write.verify import verify_experiment
from difsims_core.findings import Findings
from difsims_core.housekeeping.verify_prediction import verify_prediction
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.trained_index import indexed_id
from difsims_core.learn.verify import verify_model
from difsims_core.messages import first_line
from difsims_core.models.registry import read_registry
from difsims_core.models.registry_record import ChampionNote
from difsims_core.scans.attempts import read_attempts
from difsims_core.storage import layout
from difsims_core.storage.ids import expand_id, list_models, list_simulations
from difsims_core.storage.names import as_written, same_place
from difsims_core.storage.npz.contracts import (
    PREDICTION_ENDINGS,
)
from difsims_core.storage.objects import ObjectStore, locate

Job = tuple[str, str, Callable[[], Findings]]  # kind, id, check


def verify_item(store: ObjectStore, text: str, resimulate: int = 0) -> Findings:
    """Check one item.

    Parameters
    ----------
    store
        Where ids are looked up.
    text
        Id of a dataset, a model or a library, or its beginning; name of an experiment; URL or path of a dataset or an
        experiment (``….zarr``), of the folder of a model, or of a prediction (``….npz``).
    resimulate
        Blocks of a dataset to simulate again, see `dataset.verify`.

    Raises
    ------
    InputError
        If it is none of these, or the beginning of several ids.
    MissingObjectError
        If no id begins so.
    """
    text = expand_id(store, text.rstrip("/"))
    name = text.rpartition("/")[2]
    if name.endswith(PREDICTION_ENDINGS):
        return _guarded("prediction", as_written(text), partial(verify_prediction, text))
    if layout.is_model_id(name):
        home = store if text == name else _store_of_model(text)
        return _guarded("model", name, partial(verify_model, home, name))
    if f"/{layout.POLAR}/" in text or (text == name and name in _experiments(store)):
        return _guarded(
            "experiment", name.removesuffix(layout.EXPERIMENT_ENDING), partial(verify_experiment, store, text)
        )
    if fingerprint := layout.library_fingerprint(name.removesuffix(layout.LIBRARY_ENDING) + layout.LIBRARY_ENDING):
        return _guarded("library", layout.library_id(fingerprint), partial(verify_library, store, fingerprint))
    if name.endswith(layout.SIMULATION_ENDING) or text.startswith("sim-"):
        return _guarded(
            "dataset", name.removesuffix(layout.SIMULATION_ENDING), partial(verify, store, text, resimulate)
        )
    raise InputError(
        f"{text}: expected the id of a dataset (sim-…), a model (cnn-…) or a library (lib-…), the name of an "
        f"experiment, a dataset or an experiment ….zarr, or a prediction …{PREDICTION_ENDINGS[0]}",
        "without any, the whole store is verified",
    )


def verify_store(store: ObjectStore, kinds: Collection[str] = ()) -> Iterator[Findings]:
    """Yield what is wrong with each item of a store, one after another; raw scans, reports and caches are not checked.

    Parameters
    ----------
    store
        Which.
    kinds
        Of the items, see `Findings`; default: all.

    Raises
    ------
    StoreError
        If the store cannot be listed.
    """
    for kind, name, check in [*_folders(store), *_predictions(store), *_records(store)]:
        if not kinds or kind in kinds:
            yield _guarded(kind, name, check)


def _folders(store: ObjectStore) -> Iterator[Job]:
    datasets = set(list_simulations(store))
    for folder in store.folders(layout.SIMULATIONS):
        name = folder.removesuffix(layout.SIMULATION_ENDING)
        if name in datasets:
            yield "dataset", name, partial(_dataset, store, name)
        elif folder.endswith(layout.SIMULATION_ENDING):
            yield "dataset", folder, partial(_misnamed, "dataset", folder)
    models = set(list_models(store))
    for name in store.folders(layout.MODELS):
        if name in models:
            yield "model", name, partial(_model, store, name)
        elif store.exists(f"{layout.MODELS}/{name}/{layout.MODEL_RECORD}"):
            yield "model", name, partial(_misnamed, "model", name)
    for key in store.list(layout.CHAMPION_NOTES):
        yield "note of a champion", key, partial(_note, store, key)
    for name in _experiments(store):
        yield "experiment", name, partial(_experiment, store, name)
    for folder in store.folders(layout.LIBRARIES):
        yield "library", folder, partial(_library, store, folder)


def _experiments(store: ObjectStore) -> list[str]:
    ending = layout.EXPERIMENT_ENDING
    return [folder.removesuffix(ending) for folder in store.folders(layout.POLAR) if folder.endswith(ending)]


def _predictions(store: ObjectStore) -> Iterator[Job]:
    for key in store.list(layout.PREDICTIONS):
        if key.endswith(".npz"):
            yield "prediction", as_written(store.url(key)), partial(verify_prediction, store.url(key))


def _records(store: ObjectStore) -> Iterator[Job]:
    for key in store.list(layout.EVALUATIONS):
        yield "evaluation", key, partial(_evaluation, store, key)
    for key in store.list(layout.SIMULATION_INDEX):
        yield "index", key, partial(_simulation_index, store, key)
    for key in store.list(layout.MODEL_INDEX):
        yield "index", key, partial(_model_index, store, key)
    if store.exists(layout.model_registry()) or store.list(layout.CHAMPION_NOTES):
        yield "registry", layout.model_registry(), partial(_registry, store)
    if store.exists(layout.INTAKE):
        yield "intake", layout.INTAKE, partial(_intake, store)


def _dataset(store: ObjectStore, name: str) -> Findings:
    try:
        return verify(store, name)
    except IncompleteDatasetError as error:
        return Findings("dataset", name, warnings=(str(error),))
    except MissingObjectError:
        return Findings("dataset", name, warnings=("its folder is empty",))


def _model(store: ObjectStore, name: str) -> Findings:
    try:
        return verify_model(store, name)
    except MissingObjectError:
        return Findings("model", name, warnings=("it has no record: its training was stopped, or goes on",))


def _experiment(store: ObjectStore, name: str) -> Findings:
    try:
        return verify_experiment(store, store.url(layout.experiment_polar(name)))
    except IncompleteDatasetError as error:
        return Findings("experiment", name, warnings=(str(error),))


def _library(store: ObjectStore, folder: str) -> Findings:
    fingerprint = layout.library_fingerprint(folder)
    if fingerprint is None:
        return _misnamed("library", folder)
    try:
        return verify_library(store, fingerprint)
    except IncompleteDatasetError as error:
        return Findings("library", folder, warnings=(str(error),))


def _misnamed(kind: str, folder: str) -> Findings:
    return Findings(kind, folder, (f"a {kind} keeps the name that it was made with, and nothing is called {folder!r}",))


def _note(store: ObjectStore, key: str) -> Findings:
    model = ChampionNote.from_document(store.read_record(key), store.url(key)).model
    failures = () if key == layout.champion_note(model) else (f"says that it is of {model}; delete it",)
    return Findings("note of a champion", key, failures)


def _evaluation(store: ObjectStore, key: str) -> Findings:
    store.read_record(key)
    folder = key.split("/")[1]
    failures = () if layout.is_model_id(folder) else (f"{folder!r} is not the id of a model",)
    return Findings("evaluation", key, failures)


def _simulation_index(store: ObjectStore, key: str) -> Findings:
    plan = read_index(store, _fingerprint_of(key))
    try:
        found = read_description(store, layout.simulation(plan.id)).plan
    except MissingObjectError:
        return Findings("index", key, warnings=(f"names {plan.id}, which is not there; the next simulation makes it",))
    except DifsimsError:
        return Findings("index", key)  # the finding is that of the dataset
    failures = (
        () if found == plan else (f"names {plan.id}, which is of another fingerprint or size; delete the record",)
    )
    return Findings("index", key, failures)


def _model_index(store: ObjectStore, key: str) -> Findings:
    fingerprint = _fingerprint_of(key)
    named = indexed_id(store, fingerprint)
    try:
        found = load_bundle(named, store).training_fingerprint
    except MissingObjectError:
        return Findings("index", key, warnings=(f"names {named}, which is not there",))
    except DifsimsError:
        return Findings("index", key)
    same = found == fingerprint
    return Findings(
        "index", key, () if same else (f"names {named}, which is of another fingerprint; delete the record",)
    )


def _fingerprint_of(key: str) -> str:
    return key.rpartition("/")[2].removesuffix(".json")


def _registry(store: ObjectStore) -> Findings:
    """Return what is wrong with the registry: that it is gone, an earlier one came back, or its champion is gone."""
    registry, failures, warnings = read_registry(store), list[str](), list[str]()
    noted = {name for key in store.list(layout.CHAMPION_NOTES) for name in layout.find_ids(key)}
    unknown = ", ".join(sorted(noted - {champion.model for champion in registry.champions}))
    if registry.version is None:
        failures.append(f"it is gone, though {unknown} was made champion; restore it (`difsims restore FOLDER`)")
    elif unknown:
        warnings.append(f"it does not know that {unknown} was made champion: an earlier one came back")
    if registry.champion is not None and not store.exists(layout.model_record(registry.champion.model)):
        failures.append(f"the champion {registry.champion.model} is not in the store; restore it, or promote another")
    return Findings("registry", layout.model_registry(), tuple(failures), tuple(warnings))


def _intake(store: ObjectStore) -> Findings:
    read_attempts(store)
    return Findings("intake", layout.INTAKE)


def _guarded(kind: str, name: str, check: Callable[[], Findings]) -> Findings:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever one item does, the others are checked
        known = isinstance(error, DifsimsError)
        return Findings(kind, name, (str(error) if known else f"{type(error).__name__}: {first_line(error)}",))


def _store_of_model(url: str) -> ObjectStore:
    """Return the store that the folder of a model lies in.

    Raises
    ------
    InputError
        If it lies in no store.
    """
    models, _ = locate(url)
    store, key = locate(models.root)
    if key != layout.MODELS or not same_place(store.url(f"{layout.MODELS}/{url.rpartition('/')[2]}"), url):
        raise InputError(f"{url}: expected the folder of a model in a store, …/{layout.MODELS}/cnn-<uuid4>")
    return store
