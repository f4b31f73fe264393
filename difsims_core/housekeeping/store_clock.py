"""What time it is for a store: ages of objects count by its clock, not by that of this machine."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from difsims_core.errors import RetentionRefusedError, StoreError
from difsims_core.storage import layout

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore

_MOST_APART = timedelta(minutes=5)
_FOLDER = layout.cache("clock")


def store_time(store: ObjectStore) -> datetime:
    """Return the present time by the clock of a store: that of a small object, written and removed again."""
    key = f"{_FOLDER}/{uuid.uuid4()}"
    store.write(key, b"what time is it?")
    try:
        found = [info.modified for info in store.describe(_FOLDER) if info.key == key]
    finally:
        store.delete(key)
    if not found:
        raise StoreError(f"{store.url(key)}: was written and is not listed", "try again")
    return found[0]


def require_same_time(store: ObjectStore, now: datetime) -> None:
    """Refuse a time from which ages would count otherwise than by the clock of the store.

    Raises
    ------
    RetentionRefusedError
        If the two are minutes apart.
    """
    there = store_time(store)
    if abs(there - now) > _MOST_APART:
        raise RetentionRefusedError(
            f"{store.root}: ages would count from {now:%Y-%m-%d %H:%M} UTC, but by the clock of the store it is "
            f"{there:%Y-%m-%d %H:%M} UTC",
            "nothing was deleted, set the clocks right",
        )
