"""Which failures may go away by themselves, and which of them are worth waiting for."""

from __future__ import annotations

import os

from difsims_core.errors import (
    CorruptDataError,
    IncompleteDatasetError,
    MissingObjectError,
    StoreAccessError,
    StoreError,
    StoreFullError,
)
from difsims_core.messages import first_line
from flows.execution.executors.dask_cluster import ClusterError
from flows.ui.progress import log_and_show

_LASTING = (StoreAccessError, MissingObjectError, IncompleteDatasetError, CorruptDataError)
_STARTED_BY_A_WORKER = "PREFECT__FLOW_RUN_ID"


def may_go_away(error: object) -> bool:
    """Return whether it is a failure of the store or of the cluster, and not one of credentials, names or contents."""
    return isinstance(error, StoreError | ClusterError) and not isinstance(error, _LASTING)


def worth_waiting(error: object) -> bool:
    """Return whether the same call may succeed in a minute.

    Where the store is full that takes somebody who frees space: beside a run of a deployment retention may do so, while
    whoever has typed a command can only be told at once.
    """
    return may_go_away(error) and (not isinstance(error, StoreFullError) or _STARTED_BY_A_WORKER in os.environ)


def tell_waiting(what: str, error: BaseException, seconds: float, tries_left: int) -> None:
    """Say that a step waits, for what, and how long."""
    again = f"{tries_left} more {'try' if tries_left == 1 else 'tries'}"
    log_and_show(f"{what} waits {seconds:.0f} s and is tried again ({again}): {first_line(error)}")
