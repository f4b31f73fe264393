"""A store in memory, ``counted://``, that counts how often each object is read, and how many bytes of it."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from difsims_core.errors import MissingObjectError
from difsims_core.storage.backend import BACKENDS, ObjectInfo, StorageBackend

NOW = datetime.now(UTC)


class CountingStore(StorageBackend):
    """Objects by path; ``requests`` and ``n_bytes`` count reads of objects that are there, ``listings`` of folders."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.n_bytes: Counter[str] = Counter()
        self.listings: Counter[str] = Counter()

    def check_root(self, path):
        return path.rstrip("/")

    def read(self, path, start=None, stop=None):
        if path not in self.objects:
            raise MissingObjectError(f"counted://{path}: no such object")
        data = self.objects[path][start:stop]
        self.requests[path] += 1
        self.n_bytes[path] += len(data)
        return data

    def write(self, path, data):
        self.objects[path] = bytes(data)

    def create(self, path, data):
        if path in self.objects:
            return False
        self.write(path, data)
        return True

    def read_versioned(self, path):
        data = self.read(path)
        return data, _version(data)

    def replace(self, path, data, version):
        before = self.objects.get(path)
        if version != (None if before is None else _version(before)):
            return False
        self.write(path, data)
        return True

    def exists(self, path):
        return path in self.objects

    def list(self, path):
        return sorted(name for name in self.objects if name.startswith(f"{path}/"))

    def describe(self, path):
        self.listings[path] += 1
        return [
            ObjectInfo(name, len(self.objects[name]), _version(self.objects[name]), NOW, NOW)
            for name in self.list(path)
        ]

    def signed_url(self, path, seconds):  # noqa: ARG002 - the interface
        return None

    def folders(self, path):
        below = (name.removeprefix(f"{path}/") for name in self.list(path))
        return sorted({name.partition("/")[0] for name in below if "/" in name})

    def tree_bytes(self, path):
        return sum(len(self.objects[name]) for name in self.list(path))

    def delete(self, path):
        self.objects.pop(path, None)

    def delete_tree(self, path):
        for name in self.list(path):
            self.delete(name)

    @contextmanager
    def writing(self, path) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "object"
            yield target
            self.write(path, target.read_bytes())

    def download(self, path, local):
        local.write_bytes(self.read(path))


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


COUNTING = CountingStore()
BACKENDS.register("counted")(COUNTING)
