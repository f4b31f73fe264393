"""What a store holds, how old and how large it is, and what descends from what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from pydantic import ConfigDict

from difsims_core.errors import CorruptDataError, DifsimsError, InputError, MissingObjectError
from difsims_core.housekeeping.items import Item, Kind, Lineage
from difsims_core.moments import moment
from difsims_core.plain_json import read_json
from difsims_core.storage import layout
from difsims_core.storage.ids import list_libraries, list_simulations
from difsims_core.storage.npz.contracts import PREDICTION_ENDINGS, read_prediction
from difsims_core.storage.objects import ObjectInfo, ObjectStore
from difsims_core.storage.record_model import Items, Record, SimulationId, Text
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT

_READERS = 8  # records are small: the way to the store is what takes time
LARGEST_REPORT_BYTES = 200_000_000
_Folders = Mapping[str, list[ObjectInfo]]
_Describe = Callable[[ObjectStore, str, list[ObjectInfo]], Item | None]


class _LineagePart(Record):
    model_config = ConfigDict(extra="ignore")  # whether the rest of the record is sound matters to its readers alone

    id: Text


class _DatasetLineage(_LineagePart):
    described: ClassVar[str] = "the completion record of a dataset"

    fingerprint: Text
    completed: Text  # `moment` reads it, also without a zone


class _ModelLineage(_LineagePart):
    described: ClassVar[str] = "the record of a model"

    created: Text
    sim_ids: Items[SimulationId]
    sim_fingerprints: Items[Text]
    training_fingerprint: Text
    simulation: Mapping[str, Any] | None = None  # of one that was trained on a stream, with its parameters


class _LibraryLineage(Record):
    model_config = ConfigDict(extra="ignore")

    described: ClassVar[str] = "the completion record of a library"

    fingerprint: Text
    completed: Text


def read_lineage(store: ObjectStore) -> Lineage:
    """Return what a store holds; what is no dataset, library, model or report is not in it.

    An item that cannot be described, for whatever reason, is there with its problem.
    """
    places = (layout.MODELS, layout.PREDICTIONS, layout.EVALUATIONS, layout.REPORTS, layout.EXPORTS)
    models, predictions, evaluations, reports, exports = (_by_folder(store.describe(place)) for place in places)

    def beside(name: str, *folders: _Folders) -> list[ObjectInfo]:
        return [info for folder in folders for info in folder.get(name, ())]

    def job(kind: Kind, describe: _Describe, name: str, beside_it: list[ObjectInfo]) -> Callable[[], Item | None]:
        return partial(_described, kind, name, partial(describe, store, name, beside_it))

    libraries = list_libraries(store)
    dataset = partial(_dataset, frozenset(libraries))
    jobs = [job("dataset", dataset, name, beside(name, reports, exports)) for name in list_simulations(store)]
    jobs += [job("library", _library, name, []) for name in libraries]
    model = partial(_model, frozenset(libraries))
    jobs += [
        job("model", model, name, beside(name, models, predictions, evaluations, reports))
        for name in filter(layout.is_model_id, models)
    ]
    jobs += [job("report", _report, name, reports[name]) for name in reports if _is_report(name, reports)]
    foreign = [info.key for name in predictions if name not in models for info in predictions[name]]
    foreign = [key for key in foreign if key.endswith(PREDICTION_ENDINGS)]
    with ThreadPoolExecutor(_READERS) as pool:
        items = [future.result() for future in [pool.submit(one) for one in jobs]]
        behind = dict(zip(foreign, pool.map(partial(_datasets_behind, store), foreign), strict=True))
    states = models.get(layout.TRAINING_STATES.rpartition("/")[2], ())
    items += _trainings(states)
    notes = models.get(layout.CHAMPION_NOTES.rpartition("/")[2], ())
    champions = frozenset(name for info in notes for name in layout.find_ids(info.key))
    found = {item.id: item for item in items if item is not None}
    needed = frozenset().union(*filter(None, behind.values()))
    return Lineage(found, needed, champions, tuple(key for key, datasets in behind.items() if datasets is None))


def _described(kind: Kind, name: str, describe: Callable[[], Item | None]) -> Item | None:
    """Return an item, with its trouble where it cannot be looked at: one must not end the plan for all others."""
    try:
        return describe()
    except Exception as error:  # noqa: BLE001 whatever it is, this item stays
        return Item(kind, name, problem=f"{type(error).__name__}: {error}")


def _dataset(libraries: frozenset[str], store: ObjectStore, name: str, beside: list[ObjectInfo]) -> Item | None:
    """Return a dataset; None for an empty folder, which SeaweedFS lists after the objects are gone."""
    objects = [*store.describe(layout.simulation(name)), *beside]
    if not objects:
        return None
    said = _attributes(store, layout.simulation(name))
    needs = _libraries_of(said) if libraries else frozenset[str]()
    item = partial(
        Item, "dataset", name, _size(objects), touched=_latest(objects), needs=libraries if needs is None else needs
    )
    try:
        document = store.read_record(layout.completion(name))
        found = _DatasetLineage.from_document(document, layout.COMPLETE)
        _require_own(found.id, name)
        return item(made=moment(found.completed), fingerprint=found.fingerprint)
    except MissingObjectError:
        found = said.get("fingerprint")
        return item(fingerprint=found if isinstance(found, str) else None)
    except (CorruptDataError, ValueError) as error:
        return item(problem=f"{store.url(layout.completion(name))}: {error}")


def _attributes(store: ObjectStore, key: str) -> Mapping[str, Any]:
    """Return what a dataset says of itself; nothing where it was stopped before it did, or cannot be read."""
    try:
        found = read_json(store.read_small(f"{key}/{ROOT_DOCUMENT}"))["attributes"]
    except (DifsimsError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _libraries_of(said: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the libraries that patterns are drawn from; None where it is not said: it may be any of them."""
    try:
        if said["parameters"]["orientations"]["kind"] != "library":
            return frozenset()
        return frozenset(map(layout.library_id, said["libraries"]))
    except (InputError, KeyError, TypeError):
        return None


def _library(store: ObjectStore, name: str, _beside: list[ObjectInfo]) -> Item | None:
    """Return a library; None for an empty folder."""
    fingerprint = name.removeprefix("lib-")
    objects = store.describe(layout.library(fingerprint))
    if not objects:
        return None
    item = partial(Item, "library", name, _size(objects), touched=_latest(objects), fingerprint=fingerprint)
    key = layout.library_completion(fingerprint)
    try:
        found = _LibraryLineage.from_document(store.read_record(key), store.url(key))
        _require_own(found.fingerprint, fingerprint)
        return item(made=moment(found.completed))
    except MissingObjectError:
        return item()
    except (CorruptDataError, ValueError) as error:
        return item(problem=f"{store.url(key)}: {error}")


def _model(libraries: frozenset[str], store: ObjectStore, name: str, objects: list[ObjectInfo]) -> Item:
    item = partial(Item, "model", name, _size(objects), touched=_latest(objects))
    key = layout.model_record(name)
    try:
        data = store.read_small(key)
    except MissingObjectError:
        return item()
    try:
        found = _ModelLineage.from_record(data, store.url(key))
        _require_own(found.id, name)
        streamed = frozenset[str]() if found.simulation is None else _libraries_of(found.simulation)
        return item(
            made=moment(found.created),
            needs=frozenset(found.sim_ids) | (libraries if streamed is None else streamed),
            need_fingerprints=frozenset(found.sim_fingerprints),
            fingerprint=found.training_fingerprint,
        )
    except (CorruptDataError, ValueError) as error:
        named = layout.find_ids(data.decode(errors="replace")) - {name}  # what it still tells of its lineage is kept
        return item(needs=named | libraries, problem=f"{store.url(key)}: {error}")


def _trainings(states: Iterable[ObjectInfo]) -> list[Item]:
    """Return the trainings that have left what they go on from; nothing descends from them."""
    by_training: dict[str, list[ObjectInfo]] = defaultdict(list)
    for info in states:
        name = info.key.removeprefix(f"{layout.TRAINING_STATES}/").partition("/")[0]
        if layout.is_fingerprint(name):
            by_training[name].append(info)
    return [
        Item("training", layout.training_id(name), _size(objects), touched=_latest(objects))
        for name, objects in by_training.items()
    ]


def _require_own(found: str, name: str) -> None:
    if found != name:
        raise ValueError("it is the record of another item")


def _is_report(name: str, reports: _Folders) -> bool:
    """Return whether a folder holds a report, and not the figures of a dataset or model."""
    try:
        page = layout.report(name)
    except InputError:
        return False  # a folder of somebody else: no report is called so
    return not layout.find_ids(name) and page in {info.key for info in reports[name]}


def _report(store: ObjectStore, name: str, objects: list[ObjectInfo]) -> Item:
    item = partial(Item, "report", name, _size(objects), _latest(objects), _latest(objects))
    size = next(info.size for info in objects if info.key == layout.report(name))
    if size > LARGEST_REPORT_BYTES:
        return item(problem=f"expected a page of at most {LARGEST_REPORT_BYTES:,} bytes, found {size:,}")
    return item(needs=layout.find_ids(store.read(layout.report(name)).decode(errors="replace")))


def _datasets_behind(store: ObjectStore, key: str) -> frozenset[str] | None:
    """Return the datasets behind a prediction; None when it cannot be read, for whatever reason."""
    try:
        return frozenset(filter(layout.is_simulation_id, read_prediction(store.url(key)).sim_ids))
    except Exception:  # noqa: BLE001 a store that fails, or a damaged file
        return None


def _by_folder(objects: Iterable[ObjectInfo]) -> _Folders:
    """Return objects by the name of their folder, the second part of their keys."""
    folders: dict[str, list[ObjectInfo]] = defaultdict(list)
    for info in objects:
        parts = info.key.split("/")
        if len(parts) > 2:
            folders[parts[1]].append(info)
    return folders


def _size(objects: Iterable[ObjectInfo]) -> int:
    return sum(info.size for info in objects)


def _latest(objects: Iterable[ObjectInfo]) -> datetime | None:
    return max((info.modified for info in objects), default=None)
