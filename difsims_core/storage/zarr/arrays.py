"""Zarr v3 groups of sharded arrays: a template first, then readers (docs/architecture.md §4)."""

from __future__ import annotations

from difsims_core.storage.zarr import blosc as _its_own_zstd  # noqa: F401 - before Zarr loads it

# isort: split

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from difsims_core.errors import CorruptDataError, InputError
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.exact_codecs import with_exact_codecs
from difsims_core.storage.zarr.metadata import ROOT_DOCUMENT, GroupDocument, missing_value, read_group_document
from difsims_core.storage.zarr.store import KeyedStore

# Profiles are noise of 10 bits of mantissa. Transposed by bits, the empty bits vanish and the others need no search:
# 232 bytes a profile of 147 values in 0.6 µs; by bytes it is 247 in 1.1 µs, and higher levels gain less than 1 %.
# Blosc's own choice of blocks, 32 KiB, costs 4 % of size and a third of the speed.
_COMPRESSOR = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", blocksize=1 << 20)


@dataclass(frozen=True, slots=True)
class ArrayTemplate:
    """One array of a group.

    Attributes
    ----------
    shape, dtype
        Of the array.
    dimensions : tuple of str
        One name a dimension; within one group a name has one size.
    shard_rows, chunk_rows : int or None
        Rows of one stored object and of one chunk in it; None: one chunk, not sharded.
    values : numpy.ndarray or None
        Content of an array that is known from the start.
    attributes : mapping
        Units and the like.
    """

    shape: tuple[int, ...]
    dtype: str
    dimensions: tuple[str, ...]
    shard_rows: int | None = None
    chunk_rows: int | None = None
    values: np.ndarray | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupTemplate:
    """A group with everything that can be known before its rows are.

    Attributes
    ----------
    arrays : mapping of str to ArrayTemplate
        By path: ``1d/x_px``.
    attributes : mapping of str to mapping
        By path of the group: ``""`` is the root.
    """

    arrays: Mapping[str, ArrayTemplate]
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def create_arrays(store: ObjectStore, key: str, template: GroupTemplate) -> None:
    """Write the metadata of a group and the arrays known from the start; rows that exist are left alone.

    It is built in memory and copied, the root document last: a group that opens has all its metadata, and two
    processes that create the same one write the same objects.
    """
    held: dict[str, Buffer] = {}
    root = zarr.create_group(MemoryStore(held), zarr_format=3, attributes=dict(template.attributes.get("", {})))
    for path, attributes in template.attributes.items():
        if path:
            root.require_group(path).attrs.update(dict(attributes))
    for path, array in template.arrays.items():
        _create(root, path, array)
    objects = {name: buffer.to_bytes() for name, buffer in held.items()}
    objects[ROOT_DOCUMENT] = _consolidated(objects)
    for name in sorted(objects, key=lambda name: (name == ROOT_DOCUMENT, name)):
        store.write(f"{key}/{name}", objects[name])


def _consolidated(objects: Mapping[str, bytes]) -> bytes:
    """Return the root document with the metadata of all nodes inside, as zarr-python and xarray read it.

    ``zarr.consolidate_metadata`` writes the same and warns each time that Zarr v3 does not define it; a warning cannot
    be silenced in one thread alone.
    """
    ending = f"/{ROOT_DOCUMENT}"
    nodes = {name.removesuffix(ending): json.loads(objects[name]) for name in sorted(objects) if name.endswith(ending)}
    root = json.loads(objects[ROOT_DOCUMENT])
    root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": nodes}
    return json.dumps(root).encode()


def _create(root: zarr.Group, path: str, array: ArrayTemplate) -> None:
    rows = array.chunk_rows or max(1, array.shape[0])
    created = root.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(rows, *array.shape[1:]),
        shards=(array.shard_rows, *array.shape[1:]) if array.shard_rows else None,
        compressors=_COMPRESSOR,
        fill_value=missing_value(array.dtype),
        dimension_names=array.dimensions,
        attributes=dict(array.attributes),
    )
    if array.values is not None:
        created[...] = array.values


def read_group(store: ObjectStore, key: str) -> GroupDocument:
    """Return the metadata of a group and all its arrays, with one request.

    Raises
    ------
    MissingObjectError
        If there is none.
    CorruptDataError
        If they are not what `create_arrays` writes.
    """
    return read_group_document(store.read_small(f"{key}/{ROOT_DOCUMENT}"), store.url(key))


def open_group(store: ObjectStore, key: str, document: GroupDocument | None = None) -> zarr.Group:
    """Open a group to read it, or to write whole shards (``storage.zarr.shards``).

    Parameters
    ----------
    store, key
        Where it lies.
    document
        Its metadata, when they were read already: then there is no request.

    Raises
    ------
    MissingObjectError
        If there is none.
    CorruptDataError
        If its metadata are not what `create_arrays` writes; or later, when a stored chunk is missing or damaged.
    """
    document = document or read_group(store, key)
    held = {ROOT_DOCUMENT: document.data}
    try:
        return zarr.open_group(KeyedStore(store, key, held), mode="r", zarr_format=3, use_consolidated=True)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(
            f"{store.url(key)}: the metadata of this Zarr group cannot be read ({error})", "it was damaged, restore it"
        ) from None


def get_array(group: zarr.Group, path: str) -> zarr.Array:
    """Return an array of a group.

    Raises
    ------
    InputError
        If there is none; the message lists what there is.
    """
    try:
        item = group[path]
    except KeyError:
        item = None
    if not isinstance(item, zarr.Array):
        raise InputError(f"no array {path!r} in this dataset (arrays: {', '.join(array_names(group))})")
    return with_exact_codecs(item)


def array_names(group: zarr.Group) -> list[str]:
    """Return the paths of all arrays of a group, sorted; no request when its metadata is consolidated."""
    return sorted(name for name, item in group.members(max_depth=None) if isinstance(item, zarr.Array))
