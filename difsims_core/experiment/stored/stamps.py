"""Whether a file, or a Zarr group, is still the one that was opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from difsims_core.errors import ExperimentError
from difsims_core.storage.objects import ObjectInfo, locate

_REMEDY = "wait until it is written, then start again"


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file at the moment it was opened.

    Attributes
    ----------
    path : str
        Of the file.
    size : int
        Bytes.
    modified_ns : int
        When it was last written, ns.
    inode : int
        Another one when another file was put in its place.
    """

    path: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: str | Path) -> FileStamp:
        """Return the stamp of a file as it is now.

        Raises
        ------
        ExperimentError
            If there is none.
        """
        try:
            state = Path(path).stat()
        except OSError as error:
            raise ExperimentError(f"{path}: {error.strerror or error}", "check the path") from None
        return cls(str(path), state.st_size, state.st_mtime_ns, state.st_ino)

    def require_unchanged(self) -> None:
        """Refuse to go on with a file that was written to, replaced or removed.

        Raises
        ------
        ExperimentError
            If it was.
        """
        if FileStamp.of(self.path) != self:
            raise ExperimentError(f"{self.path}: changed while it was being read", _REMEDY)


@dataclass(frozen=True, slots=True)
class GroupStamp:
    """A Zarr group at the moment it was opened.

    Attributes
    ----------
    url : str
        Of the group.
    listing : str
        SHA-256 over the keys, sizes and ETags of all its objects.
    """

    url: str
    listing: str

    @classmethod
    def of(cls, url: str, objects: Iterable[ObjectInfo]) -> Self:
        """Return the stamp of a group whose objects were listed as these."""
        digest = hashlib.sha256()
        for info in sorted(objects, key=lambda info: info.key):
            digest.update(f"{info.key}\t{info.size}\t{info.etag}\n".encode())
        return cls(url, digest.hexdigest())

    def require_unchanged(self) -> None:
        """Refuse to go on with a group in which an object was written, replaced or removed; lists them once.

        Raises
        ------
        ExperimentError
            If one was.
        """
        objects, prefix = locate(self.url)
        if GroupStamp.of(self.url, objects.describe(prefix)) != self:
            raise ExperimentError(f"{self.url}: changed while it was being read", _REMEDY)
