"""Whose the name of an experiment is: one record, written before anything else, which all writers look at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from difsims_core.errors import ExperimentError, MissingObjectError
from difsims_core.moments import moment
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.record_model import Record, Sha256, Size, Text, Time

CLAIM = "claim.json"
_ABANDONED_SECONDS = 300.0


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


def is_abandoned(store: ObjectStore, claim: Claim) -> bool:
    """Return whether a name was claimed a while ago and nothing was made under it since: whoever did has gone.

    A writer that is slow instead notices at its first part that the name was taken over (`require_claim`). The while is
    for what it writes before: the template, seconds after the claim.
    """
    age = abs((datetime.now(UTC) - moment(claim.created)).total_seconds())
    folder = layout.experiment_polar(claim.name)
    return (
        age >= _ABANDONED_SECONDS
        and not store.list(f"{folder}/{layout.RECEIPTS}")
        and not store.exists(f"{folder}/{layout.COMPLETE}")
        and not store.exists(layout.experiment_profiles(claim.name))
    )


def take_over(store: ObjectStore, claim: Claim) -> bool:
    """Put a claim in the place of one that was abandoned, and remove what else lies there; of several, one succeeds."""
    key = claim_key(claim.name)
    try:
        data, version = store.read_versioned(key)
    except MissingObjectError:
        return False
    before = Claim.from_record(data, store.url(key))
    if before.fingerprint == claim.fingerprint or not is_abandoned(store, before):
        return False
    if not store.replace(key, claim.to_record(), version):
        return False
    for left in store.list(layout.experiment_polar(claim.name)):
        if left != key:
            store.delete(left)
    return True


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
