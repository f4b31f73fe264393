"""Whose the name of an experiment is: one record, written before anything else, which all writers look at."""

from __future__ import annotations

from typing import ClassVar

from difsims_core.errors import ExperimentError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.record_model import Record, Sha256, Size, Text, Time

CLAIM = "claim.json"


class Claim(Record):
    """Whose a name is: written before anything else, by one of those who want it.

    Attributes
    ----------
    name, fingerprint, raw_sha256, ny, nx, shard_rows, created
        As `plan.ScanPlan` has them.
    """

    described: ClassVar[str] = "the record of who writes an experiment"
    remedy: ClassVar[str] = "preprocess the scan again with --force"

    name: Text
    fingerprint: Sha256
    raw_sha256: Sha256
    ny: Size
    nx: Size
    shard_rows: Size
    created: Time


def claim_key(name: str) -> str:
    """Return the key of the record that says whose a name is."""
    return f"{layout.experiment_polar(name)}/{CLAIM}"


def read_claim(store: ObjectStore, name: str) -> Claim | None:
    """Return whose a name is; None where it is nobody's.

    Raises
    ------
    CorruptDataError
        If the record is damaged.
    """
    key = claim_key(name)
    try:
        return Claim.from_document(store.read_record(key), store.url(key))
    except MissingObjectError:
        return None


def require_claim(store: ObjectStore, name: str, fingerprint: str) -> None:
    """Refuse to go on writing under a name that another process has taken over.

    Raises
    ------
    ExperimentError
        If it has.
    """
    claim = read_claim(store, name)
    if claim is None or claim.fingerprint != fingerprint:
        raise ExperimentError(
            f"{store.url(layout.experiment_polar(name))}: another process has taken the name {name} meanwhile",
            "give the experiment another name (--name)",
        )
