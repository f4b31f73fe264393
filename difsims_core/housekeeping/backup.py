"""Copy the records that cannot be made again out of a store, and back: who is champion, what was seen, what is where.

These are small documents: the registry, the intake of experiments, the records that find datasets and models by their
fingerprint, and the record of every model. Datasets, networks and predictions are data: back up the bucket or disk.
Why not a versioned bucket alone: records that belong together would come back from different moments
(``docs/decisions/backup.md``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AfterValidator

from difsims_core.errors import ChampionChangedError, CorruptDataError, InputError, MissingObjectError, StoreError
from difsims_core.learn.weights import WEIGHTS
from difsims_core.models.registry import note_champions
from difsims_core.models.registry_record import ModelRegistry, registry_from
from difsims_core.moments import moment, now_text
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.record_model import Count, Record, RecordPart, Sha256, Text, Time
from difsims_core.storage.records import from_record

T = TypeVar("T")

MANIFEST = "manifest.json"
_AT_ONCE = 8  # documents are small: the way to the store is what takes time


def _is_document(key: str) -> bool:
    """Return whether a key is that of a document: a manifest from elsewhere writes nothing else."""
    if key in (layout.model_registry(), layout.INTAKE):
        return True
    place, _, name = key.rpartition("/")
    if place in (layout.SIMULATION_INDEX, layout.MODEL_INDEX):
        return layout.is_fingerprint(name.removesuffix(".json")) and name.endswith(".json")
    return name == layout.MODEL_RECORD and layout.is_model_id(place.removeprefix(f"{layout.MODELS}/"))


def _require_document(key: str) -> str:
    if not _is_document(key):
        raise ValueError("is no document of a store")
    return key


class _Copied(RecordPart):
    sha256: Sha256
    size: Count


class _Manifest(Record):
    described: ClassVar[str] = "the manifest of a backup"
    remedy: ClassVar[str] = "restore from another one, or with the version of difsims that made it"

    format: Literal[2]
    store: Text
    created: Time
    documents: Mapping[Annotated[str, AfterValidator(_require_document)], _Copied]


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made.

    Attributes
    ----------
    folder : str
        URL of it.
    documents : tuple of str
        Keys of what it holds.
    damaged : tuple of str
        Keys of what is no sound record in the store, and was left out.
    size : int
        Bytes.
    """

    folder: str
    documents: tuple[str, ...]
    damaged: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What became of each document of a copy.

    Attributes
    ----------
    written : tuple of str
        Keys that were missing, damaged or older in the store.
    same : tuple of str
        Keys that the store holds as they are.
    left : mapping of str to str
        Keys that were left as the store has them, with the reason.
    """

    written: tuple[str, ...]
    same: tuple[str, ...]
    left: Mapping[str, str]


def backup(store: ObjectStore, folder: str | Path) -> Backup:
    """Copy the records of a store into a new folder, with a manifest of checksums, written last.

    Parameters
    ----------
    store
        Of which.
    folder
        Path or URL of a folder that is empty or does not exist.

    Raises
    ------
    InputError
        If it holds something, or lies within the store.
    CorruptDataError
        If the registry of the store is damaged: a copy of it would be of no use.
    """
    target = open_store(folder)
    if f"{target.root}/".startswith(f"{store.root}/"):
        raise InputError(f"{target.root}: lies within the store that is copied", "choose another place")
    if target.list():
        raise InputError(
            f"{target.root}: expected an empty folder, found files in it", "choose a new one for every backup"
        )
    # The registry first: every model that it names is then among the records, which are read after it.
    key = layout.model_registry()
    found = _read([key], store)
    if key in found:
        registry_from(found[key], store.url(key))
    found |= _read(_keys(store), store)
    documents = {key: data for key, data in sorted(found.items()) if _is_sound(data)}
    checked = {key: _Copied(sha256=_sha256(data), size=len(data)) for key, data in documents.items()}
    _each(documents, lambda key: target.write(key, documents[key]))
    manifest = _Manifest(format=2, store=store.root, created=now_text(), documents=checked)
    target.write(MANIFEST, manifest.to_record())
    damaged = tuple(key for key in found if key not in documents)
    return Backup(target.root, tuple(documents), damaged, sum(map(len, documents.values())))


def restore(store: ObjectStore, folder: str | Path, *, overwrite: bool = False) -> RestoreResult:
    """Bring the records of a backup back into a store; what is there and differs stays, unless told otherwise.

    Nothing is written unless the whole backup is sound. The registry comes last; when models were made champion that it
    does not know of, `difsims retention` deletes nothing until somebody has looked at it.

    Parameters
    ----------
    store
        Where to; it may have moved since the backup was made.
    folder
        Path or URL of the backup.
    overwrite
        Replace records that differ, and a registry that is newer than that of the backup.

    Raises
    ------
    MissingObjectError
        If there is no backup.
    CorruptDataError
        If it is damaged or not whole.
    ChampionChangedError
        If another process changes the registry at this moment.
    StoreError
        If the registry of the store is newer than that of the backup.
    """
    source = open_store(folder)
    documents = _sound_documents(source)
    wanted = documents.pop(layout.model_registry(), None)
    registry = ModelRegistry() if wanted is None else registry_from(wanted, source.url(layout.model_registry()))
    present, version = _held(store, layout.model_registry())
    if wanted is not None and present not in (None, wanted) and not overwrite:
        _require_older(store, present, registry)
    written, same, left = [], [], {}
    for key, (found, _) in _each(documents, lambda key: _held(store, key)).items():
        if found == documents[key]:
            same.append(key)
        elif reason := _why_left(store, key, found, documents[key], overwrite=overwrite):
            left[key] = reason
        else:
            written.append(key)
    _each(written, lambda key: store.write(key, documents[key]))
    if wanted is not None:
        unchanged = present == wanted
        (same if unchanged else written).append(layout.model_registry())
        if not unchanged and not store.replace(layout.model_registry(), wanted, version):
            raise ChampionChangedError(
                f"{store.url(layout.model_registry())}: another process has changed it at this moment",
                "look at it (`difsims champion`), then restore again",
            )
        note_champions(store, registry.champions)
    return RestoreResult(tuple(sorted(written)), tuple(sorted(same)), left)


def _keys(store: ObjectStore) -> list[str]:
    """Return the keys of all documents but the registry."""
    folders = (layout.SIMULATION_INDEX, layout.MODEL_INDEX)
    models = [name for name in store.folders(layout.MODELS) if layout.is_model_id(name)]
    found = [layout.INTAKE, *(layout.model_record(name) for name in models)]
    return [*found, *(key for folder in folders for key in store.list(folder) if _is_document(key))]


def _sound_documents(source: ObjectStore) -> dict[str, bytes]:
    """Return the documents of a backup by key, every one checked against the manifest."""
    try:
        manifest = _Manifest.from_document(source.read_record(MANIFEST), source.url(MANIFEST))
    except MissingObjectError:
        raise MissingObjectError(
            f"{source.root}: there is no backup (no {MANIFEST}), or its making was stopped", "name another folder"
        ) from None
    checksums = {key: copied.sha256 for key, copied in manifest.documents.items()}
    documents = _read(checksums, source)
    wrong = [key for key, checksum in checksums.items() if _sha256(documents.get(key, b"")) != checksum]
    if wrong:
        raise CorruptDataError(
            f"{source.root}: {len(wrong)} of {len(checksums)} documents are missing or damaged "
            f"({', '.join(wrong[:5])})",
            "nothing was restored, use another backup",
        )
    for key, data in documents.items():
        from_record(data, source.url(key))
    return documents


def _why_left(store: ObjectStore, key: str, found: bytes | None, wanted: bytes, *, overwrite: bool) -> str:
    """Return why a document is not brought back; empty when it is."""
    if found is not None and _is_sound(found) and not overwrite:
        return "the store holds another one, later than the backup perhaps"
    if not key.endswith(f"/{layout.MODEL_RECORD}"):
        return ""
    network = f"{key.removesuffix(layout.MODEL_RECORD)}{WEIGHTS}"
    try:
        held = _sha256(store.read(network))
    except MissingObjectError:
        return f"its network is gone ({WEIGHTS}): the record alone is no model"
    same = f'"{held}"'.encode() in wanted  # the record names the checksum of its network
    return "" if same else f"its network ({WEIGHTS}) is another one"


def _require_older(store: ObjectStore, present: bytes | None, wanted: ModelRegistry) -> None:
    """Refuse to lose decisions that were made after the backup."""
    where = store.url(layout.model_registry())
    try:
        held = registry_from(present or b"", where)
    except CorruptDataError:
        return  # this is what backups are for
    older = held.serial < wanted.serial and moment(held.written) <= moment(wanted.written)
    if not older:  # one that was begun anew has a low number, and is later
        champion = f"champion {held.champion.model} since {held.champion.since}" if held.champion else "no champion"
        raise StoreError(
            f"{where}: the registry of the store is newer than that of the backup ({champion})",
            "nothing was restored. To lose what was decided since, restore with --overwrite",
        )


def _held(store: ObjectStore, key: str) -> tuple[bytes | None, str | None]:
    try:
        return store.read_versioned(key)
    except MissingObjectError:
        return None, None


def _read(keys: Iterable[str], store: ObjectStore) -> dict[str, bytes]:
    """Return documents by key, without those that do not exist."""
    found = _each(keys, lambda key: _held(store, key)[0])
    return {key: data for key, data in found.items() if data is not None}


def _each(keys: Iterable[str], work: Callable[[str], T]) -> dict[str, T]:
    keys = list(keys)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(keys, pool.map(work, keys), strict=True))


def _is_sound(data: bytes) -> bool:
    try:
        from_record(data, "")
    except CorruptDataError:
        return False
    return True


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
