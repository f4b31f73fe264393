"""Where Prefect keeps results of tasks: in the project's own store, so that both come and go together."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from prefect.filesystems import WritableFileSystem
from pydantic import Field

from difsims_core.storage import layout
from difsims_core.storage.objects import open_store


class StoreResults(WritableFileSystem):
    """Results as objects below ``cache/results`` of a difsims store; it holds the URL and no credentials."""

    _block_type_name = "difsims store"
    _block_type_slug = "difsims-store"
    _description = "Results of tasks beside the datasets and models of a difsims store."

    root: str = Field(description="root URL of the store, file:///path or s3://bucket/prefix")

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the bytes of a result."""
        return open_store(self.root).read(layout.result(path))

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> Any:
        """Write the bytes of a result."""
        open_store(self.root).write(layout.result(path), content)

    async def aread_path(self, path: str) -> bytes:
        """Return the bytes of a result."""
        return await asyncio.to_thread(self.read_path, path)

    async def awrite_path(self, path: str, content: bytes) -> Any:
        """Write the bytes of a result."""
        await asyncio.to_thread(self.write_path, path, content)


def results_in(root: str) -> StoreResults:
    """Return the result storage of a store, known to the Prefect server.

    Prefect refuses a block that its server does not know, because a result must be found from its record alone.
    """
    block = StoreResults(root=root)
    block.save(f"store-{hashlib.sha256(root.encode()).hexdigest()[:16]}", overwrite=True)
    return block
