"""Which failures may go away by themselves, so that another try is worth it."""

from __future__ import annotations

from difsims_core.errors import (
    CorruptDataError,
    IncompleteDatasetError,
    MissingObjectError,
    StoreAccessError,
    StoreError,
)
from flows.execution.executors.dask_cluster import ClusterError

_LASTING = (StoreAccessError, MissingObjectError, IncompleteDatasetError, CorruptDataError)


def may_go_away(error: object) -> bool:
    """Return whether it is a failure of the store or of the cluster, and not one of credentials, names or contents."""
    return isinstance(error, StoreError | ClusterError) and not isinstance(error, _LASTING)
