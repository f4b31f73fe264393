"""What was tried with scans and did not succeed, so far: ``experiments/intake.json``, all that no listing tells.

Before anything is tried with a scan, the attempt is written down; what fails adds its reason, and what succeeds is seen
in the store and forgotten here. An attempt without a reason is under way, or was ended before it could say anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import model_validator

from difsims_core.errors import MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectInfo, ObjectStore
from difsims_core.storage.record_model import Count, Items, ModelId, Record, RecordPart, Text, Time
from difsims_core.storage.update import update_json

Subject = tuple[str, str | None]  # key of a scan, and id of a model; None: the scan is read, for no model yet
Attempts = Mapping[Subject, "Attempt"]

_LONGEST_REASON = 2_000  # characters


class Attempt(RecordPart):
    """The last of the attempts to read a scan, or to map it with a model.

    Attributes
    ----------
    scan : str
        Its key.
    model : str or None
        Id of the model; None: the scan was read, or, a raw one, preprocessed.
    size, etag
        What the listing said of the scan; other values mean another content.
    tries : int
        How often it was tried with this content; 0: it was seen.
    at : str
        ISO date and time at which it began, or failed.
    reason : str
        Why it failed; empty: nothing has been heard of it.
    experiment : str
        What a raw scan was made into by its last attempt that succeeded; empty: nothing yet.
    done : bool
        Whether that was made from this content.
    """

    scan: Text
    model: ModelId | None
    size: Count
    etag: str
    tries: Count
    at: Time
    reason: str = ""
    experiment: str = ""
    done: bool = False

    @property
    def subject(self) -> Subject:
        """The scan and the model."""
        return self.scan, self.model

    def is_about(self, scan: ObjectInfo) -> bool:
        """Return whether a listing shows the content that was tried."""
        return scan.has_content(self.size, self.etag)

    def failed(self, reason: str, at: str) -> Attempt:
        """Return it with the reason why it failed."""
        return self.model_copy(update={"reason": reason[:_LONGEST_REASON] or "failed", "at": at})

    def forgotten(self) -> Attempt:
        """Return it as if the content was only seen; what it was made into before is still known."""
        return self.model_copy(update={"tries": 0, "reason": ""})


class _Attempts(Record):
    described = "the record of failed scans"
    remedy = "delete it, every scan without a map is tried anew"

    format: Literal[3]
    attempts: Items[Attempt]

    @model_validator(mode="after")
    def _names_each_once(self) -> _Attempts:
        if len({attempt.subject for attempt in self.attempts}) < len(self.attempts):
            raise ValueError("attempts: the same scan and model appear twice")
        return self


def begun(before: Attempt | None, scan: ObjectInfo, model: str | None, at: str) -> Attempt:
    """Return the next attempt at a scan, after the one ``before`` when that had the same content."""
    tries = before.tries if before is not None and before.is_about(scan) else 0
    made = "" if before is None else before.experiment
    return Attempt(scan=scan.key, model=model, size=scan.size, etag=scan.etag, tries=tries + 1, at=at, experiment=made)


def read_attempts(store: ObjectStore) -> dict[Subject, Attempt]:
    """Return the attempts that a store knows of; none when there is no record yet.

    Raises
    ------
    CorruptDataError
        If the record is damaged.
    """
    try:
        data = store.read_small(layout.INTAKE)
    except MissingObjectError:
        data = None
    return _parsed(data, store.url(layout.INTAKE))


def change_attempts(store: ObjectStore, decide: Callable[[Attempts], Attempts]) -> tuple[Attempts, Attempts]:
    """Change the record by a conditional write; return the attempts before and after.

    Parameters
    ----------
    store
        Where it lies.
    decide
        From the attempts as they are to those wanted; called again when another process has changed them meanwhile.

    Raises
    ------
    StoreError
        If others changed it every time.
    """
    url = store.url(layout.INTAKE)
    before: Attempts = {}
    after: Attempts = {}

    def change(data: bytes | None) -> bytes | None:
        nonlocal before, after
        before = _parsed(data, url)
        after = decide(before)
        return None if after == before else _document(after.values())

    update_json(store, layout.INTAKE, change)
    return before, after


def _document(attempts: Iterable[Attempt]) -> bytes:
    ordered = sorted(attempts, key=lambda attempt: (attempt.scan, attempt.model or ""))
    return _Attempts(format=3, attempts=tuple(ordered)).to_record()


def _parsed(data: bytes | None, url: str) -> dict[Subject, Attempt]:
    if data is None:
        return {}
    return {attempt.subject: attempt for attempt in _Attempts.from_record(data, url).attempts}
