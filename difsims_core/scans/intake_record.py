"""What is known of each scan of a store, and the object that keeps it: ``experiments/intake.json``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

from difsims_core.errors import CorruptDataError, MalformedError, MissingObjectError, StoreError
from difsims_core.plain_json import read_json
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.records import from_record, to_record

State = Literal["arriving", "waiting", "announced", "failed", "done", "quarantined"]
Entries = Mapping[str, "Entry"]

_FORMAT = 2
_EARLIER_FORMAT = 1
_ATTEMPTS = 50
_MOST = 2**53  # larger numbers are not the same in every reader of JSON, and have no next one that can be written
_STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one scan.

    Attributes
    ----------
    key, name : str
        Of the object and of the experiment.
    size, etag
        What the listing said when it was last looked at; other values mean another content.
    state : str
        ``arriving``: not whole yet. ``waiting``: whole, there is no champion. ``announced``: to be predicted.
        ``failed``: will be tried again. ``done``: predicted. ``quarantined``: given up until it changes.
    since : str
        ISO date and time of this state.
    tries : int
        How often it has failed with this content.
    reason : str
        Why it is not whole, failed or was given up; of the last failure.
    looked : str
        ISO date and time at which a round last judged it.
    rounds : int
        Rounds that an announcement has been without an answer.
    model : str or None
        The champion that predicted it.
    reading : str
        ISO date and time at which a round began to read it, written before it does; empty: none reads it now.
    alone : bool
        Whether a round ended while it was read, with others or alone: it is read by itself from now on.
    """

    key: str
    name: str
    size: int
    etag: str
    state: State
    since: str
    tries: int = 0
    reason: str = ""
    looked: str = ""
    rounds: int = 0
    model: str | None = None
    reading: str = ""
    alone: bool = False


def read_entries(store: ObjectStore) -> dict[str, Entry]:
    """Return the entries of a store by key; none when there is no record yet.

    Raises
    ------
    CorruptDataError
        If the record is damaged.
    """
    return _read(store)[0]


def change_entries(store: ObjectStore, decide: Callable[[Entries], Entries]) -> tuple[Entries, Entries]:
    """Change the record by a conditional write; return the entries before and after.

    Parameters
    ----------
    store
        Where it lies.
    decide
        From the entries as they are to those wanted; called again when another process has changed them meanwhile.

    Raises
    ------
    StoreError
        If others changed it every time.
    """
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt * _STEP_SECONDS)
        before, version = _read(store)
        after = decide(before)
        if after == before or store.replace(layout.INTAKE, _document(after), version):
            return before, after
    raise StoreError(
        f"{store.url(layout.INTAKE)}: other processes changed it {_ATTEMPTS} times before this one could", "try again"
    )


def converted(data: bytes, where: str) -> bytes:
    """Return the record of an earlier version, without a checksum, as one of today.

    Raises
    ------
    CorruptDataError
        If it is no such record.
    """
    try:
        return _document({entry.key: entry for entry in _entries(read_json(data), _EARLIER_FORMAT)})
    except (MalformedError, ValueError) as error:
        raise _damaged(where, error) from None


def _document(entries: Entries) -> bytes:
    return to_record({"format": _FORMAT, "scans": [asdict(entries[key]) for key in sorted(entries)]})


def _read(store: ObjectStore) -> tuple[dict[str, Entry], str | None]:
    try:
        data, version = store.read_versioned(layout.INTAKE)
    except MissingObjectError:
        return {}, None
    where = store.url(layout.INTAKE)
    try:
        entries = _entries(from_record(data, where), _FORMAT)
    except (CorruptDataError, ValueError) as error:
        raise _damaged(where, error) from None
    return {entry.key: entry for entry in entries}, version


def _damaged(where: str, error: Exception) -> CorruptDataError:
    reason = str(error).removeprefix(f"{where}: ")
    return CorruptDataError(
        f"{where}: not the record of experiments seen ({reason})",
        "restore it, or delete it: then every scan is looked at anew",
    )


def _entries(document: Any, expected: int) -> list[Entry]:
    """Return the entries of a document; ValueError where one is not what would be written."""
    found = document if isinstance(document, dict) else {}
    scans = found.get("scans")
    if not isinstance(scans, list) or found.get("format") != expected:
        raise ValueError(f"expected a list of scans in format {expected}, found format {found.get('format')!r:.100}")
    entries = [_entry(item) for item in scans]
    if len({entry.key for entry in entries}) < len(entries):
        raise ValueError("expected each scan once, found one again")
    return entries


def _entry(item: Any) -> Entry:
    names = {field.name for field in fields(Entry)}
    if not isinstance(item, dict) or not item.keys() <= names or not item.keys() >= _NEEDED:
        raise ValueError(f"expected the fields of a scan, found {item!r:.100}")
    entry = Entry(**item)
    for name in names:
        value = getattr(entry, name)
        if not _FITS[Entry.__annotations__[name]](value):
            raise ValueError(f"expected {name} as {Entry.__annotations__[name]}, found {value!r:.100}")
    for moment in (entry.since, entry.looked, *([entry.reading] if entry.reading else [])):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"expected a time with its zone, found {moment!r}")
    return entry


_NEEDED = {"key", "name", "size", "etag", "state", "since", "looked"}
_FITS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "int": lambda value: type(value) is int and 0 <= value < _MOST,
    "bool": lambda value: isinstance(value, bool),
    "State": lambda value: value in get_args(State),
}
