"""Arrays of numbers in Zarr groups that others have written, formats 2 and 3.

The metadata of an array name the code that reads it, unpickling among it. So they are looked through first: only plain
numbers pass, and codecs that turn bytes into bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from difsims_core.errors import CorruptDataError, InputError
from difsims_core.messages import printable
from difsims_core.plain_json import read_json
from difsims_core.storage.objects import ObjectInfo, locate
from difsims_core.storage.zarr.exact_codecs import with_exact_codecs
from difsims_core.storage.zarr.store import KeyedStore

# isort: split

import numpy as np
import zarr

_DOCUMENTS: dict[str, Literal[2, 3]] = {".zarray": 2, "zarr.json": 3}
_ATTRIBUTES = ".zattrs"
_MOST_DOCUMENTS = 10_000
_MOST_CHUNK_BYTES = 2**31
_CODECS = {
    None, "blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma", "shuffle", "delta", "bytes", "transpose", "crc32c",
    "numcodecs.blosc", "numcodecs.zstd", "numcodecs.zlib", "numcodecs.lz4", "numcodecs.shuffle", "numcodecs.delta",
}  # fmt: skip
_SHARDS = "sharding_indexed"
_PLACE = re.compile(r"0|[1-9][0-9]{0,17}")
_TYPE = re.compile(r"[<>|]?(?:b1|[iu][1248]|f[248])|bool|u?int(?:8|16|32|64)|float(?:16|32|64)")


@dataclass(frozen=True, slots=True)
class ForeignArray:
    """An array in a group that others have written.

    Attributes
    ----------
    url : str
        Of the group.
    path : str
        Of the array in it.
    document : bytes
        Its metadata, looked through.
    zarr_format : int
    shape, chunks : tuple of int
        The array, and what is unpacked at once.
    stored : tuple of int
        What an object holds: a chunk, or a shard of several.
    dtype : numpy.dtype
    attributes : mapping
    """

    url: str
    path: str
    document: bytes
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    stored: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[str, Any]

    def opened(self) -> zarr.Array:
        """Return the array; its chunks are read when it is indexed."""
        objects, prefix = locate(self.url)
        name = "zarr.json" if self.zarr_format == 3 else ".zarray"
        store = _ForeignStore(objects, prefix, {f"{self.path}/{name}".lstrip("/"): self.document})
        return with_exact_codecs(zarr.open_array(store, path=self.path, mode="r", zarr_format=self.zarr_format))


@dataclass(frozen=True, slots=True)
class ForeignGroup:
    """A group that others have written.

    Attributes
    ----------
    arrays : mapping of str to ForeignArray
        All its arrays of numbers, by path.
    attributes : mapping
        Of all its nodes, by path.
    objects : mapping of str to ObjectInfo
        All that lies in it, by key below it, as it was listed before anything was read.
    """

    arrays: Mapping[str, ForeignArray]
    attributes: Mapping[str, Mapping[str, Any]]
    objects: Mapping[str, ObjectInfo]

    def missing_chunks(self, array: ForeignArray) -> tuple[int, int]:
        """Return how many of the objects that hold an array are missing, and how many there should be."""
        folder = f"{array.path}/" if array.path else ""
        grid = [-(-edge // chunk) for edge, chunk in zip(array.shape, array.stored, strict=True)]
        found = sum(key.startswith(folder) and _is_chunk(key[len(folder) :], grid) for key in self.objects)
        return math.prod(grid) - found, math.prod(grid)


class _ForeignStore(KeyedStore):
    every_chunk_is_stored = False


def read_foreign_group(url: str) -> ForeignGroup:
    """Return what is in a group; its chunks are listed, not read.

    Raises
    ------
    InputError
        If it is no Zarr group, or one with too many nodes.
    """
    objects, prefix = locate(url)
    keys = {info.key.removeprefix(f"{prefix}/"): info for info in objects.describe(prefix)}
    documents = [key for key in keys if key.rpartition("/")[2] in (*_DOCUMENTS, _ATTRIBUTES)]
    if not documents:
        raise InputError(f"{url}: no Zarr group: there is no {' or '.join(_DOCUMENTS)} in it", "check the path")
    if len(documents) > _MOST_DOCUMENTS:
        raise InputError(f"{url}: more than {_MOST_DOCUMENTS} groups and arrays", "name a smaller group")
    arrays, attributes = {}, {}
    for key in documents:
        path, _, name = key.rpartition("/")
        data = objects.read_small(f"{prefix}/{key}")
        document = _read(data, f"{url}/{key}")
        if name == _ATTRIBUTES:
            attributes[path] = document
            continue
        if name == "zarr.json":
            attributes[path] = document.get("attributes") or {}
        array = _array(url, path, data, document, _DOCUMENTS[name])
        if array is not None:
            arrays[path] = array
    return ForeignGroup(arrays, attributes, keys)


def require_plain(array: ForeignArray) -> None:
    """Refuse an array whose codecs do more than turn bytes into bytes, or whose chunks do not fit into memory.

    Raises
    ------
    InputError
        If it is such a one.
    """
    strange = sorted(str(name) for name in _codecs(read_json(array.document)) - _CODECS)
    if strange:
        raise InputError(
            f"{array.url}: {printable(array.path)} is packed by {printable(', '.join(strange)[:200])}, which is not "
            "read from files of others",
            "store it with Blosc, Zstandard or gzip",
        )
    size = math.prod(array.chunks) * array.dtype.itemsize
    if size > _MOST_CHUNK_BYTES:
        raise InputError(
            f"{array.url}: a chunk of {printable(array.path)} has {size:,} bytes, expected at most "
            f"{_MOST_CHUNK_BYTES:,}",
            "store it in smaller chunks",
        )


def _read(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = read_json(data)
    except ValueError as error:
        raise CorruptDataError(f"{where}: no JSON ({error})", "copy the group again") from None
    if not isinstance(found, dict):
        raise CorruptDataError(f"{where}: expected an object of JSON", "copy the group again")
    return found


def _array(
    url: str, path: str, data: bytes, document: dict[str, Any], zarr_format: Literal[2, 3]
) -> ForeignArray | None:
    """Return an array of numbers; None for a group or another array."""
    grid = document.get("chunk_grid")
    kind = document.get("dtype" if zarr_format == 2 else "data_type")
    chunks = document.get("chunks") if zarr_format == 2 else _inner(document, grid)
    stored = chunks if zarr_format == 2 else _outer(grid)
    shape = document.get("shape")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or not _edges(shape):
        return None
    if not len(_edges(shape)) == len(_edges(chunks)) == len(_edges(stored)):
        return None
    attributes = document.get("attributes") or {}
    edges, unpacked, held = _edges(shape), _edges(chunks), _edges(stored)
    return ForeignArray(url, path, data, zarr_format, edges, unpacked, held, np.dtype(kind), attributes)


def _inner(document: dict[str, Any], grid: Any) -> Any:
    """Return the edges of what is unpacked at once: of a shard its chunks are."""
    try:
        first = document["codecs"][0]
        if first["name"] == _SHARDS:
            return first["configuration"]["chunk_shape"]
    except (KeyError, TypeError, IndexError):
        return None
    return _outer(grid)


def _outer(grid: Any) -> Any:
    """Return the edges of what an object holds."""
    try:
        return grid["configuration"]["chunk_shape"]
    except (KeyError, TypeError):
        return None


def _is_chunk(key: str, grid: Sequence[int]) -> bool:
    """Return whether a key below an array is that of a chunk: ``c/0/1`` or ``0.1``, with any of the separators."""
    places = re.split(r"[./]", re.sub(r"^c[./]", "", key))
    return len(places) == len(grid) and all(
        _PLACE.fullmatch(place) and int(place) < length for place, length in zip(places, grid, strict=True)
    )


def _edges(value: Any) -> tuple[int, ...]:
    """Return edges; none where they are no whole numbers from one."""
    if not isinstance(value, list) or not all(type(edge) is int and edge >= 1 for edge in value):
        return ()
    return tuple(value)


def _codecs(document: Mapping[str, Any]) -> set[Any]:
    """Return the names of all codecs of an array; of something strange its text."""
    found = document.get("codecs")
    if found is None:
        steps = [document.get("compressor"), *(document.get("filters") or [])]
        return {step.get("id", "?") if isinstance(step, dict) else step for step in steps}
    names: set[Any] = set()
    for step in found if isinstance(found, list) else [found]:
        name = step.get("name", "?") if isinstance(step, dict) else str(step)
        settings = step.get("configuration") if isinstance(step, dict) else None
        if name == _SHARDS and isinstance(settings, dict):
            names |= _codecs({"codecs": settings.get("codecs", "?")}) | _codecs(
                {"codecs": settings.get("index_codecs", [])}
            )
        else:
            names.add(name)
    if document.get("storage_transformers"):
        names.add("storage_transformers")
    return names
