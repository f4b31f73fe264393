"""The small objects of a Zarr group: metadata, and arrays that are known from the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from difsims_core.errors import CorruptDataError, MalformedError, MissingObjectError
from difsims_core.plain_json import read_json
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.metadata import ROOT_DOCUMENT, GroupDocument

_READERS = 16


def axis_objects(document: GroupDocument) -> dict[str, str]:
    """Return the object of each array that is known from the start, by path."""
    return {
        path: f"{path}/{array.object_key(0)}" for path, array in document.arrays.items() if array.shard_rows is None
    }


def read_small_objects(store: ObjectStore, key: str, document: GroupDocument) -> dict[str, bytes]:
    """Return the metadata and axes of a group by their keys in its folder; several are read at a time.

    Raises
    ------
    CorruptDataError
        If the metadata of an array differ from those in the root document, or an object is missing.
    """
    nodes = {f"{path}/{ROOT_DOCUMENT}": node for path, node in document.nodes.items()}
    wanted = [*nodes, *axis_objects(document).values()]
    with ContextPool(_READERS, thread_name_prefix="difsims-metadata") as pool:
        try:
            found = dict(zip(wanted, pool.map(lambda name: store.read_small(f"{key}/{name}"), wanted), strict=True))
        except MissingObjectError as error:
            raise CorruptDataError(f"a piece of the metadata or axes is missing ({error})", "restore it") from None
    for name, node in nodes.items():
        if not _says(found[name], node):
            raise CorruptDataError(
                f"{store.url(key)}/{name}: differs from what {ROOT_DOCUMENT} says of it",
                "it was damaged or edited, restore it",
            )
    return {ROOT_DOCUMENT: document.data, **found}


def _says(data: bytes, node: Mapping[str, Any]) -> bool:
    try:
        return read_json(data) == node
    except MalformedError:
        return False
