"""Codecs that read what we write and nothing larger: a chunk unpacks to its own size, or is refused before it does."""

from __future__ import annotations

from difsims_core.storage.zarr.blosc import Blosc

# isort: split

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, ShardingCodec

from difsims_core.errors import CorruptDataError

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

_HEADER = 16  # bytes; at 4 … 8 the unpacked size, at 12 … 16 the packed size, little-endian (c-blosc README_HEADER)
_REMEDY = "it was damaged; verify it, then restore it, or delete it and make it again"


def unpack(data: Any, expected: int) -> bytes:
    """Return the bytes of a chunk.

    Raises
    ------
    ValueError
        If it is damaged, or would unpack to another size than expected; nothing is unpacked then.
    """
    view = memoryview(data).cast("B")
    sizes = [int.from_bytes(view[first : first + 4], "little") for first in (4, 12)] if len(view) >= _HEADER else None
    if sizes != [expected, len(view)]:
        raise ValueError(f"a chunk does not hold the {expected} bytes that it should")
    try:
        return Blosc().decode(view)
    except RuntimeError as error:
        raise ValueError(f"a chunk cannot be unpacked ({error})") from None


class ExactBlosc(BloscCodec):
    """Blosc that unpacks a chunk only to the size that the metadata say."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        expected = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
        try:
            return chunk_spec.prototype.buffer.from_bytes(unpack(chunk_bytes.as_numpy_array(), expected))
        except ValueError as error:
            raise CorruptDataError(f"a chunk of {chunk_spec.shape} values: {error}", _REMEDY) from None


class ExactIndex(Crc32cCodec):
    """The checksum of the index of a shard, with an error of ours."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        expected = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
        try:
            index = super()._decode_sync(chunk_bytes, chunk_spec)
        except ValueError:
            index = None
        if index is None or len(index) != expected:
            raise CorruptDataError("the index of a shard is not the one that was written", _REMEDY)
        return index


class ExactSharding(ShardingCodec):
    """Shards whose chunks and index are read by these codecs, in another process too."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._make_exact()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._make_exact()

    def _make_exact(self) -> None:
        for name in ("codecs", "index_codecs"):
            object.__setattr__(self, name, tuple(map(_exact, getattr(self, name))))


class WholeBlosc(Blosc):
    """Blosc of format 2 that refuses a chunk which is not as long as it says; Blosc itself reads past its end."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the bytes of a chunk."""
        view = memoryview(buf).cast("B")
        if len(view) < _HEADER or int.from_bytes(view[12:16], "little") != len(view):
            raise CorruptDataError(
                f"a chunk has {len(view)} bytes, not as many as it says", "it was damaged, restore it"
            )
        return super().decode(buf, out)


def with_exact_codecs(array: zarr.Array) -> zarr.Array:
    """Return an array that reads by these codecs."""
    metadata: Any = array.metadata
    if metadata.zarr_format == 2:
        if not isinstance(metadata.compressor, Blosc):
            return array
        settings = {key: value for key, value in metadata.compressor.get_config().items() if key != "id"}
        return zarr.Array(replace(array.async_array, metadata=replace(metadata, compressor=WholeBlosc(**settings))))
    codecs = tuple(map(_exact, metadata.codecs))
    return zarr.Array(replace(array.async_array, metadata=replace(metadata, codecs=codecs)))


def _exact(codec: Any) -> Any:
    if isinstance(codec, ShardingCodec):
        kept = ("chunk_shape", "codecs", "index_codecs", "index_location")
        return ExactSharding(**{name: getattr(codec, name) for name in kept})
    if isinstance(codec, BloscCodec):
        kept = ("typesize", "cname", "clevel", "shuffle", "blocksize")
        return ExactBlosc(**{name: getattr(codec, name) for name in kept})
    return ExactIndex() if isinstance(codec, Crc32cCodec) else codec
