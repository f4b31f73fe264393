"""Which blocks a dataset consists of, and what makes two datasets the same (docs/architecture.md §4)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.errors import CorruptDataError, InputError
from difsims_core.storage.record_model import Count, Record, Sha256, SimulationId, Size, Time

if TYPE_CHECKING:
    from difsims_core.simulation.inputs import Inputs
    from difsims_core.simulation.simulator import Simulator

CHUNK_ROWS = 1024
BLOCK_ROWS = 16 * CHUNK_ROWS
LARGE_BLOCK_ROWS = 64 * CHUNK_ROWS
HUGE_BLOCK_ROWS = 128 * CHUNK_ROWS
SPOT_ROWS = 2**16
"""Rows of a chunk of the flat arrays of spots."""
_LARGE, _HUGE = 10**7, 10**9  # from here on fewer, larger objects (deployments/scale.md)
_BLOCK_BYTES = 128 * 10**6  # three blocks, two of them with their compressed bytes, are in memory at a time
_CHUNK_BYTES = 8 * 10**6
MOST_GROUPS = 64  # tasks of one flow run
_MOST_BLOCKS = 2**20
_LEAST_BLOCKS = 8  # of a group, so that a task is worth its overhead


@dataclass(frozen=True, slots=True)
class Plan:
    """The blocks of one dataset; block ``b`` is rows ``b · block_rows`` … and one stored object of every array.

    Attributes
    ----------
    id, fingerprint : str
        Of the dataset.
    n_patterns, block_rows, chunk_rows : int
        Rows in all, of a block, and of a chunk of it.
    spot_rows : int
        Rows of the flat arrays of spots that a block owns; 0 when no spots are kept. It is kept with the dataset: a
        bound computed on another machine might differ.
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
    spot_rows: int = 0
    created: str = ""
    complete: bool = False

    def __post_init__(self) -> None:
        if self.n_patterns < 1 or self.chunk_rows < 1:
            raise InputError(f"a dataset needs patterns and rows, found {self.n_patterns} and {self.chunk_rows}")
        if self.block_rows < 1 or self.block_rows % self.chunk_rows:
            raise InputError(
                f"a block must be a multiple of {self.chunk_rows} rows, those of a chunk, found {self.block_rows}",
                f"for example {max(1, round(self.block_rows / self.chunk_rows)) * self.chunk_rows}",
            )

        if self.n_blocks > _MOST_BLOCKS:
            raise InputError(
                f"a dataset has at most {_MOST_BLOCKS} blocks, found {self.n_blocks}: {self.n_patterns} patterns in "
                f"blocks of {self.block_rows}",
                "choose larger blocks",
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

    def groups(self, max_groups: int = MOST_GROUPS, min_blocks: int = _LEAST_BLOCKS) -> tuple[range, ...]:
        """Return runs of blocks, one a task: at most ``max_groups``, each at least ``min_blocks`` where possible."""
        if max_groups < 1 or min_blocks < 1:
            raise InputError(f"expected max_groups ≥ 1 and min_blocks ≥ 1, found {max_groups} and {min_blocks}")
        count = max(1, min(max_groups, self.n_blocks // min_blocks))
        edges = [self.n_blocks * i // count for i in range(count + 1)]
        return tuple(range(first, last) for first, last in pairwise(edges))

    def record(self) -> PlanRecord:
        """Return what the store keeps to find this dataset by its fingerprint."""
        return PlanRecord(**{name: getattr(self, name) for name in PlanRecord.model_fields})


class PlanRecord(Record):
    """What the store keeps to find a dataset by its fingerprint, as `Plan` explains it."""

    described: ClassVar[str] = "the record of a dataset"

    id: SimulationId
    fingerprint: Sha256
    n_patterns: Size
    block_rows: Size
    chunk_rows: Size
    spot_rows: Count = 0  # datasets had none before there were spots
    created: Time

    def plan(self, where: str) -> Plan:
        """Return the plan; ``where`` says in errors whose it is.

        Raises
        ------
        CorruptDataError
            If its sizes do not fit together.
        """
        try:
            return Plan(**{name: getattr(self, name) for name in PlanRecord.model_fields})
        except InputError as error:
            raise CorruptDataError(f"{where}: not {self.described} ({error})", self.remedy) from None


def plan_blocks(simulator: Simulator, simulation_id: str, created: str, block_rows: int | None = None) -> Plan:
    """Return the plan of a new dataset; ``block_rows`` defaults to what its size asks for."""
    spec, size = simulator.spec, simulator.bytes_per_pattern
    rows = block_rows or default_block_rows(spec.n_patterns, size)
    spots = -(-max(1, rows * simulator.most_peaks) // SPOT_ROWS) * SPOT_ROWS if spec.output.peaks else 0
    chunk_rows = default_chunk_rows(size)
    return Plan(simulation_id, fingerprint(simulator), spec.n_patterns, rows, chunk_rows, spots, created)


def default_block_rows(n_patterns: int, bytes_per_pattern: int) -> int:
    """Return the rows of a block: at most 128 MB, and no more than a small dataset needs.

    That is 16384 for profiles, 65536 from 10⁷ and 131072 from 10⁹ of them on, 512 for polar patterns of 212 kB.
    """
    chunk_rows = default_chunk_rows(bytes_per_pattern)
    wanted = HUGE_BLOCK_ROWS if n_patterns >= _HUGE else LARGE_BLOCK_ROWS if n_patterns >= _LARGE else BLOCK_ROWS
    rows = max(chunk_rows, min(wanted, _power_of_two(_BLOCK_BYTES // bytes_per_pattern)))
    return min(rows, -(-n_patterns // chunk_rows) * chunk_rows)


def default_chunk_rows(bytes_per_pattern: int) -> int:
    """Return the rows of a chunk: 1024 for profiles, fewer for what is large; at most 8 MB."""
    return min(CHUNK_ROWS, _power_of_two(_CHUNK_BYTES // bytes_per_pattern))


def _power_of_two(at_most: int) -> int:
    return 1 << max(0, at_most.bit_length() - 1)


def fingerprint(inputs: Inputs | Simulator) -> str:
    """Return the SHA-256 of everything that the bytes of a dataset depend on.

    That is the document without the places where its crystals and orientations lie, their content, the crystal
    structures as they were read, name and version of the engine and of extensions, and the version of what is around
    them. How the dataset is cut into blocks and where it is stored do not belong to it.
    """
    document = fingerprint_document(inputs.spec)
    del document["crystal_folder"], document["orientations"]["file"]
    for phase in document["phases"]:
        del phase["cif"]
    content: dict[str, Any] = {
        "parameters": document,
        "crystals": [[crystal.name, crystal.sha256, crystal.structure_sha256] for crystal in inputs.crystals],
        **inputs.versions,
    }
    if inputs.orientation_sha256 is not None:
        content["orientations"] = list(inputs.orientation_sha256)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
