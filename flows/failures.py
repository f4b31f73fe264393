"""Which failures may go away by themselves, so that another try is worth it."""

from __future__ import annotations

from prefect.exceptions import PrefectException

from difsims_core.errors import (
    CorruptDataError,
    IncompleteDatasetError,
    MissingObjectError,
    ModelError,
    StoreAccessError,
    StoreError,
)
from flows.cluster import ClusterError

_LASTING = (StoreAccessError, MissingObjectError, IncompleteDatasetError, CorruptDataError)


def may_go_away(error: object) -> bool:
    """Return whether it is a failure of the store or of the cluster, and not one of credentials, names or contents."""
    return isinstance(error, StoreError | ClusterError) and not isinstance(error, _LASTING)


def is_of_one_item(error: Exception) -> bool:
    """Return whether it says something of the scan or map at hand alone: the others can go on without it.

    It does not when the model cannot be used, the store or the cluster fails, or the run is to end.
    """
    lasting = not isinstance(error, ModelError | StoreAccessError | PrefectException)
    return lasting and not may_go_away(error)
