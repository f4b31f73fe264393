"""What a storage backend must be able to do; one file and one registration each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from difsims_core.errors import CorruptDataError
from difsims_core.plugins import Family

MOST_SMALL_BYTES = 2**27  # of a record or metadata: the intake of 300 000 scans


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing says of an object.

    Attributes
    ----------
    key : str
        Of the object; within a scheme, its path.
    size : int
        Bytes.
    etag : str
        Another one when the object is written again: S3's ETag; of a file its time and size.
    modified : datetime
        When it was last written, UTC, by the clock of the store.
    changed : datetime
        When it came to lie there as it is, UTC; later than ``modified`` for a file that was copied or moved with its
        time.
    """

    key: str
    size: int
    etag: str
    modified: datetime
    changed: datetime

    def has_content(self, size: int, etag: str) -> bool:
        """Return whether an earlier listing told of the same content."""
        return (self.size, self.etag) == (size, etag)


class StorageBackend(ABC):
    """Objects by path: whole or in part, written whole or not at all.

    A path is what follows ``scheme://`` in a URL. Every method translates the failures of its server or disk into
    ``StoreAccessError`` (another try will not help), ``MissingObjectError`` or ``StoreError``.
    """

    @abstractmethod
    def check_root(self, path: str) -> str:
        """Return the path of a root in its normal form; refuse what cannot be one."""

    def path_below(self, root: str, key: str) -> str:
        """Return the path of a key below a root; refuse one that would lie elsewhere."""
        return f"{root.rstrip('/')}/{key}"

    @abstractmethod
    def read(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return an object, or its bytes ``start:stop``; a negative start alone means the last bytes.

        Of an object that ends before, fewer bytes or none.
        """

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write an object; readers see the old one or the new one, never a part."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless one is there; of several writers one gets True."""

    @abstractmethod
    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Return a small object and its version, a text that differs when the bytes do."""

    @abstractmethod
    def replace(self, path: str, data: bytes, version: str | None) -> bool:
        """Write an object if it still has this version (None: if there is none); of several writers one gets True."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Return whether there is an object."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """Return the paths of all objects in this folder and the folders below it, sorted; none: an empty list."""

    @abstractmethod
    def describe(self, path: str) -> list[ObjectInfo]:
        """Return what is known of all objects in this folder and the folders below it, sorted by path."""

    @abstractmethod
    def signed_url(self, path: str, seconds: int) -> str | None:
        """Return a link that a browser may open for so long; None where there are no such links."""

    @abstractmethod
    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in this folder, sorted."""

    @abstractmethod
    def tree_bytes(self, path: str) -> int:
        """Return the size of all objects in this folder and the folders below it."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""

    @abstractmethod
    def delete_tree(self, path: str) -> None:
        """Remove all objects in this folder and the folders below it."""

    @abstractmethod
    def writing(self, path: str) -> AbstractContextManager[Path]:
        """Give a local file to fill; it becomes the object when the block ends well, and goes when it does not."""

    @abstractmethod
    def download(self, path: str, local: Path) -> None:
        """Copy an object to a file."""


def require_small(where: str, n_bytes: int) -> None:
    """Refuse an object that is too large for a record or metadata, before it fills the memory.

    Raises
    ------
    CorruptDataError
        If it is.
    """
    if n_bytes > MOST_SMALL_BYTES:
        raise CorruptDataError(
            f"{where}: expected {MOST_SMALL_BYTES:,} bytes at most, found more",
            "it is no record, or damaged: restore it",
        )


BACKENDS: Family[StorageBackend] = Family("store scheme")
