"""What is known of each scan of a store, and the object that keeps it: ``experiments/intake.json``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from difsims_core.errors import CorruptDataError, MissingObjectError, StoreError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, to_json

State = Literal["arriving", "waiting", "announced", "failed", "done", "quarantined"]
Entries = Mapping[str, "Entry"]

_FORMAT = 1
_ATTEMPTS = 50
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
        f"{store.url(layout.INTAKE)}: other processes changed it {_ATTEMPTS} times before this one could; try again"
    )


def _document(entries: Entries) -> bytes:
    return to_json({"format": _FORMAT, "scans": [asdict(entries[key]) for key in sorted(entries)]})


def _read(store: ObjectStore) -> tuple[dict[str, Entry], str | None]:
    try:
        data, version = store.read_versioned(layout.INTAKE)
    except MissingObjectError:
        return {}, None
    try:
        entries = [_entry(item) for item in _scans(json.loads(data))]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptDataError(
            f"{store.url(layout.INTAKE)}: not the record of experiments seen ({error}); restore it, or delete it: then "
            "every scan is looked at anew"
        ) from None
    return {entry.key: entry for entry in entries}, version


def _scans(document: Any) -> list[dict[str, Any]]:
    if document["format"] != _FORMAT:
        raise ValueError(f"expected format {_FORMAT}, found {document['format']!r}")
    return document["scans"]


def _entry(item: dict[str, Any]) -> Entry:
    entry = Entry(**item)
    if entry.state not in get_args(State):
        raise ValueError(f"expected one of {', '.join(get_args(State))} as state, found {entry.state!r}")
    return entry
