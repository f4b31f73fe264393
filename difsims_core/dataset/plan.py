"""Which blocks a dataset consists of, and what makes two datasets the same (DESIGN §4)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from difsims_core.errors import InputError

if TYPE_CHECKING:
    from difsims_core.dataset.simulate import Simulator

CHUNK_ROWS = 1024
BLOCK_ROWS = 16 * CHUNK_ROWS
LARGE_BLOCK_ROWS = 64 * CHUNK_ROWS
_LARGE = 10**7  # from here on fewer, larger objects
_MOST_GROUPS = 64  # tasks of one flow run
_LEAST_BLOCKS = 8  # of a group, so that a task is worth its overhead


@dataclass(frozen=True, slots=True)
class Plan:
    """The blocks of one dataset; block ``b`` is rows ``b · block_rows`` … and one stored object of every array.

    Attributes
    ----------
    id, fingerprint : str
        Of the dataset.
    n_patterns, block_rows, chunk_rows : int
        Rows in all, of a block, and of a compressed piece of it.
    created : str
        ISO date and time.
    complete : bool
        Whether the completion record exists.
    """

    id: str
    fingerprint: str
    n_patterns: int
    block_rows: int
    chunk_rows: int = CHUNK_ROWS
    created: str = ""
    complete: bool = False

    def __post_init__(self) -> None:
        if self.n_patterns < 1 or self.chunk_rows < 1:
            raise InputError(f"a dataset needs patterns and rows, found {self.n_patterns} and {self.chunk_rows}")
        if self.block_rows < 1 or self.block_rows % self.chunk_rows:
            raise InputError(
                f"a block must be a multiple of {self.chunk_rows} rows, the compressed piece, found {self.block_rows}; "
                f"for example {max(1, round(self.block_rows / self.chunk_rows)) * self.chunk_rows}"
            )

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.n_patterns // self.block_rows)

    def rows(self, block: int) -> tuple[int, int]:
        """Return (start, stop) of a block.

        Raises
        ------
        InputError
            If there is no such block.
        """
        if not 0 <= block < self.n_blocks:
            raise InputError(f"block {block} does not exist: this dataset has blocks 0 … {self.n_blocks - 1}")
        return block * self.block_rows, min((block + 1) * self.block_rows, self.n_patterns)

    def groups(self, max_groups: int = _MOST_GROUPS, min_blocks: int = _LEAST_BLOCKS) -> tuple[range, ...]:
        """Return runs of blocks, one a task: at most ``max_groups``, each at least ``min_blocks`` where possible."""
        if max_groups < 1 or min_blocks < 1:
            raise InputError(f"expected max_groups ≥ 1 and min_blocks ≥ 1, found {max_groups} and {min_blocks}")
        count = max(1, min(max_groups, self.n_blocks // min_blocks))
        edges = [self.n_blocks * i // count for i in range(count + 1)]
        return tuple(range(first, last) for first, last in pairwise(edges))

    def record(self) -> dict[str, Any]:
        """Return what the store keeps to find this dataset by its fingerprint."""
        names = ("id", "fingerprint", "n_patterns", "block_rows", "chunk_rows", "created")
        return {name: getattr(self, name) for name in names}


def default_block_rows(n_patterns: int) -> int:
    """Return the rows of a block: 16384, 65536 for large datasets, and no more than a small one needs."""
    if n_patterns >= _LARGE:
        return LARGE_BLOCK_ROWS
    return min(BLOCK_ROWS, -(-n_patterns // CHUNK_ROWS) * CHUNK_ROWS)


def fingerprint(simulator: Simulator) -> str:
    """Return the SHA-256 of everything that the bytes of a dataset depend on.

    That is the document without the places where its crystals lie, the content of the crystals, and the version of
    the engine. How the dataset is cut into blocks and where it is stored do not belong to it.
    """
    document = simulator.spec.to_document()
    del document["crystal_folder"]
    for phase in document["phases"]:
        del phase["cif"]
    content = {
        "parameters": document,
        "crystals": [[crystal.name, crystal.sha256] for crystal in simulator.crystals],
        "engine_version": simulator.engine_version,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
