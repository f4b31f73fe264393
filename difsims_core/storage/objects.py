"""One door to storage: a root URL, ``file://`` or ``s3://``, and objects by key below it (docs/architecture.md §4)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from difsims_core.errors import InputError
from difsims_core.storage.backend import BACKENDS, MOST_SMALL_BYTES, ObjectInfo, StorageBackend, require_small
from difsims_core.storage.names import check_key, join_url, split_url, url_name
from difsims_core.storage.records import from_record, to_record
from difsims_core.storage.urls import (
    exists_already,
    expand_urls,
    files_in,
    local_copy,
    object_exists,
    read_url,
    write_url,
    writing_url,
)

__all__ = [
    "ObjectInfo",
    "ObjectStore",
    "exists_already",
    "expand_urls",
    "files_in",
    "local_copy",
    "locate",
    "object_exists",
    "open_store",
    "read_url",
    "url_name",
    "write_url",
    "writing_url",
]

_DEFAULT_ROOT = "difsims-store"
_LONGEST_LINK = 7 * 24 * 3600  # seconds; what S3 allows


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A store, known by its root alone; credentials are read from the environment at the moment of use.

    So it may be sent to another process: neither its repr nor its pickle holds a secret.

    Attributes
    ----------
    root : str
        ``file:///absolute/path``, percent-encoded, or ``s3://bucket/prefix``; no slash at the end.
    """

    root: str

    def url(self, key: str) -> str:
        """Return the URL of a key."""
        return join_url(split_url(self.root)[0], self._path(key))

    def key_of(self, url: str | Path) -> str:
        """Return the key of an object by path or URL; the inverse of `url`.

        Raises
        ------
        InputError
            If it lies outside this store.
        """
        (scheme, path), (home, root) = split_url(url), split_url(self.root)
        inside = f"{root.rstrip('/')}/"
        if scheme != home or not path.startswith(inside):
            raise InputError(f"{url}: lies outside the store {self.root}", "name an object of this store")
        return check_key(path.removeprefix(inside))

    def read(self, key: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return an object, or its bytes ``start:stop``; a negative start alone means the last bytes.

        Raises
        ------
        MissingObjectError
            If there is none.
        """
        return self._backend.read(self._path(key), start, stop)

    def read_small(self, key: str) -> bytes:
        """Return a record or metadata; of an object that is far too large for it, not more than that is read.

        Raises
        ------
        MissingObjectError
            If there is none.
        CorruptDataError
            If it is too large.
        """
        data = self.read(key, 0, MOST_SMALL_BYTES + 1)
        require_small(self.url(key), len(data))
        return data

    def write(self, key: str, data: bytes) -> None:
        """Write an object; a reader sees the old one or the new one, never a part."""
        self._backend.write(self._path(key), data)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; of several writers exactly one gets True."""
        return self._backend.create(self._path(key), data)

    def read_versioned(self, key: str) -> tuple[bytes, str]:
        """Return a record and its version, to be handed to `replace`.

        Raises
        ------
        MissingObjectError
            If there is none.
        CorruptDataError
            If it is too large for a record.
        """
        return self._backend.read_versioned(self._path(key))

    def replace(self, key: str, data: bytes, version: str | None) -> bool:
        """Write an object if it is still the one that was read; of several writers exactly one gets True.

        A write whose answer was lost on the way counts as done when it was.

        Parameters
        ----------
        key
            Of the object.
        data
            Its new bytes.
        version
            What `read_versioned` said; None: there must be no object yet.
        """
        return self._backend.replace(self._path(key), data, version)

    def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return self._backend.exists(self._path(key))

    def list(self, prefix: str = "") -> list[str]:
        """Return the keys of all objects in this folder and the folders below it, sorted."""
        root = f"{self._path().rstrip('/')}/"
        return [path.removeprefix(root) for path in self._backend.list(self._path(prefix or None))]

    def describe(self, prefix: str = "") -> list[ObjectInfo]:
        """Return key, size, ETag and time of all objects in this folder and the folders below it, sorted by key."""
        root = f"{self._path().rstrip('/')}/"
        found = self._backend.describe(self._path(prefix or None))
        return [replace(info, key=info.key.removeprefix(root)) for info in found]

    def folders(self, prefix: str = "") -> list[str]:
        """Return the names of the folders directly in this folder, sorted."""
        return self._backend.folders(self._path(prefix or None))

    def tree_bytes(self, prefix: str = "") -> int:
        """Return the size of all objects in this folder and the folders below it."""
        return self._backend.tree_bytes(self._path(prefix or None))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        self._backend.delete(self._path(key))

    def delete_tree(self, prefix: str) -> None:
        """Remove all objects in this folder and the folders below it."""
        self._backend.delete_tree(self._path(prefix))

    def signed_url(self, key: str, seconds: int) -> str | None:
        """Return a link under which anyone may read an object for so long; None where the scheme has no links.

        Raises
        ------
        InputError
            If the time is not one that S3 allows.
        """
        if not 1 <= seconds <= _LONGEST_LINK:
            raise InputError(f"a signed link lasts 1 … {_LONGEST_LINK} seconds (seven days), found {seconds}")
        return self._backend.signed_url(self._path(key), seconds)

    def upload(self, local_path: str | Path, key: str) -> None:
        """Copy a file into the store."""
        with self.writing(key) as temporary:
            shutil.copyfile(local_path, temporary)

    def writing(self, key: str) -> AbstractContextManager[Path]:
        """Give a local file to fill; it becomes the object when the block ends well, and goes when it does not."""
        return self._backend.writing(self._path(key))

    def download(self, key: str, local_path: str | Path) -> None:
        """Copy an object to a file."""
        self._backend.download(self._path(key), Path(local_path))

    def read_record(self, key: str) -> dict[str, Any]:
        """Return the document of a record (`storage.records`).

        Raises
        ------
        MissingObjectError
            If there is none.
        CorruptDataError
            If it is damaged, or none that this version wrote.
        """
        return from_record(self.read_small(key), self.url(key))

    def write_record(self, key: str, document: Mapping[str, Any]) -> None:
        """Write a record; a reader sees the old one or the new one."""
        self.write(key, to_record(document))

    @property
    def _backend(self) -> StorageBackend:
        return BACKENDS[split_url(self.root)[0]]

    def _path(self, key: str | None = None) -> str:
        path = split_url(self.root)[1]
        return path if key is None else self._backend.path_below(path, check_key(key))


def open_store(url: str | Path | None = None) -> ObjectStore:
    """Return the store at a URL or path; None means ``DIFSIMS_STORE``, or a folder ``difsims-store`` here.

    Raises
    ------
    InputError
        If the URL is malformed, of an unknown scheme, or carries credentials.
    """
    scheme, path = split_url(url if url is not None else os.environ.get("DIFSIMS_STORE") or _DEFAULT_ROOT)
    return ObjectStore(join_url(scheme, BACKENDS[scheme].check_root(path)))


def locate(url: str | Path) -> tuple[ObjectStore, str]:
    """Return the folder that holds an object or a tree of objects, as a store, and the name in it.

    Raises
    ------
    InputError
        If the URL is malformed.
    """
    scheme, path = split_url(url)
    folder, _, name = path.rstrip("/").rpartition("/")
    return open_store(join_url(scheme, folder or "/")), check_key(name)
