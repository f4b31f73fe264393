"""What a store holds, how old and how large it is, and what descends from what."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from difsims_core.dataset.open import list_simulations
from difsims_core.errors import CorruptDataError, DifsimsError, InputError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.arrays import ROOT_DOCUMENT
from difsims_core.storage.npz import read_prediction
from difsims_core.storage.objects import ObjectInfo, ObjectStore

Kind = Literal["dataset", "model", "report"]
_READERS = 8  # records are small: the way to the store is what takes time
_Folders = Mapping[str, list[ObjectInfo]]


@dataclass(frozen=True, slots=True)
class Item:
    """A dataset, a model or a report, with everything that would go with it.

    Attributes
    ----------
    kind, id : str
        A report has the name of its run.
    size : int
        Bytes; of a model with its predictions, scores and figures.
    made : datetime or None
        When its own record says that it was made; None: it has no record, its making was stopped or goes on.
    touched : datetime or None
        When the latest of its objects was written.
    needs : frozenset of str
        Ids that it descends from, or names.
    need_fingerprints : frozenset of str
        Of datasets that it descends from.
    fingerprint : str or None
        Its own, by which it is found again.
    trouble : str
        Why its record cannot be used; empty when it can.
    """

    kind: Kind
    id: str
    size: int = 0
    made: datetime | None = None
    touched: datetime | None = None
    needs: frozenset[str] = frozenset()
    need_fingerprints: frozenset[str] = frozenset()
    fingerprint: str | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """All items of a store.

    Attributes
    ----------
    items : mapping of str to Item
        By id.
    needed_elsewhere : frozenset of str
        Datasets behind predictions of models that lie in other stores.
    """

    items: Mapping[str, Item]
    needed_elsewhere: frozenset[str] = field(default=frozenset())

    def parents(self, item: Item) -> list[Item]:
        """Return what an item descends from, as far as this store holds it."""
        named = [self.items[need] for need in item.needs if need in self.items]
        return named + [other for other in self.items.values() if other.fingerprint in item.need_fingerprints]


def read_lineage(store: ObjectStore) -> Lineage:
    """Return what a store holds; what is no dataset, model or report is not in it.

    Complete datasets are known from their records; the others, models and reports are listed.
    """
    places = (layout.MODELS, layout.PREDICTIONS, layout.EVALUATIONS, layout.REPORTS)
    models, predictions, evaluations, reports = (_by_folder(store.describe(place)) for place in places)

    def beside(name: str, *folders: _Folders) -> list[ObjectInfo]:
        return [info for folder in folders for info in folder.get(name, ())]

    jobs: list[Callable[[], Item | None]] = [
        partial(_dataset, store, name, beside(name, reports)) for name in list_simulations(store)
    ]
    jobs += [
        partial(_model, store, name, beside(name, models, predictions, evaluations, reports))
        for name in filter(layout.is_model_id, models)
    ]
    jobs += [partial(_report, store, name, reports[name]) for name in reports if _is_report(name, reports)]
    strange = [info.key for name in predictions if name not in models for info in predictions[name]]
    with ThreadPoolExecutor(_READERS) as pool:
        items = [future.result() for future in [pool.submit(job) for job in jobs]]
        elsewhere = list(pool.map(partial(_datasets_behind, store), strange))
    return Lineage({item.id: item for item in items if item is not None}, frozenset().union(*elsewhere))


def _dataset(store: ObjectStore, name: str, figures: list[ObjectInfo]) -> Item | None:
    """Return a dataset; None for an empty folder, which SeaweedFS lists after the objects are gone."""
    key = layout.simulation(name)
    try:
        record = store.read_json(layout.completion(name))
        made, size = moment(record["completed"]), int(record["stored_bytes"])
        found = str(record["fingerprint"])
        return Item("dataset", name, size + _size(figures), made, _latest(figures), fingerprint=found)
    except MissingObjectError:
        objects = [*store.describe(key), *figures]
        found = _fingerprint_within(store, key)
        return Item("dataset", name, _size(objects), None, _latest(objects), fingerprint=found) if objects else None
    except (CorruptDataError, KeyError, TypeError, ValueError) as error:
        return Item("dataset", name, trouble=f"{store.url(layout.completion(name))}: {error}")


def _fingerprint_within(store: ObjectStore, key: str) -> str | None:
    """Return the fingerprint of a dataset without completion record; None when it was stopped before it had one."""
    try:
        return str(store.read_json(f"{key}/{ROOT_DOCUMENT}")["attributes"]["fingerprint"])
    except (MissingObjectError, CorruptDataError, KeyError, TypeError):
        return None


def _model(store: ObjectStore, name: str, objects: list[ObjectInfo]) -> Item:
    item = partial(Item, "model", name, _size(objects), touched=_latest(objects))
    key = layout.model_record(name)
    try:
        data = store.read(key)
    except MissingObjectError:
        return item()
    try:
        record = json.loads(data)
        return item(
            made=moment(record["created"]),
            needs=frozenset(map(layout.check_simulation_id, record["sim_ids"])),
            need_fingerprints=frozenset(map(str, record["sim_fingerprints"])),
            fingerprint=str(record["training_fingerprint"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        named = layout.find_ids(data.decode(errors="replace")) - {name}  # what it still tells of its lineage is kept
        return item(needs=named, trouble=f"{store.url(key)}: {type(error).__name__} {error}")


def _is_report(name: str, reports: _Folders) -> bool:
    """Return whether a folder holds a report, and not the figures of a dataset or model."""
    try:
        page = layout.report(name)
    except InputError:
        return False  # a folder of somebody else: no report is called so
    return not layout.find_ids(name) and page in {info.key for info in reports[name]}


def _report(store: ObjectStore, name: str, objects: list[ObjectInfo]) -> Item:
    page = store.read(layout.report(name)).decode(errors="replace")
    latest = _latest(objects)
    return Item("report", name, _size(objects), latest, latest, needs=layout.find_ids(page))


def _datasets_behind(store: ObjectStore, key: str) -> frozenset[str]:
    try:
        return frozenset(read_prediction(store.url(key)).sim_ids)
    except DifsimsError:
        return frozenset()  # no prediction; it stays, whatever it is


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


def moment(text: Any) -> datetime:
    """Return the time that a record names; one without a zone is taken as UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
