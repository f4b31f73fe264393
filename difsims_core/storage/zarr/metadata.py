"""Metadata of a Zarr group, read strictly: only what `create_arrays` writes is accepted, nothing else is decoded.

The metadata of an array name its codecs and sizes. Whoever may choose these chooses which code reads the bytes, and how
much memory it takes; so a document is compared with the one that we would have written, before Zarr sees it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.errors import CorruptDataError
from difsims_core.plain_json import read_json
from difsims_core.storage.names import check_key

ROOT_DOCUMENT = "zarr.json"
MAX_CHUNK_BYTES = 2**26  # of a chunk, unpacked; ours have up to 8 MB
_MOST_DOCUMENT_BYTES = 2**24
_MOST_ROWS = 2**40
_MAX_CHUNKS = 2**20  # of a shard
_MOST_DIMENSIONS = 4
_DTYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
}  # fmt: skip
_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
_MOST_LEVEL = 9


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Size and division of an array.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    chunk_rows : int
        Of a chunk.
    shard_rows : int or None
        Of a stored object; None: the array is one chunk, not sharded.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunk_rows: int
    shard_rows: int | None

    def object_key(self, number: int) -> str:
        """Return the key of a stored object below that of the array."""
        return "/".join(["c", str(number), *["0"] * (len(self.shape) - 1)])


@dataclass(frozen=True, slots=True)
class GroupDocument:
    """The root document of a group with the metadata of all nodes inside.

    Attributes
    ----------
    data : bytes
        As it is stored.
    attributes : mapping
        Of the root.
    nodes : mapping of str to mapping
        Document of each group and array below, by path.
    arrays : mapping of str to ArrayLayout
        By path.
    """

    data: bytes
    attributes: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]
    arrays: Mapping[str, ArrayLayout]


def read_group_document(data: bytes, where: str) -> GroupDocument:
    """Return the metadata of a group.

    Raises
    ------
    CorruptDataError
        If they are not what `create_arrays` writes; ``where`` says whose they are.
    """
    try:
        return _group(data)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CorruptDataError(
            f"{where}: the metadata of this Zarr group cannot be read ({type(error).__name__}: {error}); expected what "
            "difsims writes, it was damaged or made by something else",
            "restore it",
        ) from None


def _group(data: bytes) -> GroupDocument:
    if len(data) > _MOST_DOCUMENT_BYTES:
        raise ValueError(f"more than {_MOST_DOCUMENT_BYTES} bytes")
    root = read_json(data)
    _require_keys(root, {"attributes", "zarr_format", "node_type", "consolidated_metadata"})
    inside = root["consolidated_metadata"]
    _require_keys(inside, {"kind", "must_understand", "metadata"})
    if (inside["kind"], inside["must_understand"]) != ("inline", False) or not isinstance(inside["metadata"], dict):
        raise ValueError("the metadata of its arrays are not inside")
    _check_group(root)
    nodes = inside["metadata"]
    arrays = {check_key(path): _node(path, node) for path, node in nodes.items()}
    return GroupDocument(data, root["attributes"], nodes, {path: item for path, item in arrays.items() if item})


def _node(path: str, node: Any) -> ArrayLayout | None:
    """Return the layout of an array, None for a group."""
    if isinstance(node, dict) and node.get("node_type") == "group":
        _require_keys(node, {"attributes", "zarr_format", "node_type"})
        return _check_group(node)
    layout = _layout(node)
    if node != array_document(layout, node["dimension_names"], node["attributes"], _compressor(node)):
        raise ValueError(f"codecs, fill value or keys of {path} differ from those that difsims writes")
    return layout


def _layout(node: Mapping[str, Any]) -> ArrayLayout:
    if not isinstance(node, dict) or not isinstance(node["attributes"], dict):
        raise TypeError("expected the metadata of an array")
    if not isinstance(node["data_type"], str) or node["data_type"] not in _DTYPES:
        raise ValueError("the data type is none that difsims writes")
    dtype, shape = np.dtype(node["data_type"]), _sizes(node["shape"])
    stored = _sizes(node["chunk_grid"]["configuration"]["chunk_shape"])
    sharded = node["codecs"][0]["name"] == "sharding_indexed"
    chunk = _sizes(node["codecs"][0]["configuration"]["chunk_shape"]) if sharded else stored
    if not stored[1:] == chunk[1:] == shape[1:] or stored[0] % chunk[0] or not (sharded or stored == shape):
        raise ValueError(f"chunks {chunk} in objects {stored} do not divide {shape}")
    if math.prod(chunk) * dtype.itemsize > MAX_CHUNK_BYTES or stored[0] // chunk[0] > _MAX_CHUNKS:
        raise ValueError(f"chunks {chunk} in objects {stored} are too large")
    names = node["dimension_names"]
    if not isinstance(names, list) or len(names) != len(shape) or not all(isinstance(name, str) for name in names):
        raise ValueError("expected one name for each dimension")
    return ArrayLayout(shape, dtype, chunk[0], stored[0] if sharded else None)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_DIMENSIONS:
        raise ValueError(f"expected 1 … {_MOST_DIMENSIONS} sizes")
    if not all(type(size) is int and 1 <= size <= _MOST_ROWS for size in value):
        raise ValueError("a size is no whole number, or too large")
    return tuple(value)


def _compressor(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of Blosc, which may be others than today's; they do not change what is read."""
    codecs = node["codecs"]
    if codecs[0]["name"] == "sharding_indexed":
        codecs = codecs[0]["configuration"]["codecs"]
    settings = codecs[-1]["configuration"]
    level, block, shuffle = settings["clevel"], settings["blocksize"], settings["shuffle"]
    if type(level) is not int or not 0 <= level <= _MOST_LEVEL or type(block) is not int:
        raise ValueError("the compressor has no such level")
    if not 0 <= block <= MAX_CHUNK_BYTES or shuffle not in _SHUFFLES:
        raise ValueError("the compressor has no such blocks")
    return {"clevel": level, "shuffle": shuffle, "blocksize": block}


def array_document(
    layout: ArrayLayout, dimensions: list[str], attributes: Mapping[str, Any], compressor: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of an array as Zarr v3 writes them (a test holds it)."""
    little = {"name": "bytes"} if layout.dtype.itemsize == 1 else _LITTLE
    blosc = {"cname": "zstd", "typesize": layout.dtype.itemsize, **compressor}
    codecs: list[dict[str, Any]] = [little, {"name": "blosc", "configuration": blosc}]
    trailing = list(layout.shape[1:])
    if layout.shard_rows is not None:
        sharding = {
            "chunk_shape": [layout.chunk_rows, *trailing],
            "codecs": codecs,
            "index_codecs": [_LITTLE, {"name": "crc32c"}],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    missing = missing_value(layout.dtype)
    return {
        "shape": list(layout.shape),
        "data_type": layout.dtype.name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [layout.shard_rows or layout.chunk_rows, *trailing]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN" if isinstance(missing, float) else missing,
        "codecs": codecs,
        "attributes": dict(attributes),
        "dimension_names": dimensions,
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def missing_value(dtype: str | np.dtype) -> Any:
    """Return the value that stands where nothing was written: NaN, or the largest (unsigned) or smallest integer."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return float("nan")
    if kind.kind == "b":
        return False
    return int(np.iinfo(kind).max if kind.kind == "u" else np.iinfo(kind).min)


def _check_group(node: Mapping[str, Any]) -> None:
    if (node["zarr_format"], node["node_type"]) != (3, "group") or not isinstance(node["attributes"], dict):
        raise ValueError("a group is no group of Zarr v3")


def _require_keys(value: Any, keys: set[str]) -> None:
    if not isinstance(value, dict) or value.keys() != keys:
        raise ValueError(f"expected the keys {', '.join(sorted(keys))}")
