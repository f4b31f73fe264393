"""Encode one shard of an array, from its rows to the bytes of its object, as Zarr v3 defines it.

Zarr's own writer sends every chunk through an event loop and a thread of its own: 6 ms for a shard of 16
chunks, whatever they hold, and a block has a shard in each of some twenty arrays. The bytes here are the same, which a
test holds, and take the time of compression alone (zarr 3.1; ``docs/decisions/shard-encoder.md``).

References
----------
Zarr v3 ``sharding_indexed`` codec: the chunks one after another, then for each its offset and length as uint64
(2⁶⁴ − 1 twice: never written), then the CRC-32C of this index.
"""

from __future__ import annotations

from difsims_core.storage.zarr.blosc import Blosc

# isort: split

import math
from typing import Any

import google_crc32c
import numpy as np
import zarr
from zarr.codecs import BloscCodec, ShardingCodec

from difsims_core.errors import InputError
from difsims_core.storage.zarr.exact_codecs import unpack
from difsims_core.storage.zarr.metadata import ArrayLayout
from difsims_core.storage.zarr.store import KeyedStore

_NEVER_WRITTEN = 2**64 - 1
_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


def shard_rows(array: zarr.Array) -> int:
    """Return the rows of one stored object of an array."""
    return (array.shards or array.chunks)[0]


def write_shard(array: zarr.Array, number: int, rows: np.ndarray, *, partial: bool = False) -> bytes:
    """Write a shard whole, one object, which replaces what an earlier attempt left there; return its bytes.

    Parameters
    ----------
    array
        Made by ``create_arrays``.
    number
        Of the shard; its rows begin at ``number · shard_rows(array)``.
    rows
        Its rows.
    partial
        Whether fewer rows than it has room for may be given; the rest reads as the fill value and takes no bytes.

    Raises
    ------
    InputError
        If the rows do not fill the shard, or on a wrong shape or dtype.
    """
    start, room = number * shard_rows(array), shard_rows(array)
    room = min(room, array.shape[0] - start)
    if number < 0 or room < 1 or len(rows) > room or (len(rows) < room and not partial):
        raise InputError(
            f"shard {number} of {array.path!r} ({array.shape[0]} rows in shards of {shard_rows(array)}) has "
            f"{max(room, 0)} rows, found {len(rows)}",
            "two writers could overwrite each other. Write whole blocks",
        )
    if rows.shape[1:] != array.shape[1:] or rows.dtype != array.dtype:
        raise InputError(
            f"rows of {array.path!r} must have shape {array.shape[1:]} and dtype {array.dtype}, found "
            f"{rows.shape[1:]} and {rows.dtype}; the simulator and the template disagree"
        )
    store = array.store
    if not isinstance(store, KeyedStore):
        raise InputError(f"expected an array of a group opened by open_group, found one of {type(store).__name__}")
    key = array.metadata.encode_chunk_key((number,) + (0,) * (array.ndim - 1))
    data = encode_shard(array, rows)
    store.objects.write(f"{store.prefix}/{array.path}/{key}", data)
    return data


def encode_shard(array: zarr.Array, rows: np.ndarray) -> bytes:
    """Return the bytes of a shard that begins with these rows; chunks without any are left out."""
    chunk_rows = array.chunks[0]
    codec = _compressor(array)
    index = np.full((shard_rows(array) // chunk_rows, 2), _NEVER_WRITTEN, "<u8")
    chunks: list[bytes] = []
    offset = 0
    for i, first in enumerate(range(0, len(rows), chunk_rows)):
        chunks.append(codec.encode(_whole(rows[first : first + chunk_rows], chunk_rows, array.fill_value)))
        index[i] = offset, len(chunks[-1])
        offset += len(chunks[-1])
    table = index.tobytes()
    return b"".join([*chunks, table, google_crc32c.value(table).to_bytes(4, "little")])


def decode_shard(layout: ArrayLayout, data: bytes, n_rows: int) -> np.ndarray:
    """Return the first rows of a shard from the bytes of its object; none is taken for written that is not there.

    Raises
    ------
    ValueError
        If its index or a chunk is damaged or missing.
    """
    trailing, chunk_rows = layout.shape[1:], layout.chunk_rows
    n_chunks = (layout.shard_rows or chunk_rows) // chunk_rows
    table, check = data[-16 * n_chunks - 4 : -4], data[-4:]
    if len(table) != 16 * n_chunks or google_crc32c.value(table).to_bytes(4, "little") != check:
        raise ValueError("the index of its chunks is damaged")
    index = np.frombuffer(table, "<u8").reshape(n_chunks, 2)
    chunk_bytes = chunk_rows * math.prod(trailing) * layout.dtype.itemsize
    chunks = []
    for offset, length in index[: -(-n_rows // chunk_rows)].tolist():
        if offset + length > len(data) - len(table) - len(check):
            raise ValueError("a chunk is missing")
        values = np.frombuffer(unpack(memoryview(data)[offset : offset + length], chunk_bytes), layout.dtype)
        chunks.append(values.reshape(chunk_rows, *trailing))
    return np.concatenate(chunks)[:n_rows] if chunks else np.empty((0, *trailing), layout.dtype)


def _whole(rows: np.ndarray, length: int, fill: Any) -> np.ndarray:
    if len(rows) == length:
        return np.ascontiguousarray(rows)
    whole = np.full((length, *rows.shape[1:]), fill, rows.dtype)
    whole[: len(rows)] = rows
    return whole


def _compressor(array: zarr.Array) -> Blosc:
    """Return the compressor that the metadata of an array name."""
    (sharding,) = array.metadata.codecs  # pyright: ignore[reportAttributeAccessIssue] - of Zarr v3, as ours all are
    compressor = sharding.codecs[-1] if isinstance(sharding, ShardingCodec) else None
    if not isinstance(compressor, BloscCodec):
        raise InputError(f"{array.path!r}: expected shards of chunks compressed by Blosc, found {sharding}")
    return Blosc(
        compressor.cname.value,
        compressor.clevel,
        _SHUFFLES[compressor.shuffle.value],
        compressor.blocksize,
        compressor.typesize,
    )
