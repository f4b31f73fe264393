"""Change a record that several processes change: read, decide, write if nobody was faster, and otherwise again."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain

from difsims_core.errors import MissingObjectError, StoreError
from difsims_core.retrying import Retry
from difsims_core.storage.objects import ObjectStore

CONFLICTS = Retry(tries=50, pause=0.02, longest=0.5)


def update_json(store: ObjectStore, key: str, decide: Callable[[bytes | None], bytes | None]) -> None:
    """Change a record by a conditional write.

    Parameters
    ----------
    store
        Where it lies.
    key
        Of the record.
    decide
        From the bytes as they are (None: there is no record) to those wanted (None: it stays as it is); called again
        when another process has changed it meanwhile.

    Raises
    ------
    StoreError
        If others changed it every time.
    """
    for pause in chain(CONFLICTS.pauses(), [0.0]):
        try:
            before, version = store.read_versioned(key)
        except MissingObjectError:
            before, version = None, None
        after = decide(before)
        if after is None or after == before or store.replace(key, after, version):
            return
        time.sleep(pause)
    raise StoreError(
        f"{store.url(key)}: other processes changed it {CONFLICTS.tries} times before this one could", "try again"
    )
