"""What Zarr sees of an object store: keys below one prefix, errors of ours, a pickle without secrets.

Why one of our own: Zarr reads fill values where an object is missing, and a pickled store of Zarr's holds its
credentials in clear (zarr 3.1; ``docs/decisions/zarr-store.md``).
"""

from __future__ import annotations

from difsims_core.storage.zarr import blosc as _its_own_zstd  # noqa: F401 - before Zarr loads it

# isort: split

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.metadata import MAX_CHUNK_BYTES

_LONGEST_PART = 2 * MAX_CHUNK_BYTES
_LARGEST_OBJECT = 2**43  # what S3 takes is less


class KeyedStore(Store):
    """A read-only Zarr store over :class:`ObjectStore`; every read is one request.

    A missing object is an error, where Zarr would invent fill values. Shards are written by ``storage.zarr.shards``.
    What was read and checked already is held, by key, and not read again.

    Attributes
    ----------
    every_chunk_is_stored : bool
        Whether a chunk that is missing is lost. Others than we leave chunks out that hold nothing but fill values.
    """

    every_chunk_is_stored = True

    def __init__(self, objects: ObjectStore, prefix: str, preloaded: Mapping[str, bytes] | None = None) -> None:
        super().__init__(read_only=True)
        self.objects = objects
        self.prefix = prefix
        self.preloaded = dict(preloaded or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyedStore) and (self.objects, self.prefix) == (other.objects, other.prefix)

    def __hash__(self) -> int:
        return hash((self.objects, self.prefix))

    def __str__(self) -> str:
        return self.objects.url(self.prefix)

    def __repr__(self) -> str:
        return f"KeyedStore({str(self)!r})"

    @property
    def supports_writes(self) -> bool:
        """Return False."""
        return False

    @property
    def supports_deletes(self) -> bool:
        """Return False."""
        return False

    @property
    def supports_listing(self) -> bool:
        """Return True."""
        return True

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return an object or a part of it; None when there is none."""
        prototype = default_buffer_prototype() if prototype is None else prototype
        start, stop = self._limits(key, byte_range)
        if key in self.preloaded:
            return prototype.buffer.from_bytes(self.preloaded[key][start:stop])
        try:
            data = await asyncio.to_thread(self.objects.read, self._key(key), start, stop)
        except MissingObjectError:
            if self.every_chunk_is_stored and _is_data(key):
                raise CorruptDataError(
                    f"{self}/{key}: this chunk of a complete item is missing",
                    "restore it, or delete it and make it again",
                ) from None
            return None
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of objects."""
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return key in self.preloaded or await asyncio.to_thread(self.objects.exists, self._key(key))

    async def set(self, key: str, value: Buffer) -> None:  # noqa: ARG002 the interface
        """Refuse."""
        self._check_writable()

    async def delete(self, key: str) -> None:  # noqa: ARG002 the interface
        """Refuse."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """Yield all keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys that begin with a prefix."""
        for key in await asyncio.to_thread(self.objects.list, self.prefix):
            below = key.removeprefix(f"{self.prefix}/")
            if below.startswith(prefix):
                yield below

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names directly below a prefix."""
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        seen: set[str] = set()
        async for key in self.list_prefix(folder):
            name = key.removeprefix(folder).split("/", 1)[0]
            if name not in seen:
                seen.add(name)
                yield name

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}"

    def _limits(self, key: str, part: ByteRequest | None) -> tuple[int | None, int | None]:
        match part:
            case RangeByteRequest():
                length = part.end - part.start
                if part.end > _LARGEST_OBJECT or length > _LONGEST_PART:  # memory is taken before it is read
                    raise CorruptDataError(
                        f"{self}/{key}: names a chunk of {length} bytes that end at {part.end}, expected at most "
                        f"{_LONGEST_PART}",
                        "it was damaged, verify the dataset",
                    )
                return part.start, part.end
            case OffsetByteRequest():
                return part.offset, None
            case SuffixByteRequest():
                return -part.suffix, None
            case _:
                return None, None


def _is_data(key: str) -> bool:
    return "/c/" in key
