"""What a place that keeps objects must be able to do; one file and one registration a place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

from difsims_core.registry import Registry


class Scheme(ABC):
    """Objects by path: whole or in part, written whole or not at all.

    A path is what follows ``scheme://`` in a URL. Every method translates the failures of its place into
    ``StoreAccessError`` (another try will not help), ``MissingObjectError`` or ``StoreError``.
    """

    @abstractmethod
    def check_root(self, path: str) -> str:
        """Return the path of a root in its normal form; refuse what cannot be one."""

    @abstractmethod
    def read(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return an object, or its bytes ``start:stop``; a negative start alone means the last bytes."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write an object; readers see the old one or the new one, never a part."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write an object unless one is there; of several writers one gets True."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Return whether there is an object."""

    @abstractmethod
    def list(self, path: str) -> list[str]:
        """Return the paths of all objects in this folder and the folders below it, sorted; none: an empty list."""

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


SCHEMES: Registry[Scheme] = Registry("store scheme")
