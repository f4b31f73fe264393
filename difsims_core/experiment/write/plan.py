"""How a preprocessed scan is divided: a shard is some whole rows of the scan, the unit of work and of storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.experiment.write.claims import Claim
from difsims_core.moments import now_text
from difsims_core.storage.record_model import Record
from difsims_core.storage.zarr.metadata import MAX_CHUNK_BYTES

_SHARD_BYTES = 32 * 2**20  # of patterns; a few shards are in memory at a time
_NUMBER_BYTES = 4

Version = Annotated[str, Field(min_length=1, max_length=20)]


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The shards of one preprocessed scan.

    Attributes
    ----------
    name, fingerprint, raw_sha256 : str
        Of the experiment; the last one of the frames that it was made from.
    ny, nx : int
        Scan positions.
    shard_rows : int
        Rows of the scan in a shard.
    created : str
        ISO date and time.
    """

    name: str
    fingerprint: str
    raw_sha256: str
    ny: int
    nx: int
    shard_rows: int
    created: str

    @classmethod
    def of(cls, claim: Claim) -> ScanPlan:
        """Return the plan of an experiment that was begun."""
        return cls(**{name: getattr(claim, name) for name in Claim.model_fields})

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return -(-self.ny // self.shard_rows)

    @property
    def n_patterns(self) -> int:
        """Number of scan positions."""
        return self.ny * self.nx

    def claim(self) -> Claim:
        """Return the record by which a name becomes its own."""
        return Claim(**{name: getattr(self, name) for name in Claim.model_fields})

    def patterns_of(self, shard: int) -> int:
        """Return the number of patterns of a shard."""
        rows = self.rows(shard)
        return (rows.stop - rows.start) * self.nx

    def rows(self, shard: int) -> slice:
        """Return the rows of the scan in a shard.

        Raises
        ------
        InputError
            If there is no such shard.
        """
        if not 0 <= shard < self.n_shards:
            raise InputError(f"shard {shard} does not exist: {self.name} has shards 0 … {self.n_shards - 1}")
        return slice(shard * self.shard_rows, min((shard + 1) * self.shard_rows, self.ny))

    def shard_of(self, row: int) -> int:
        """Return the shard that a row of the scan belongs to."""
        return row // self.shard_rows


class ScanAttributes(Claim):
    """What a preprocessed scan says of itself that its reader relies on; there is more (`template`)."""

    model_config = ConfigDict(extra="ignore")

    described: ClassVar[str] = "what a preprocessed scan says of itself"
    remedy: ClassVar[str] = Record.remedy

    preprocessing_version: Version

    @property
    def plan(self) -> ScanPlan:
        """Its shards."""
        return ScanPlan.of(self)


def plan_scan(prepared: PreparedScan, name: str, fingerprint: str, raw_sha256: str) -> ScanPlan:
    """Return the plan of a scan that is not begun: shards end where chunks of its file do, if those are small enough.

    Raises
    ------
    ExperimentError
        If a row of the scan makes a chunk that is too large to be stored.
    """
    ny, nx = prepared.scan.scan_shape
    cells = prepared.integrator.n_radii * prepared.integrator.cells.n_azimuths
    row_bytes = nx * max(cells, len(prepared.grids.q)) * _NUMBER_BYTES
    if row_bytes > MAX_CHUNK_BYTES:
        raise ExperimentError(
            f"{prepared.scan.source}: the polar patterns of a row of {nx} positions take {row_bytes // 2**20} MiB, "
            f"more than {MAX_CHUNK_BYTES // 2**20}",
            "ask for fewer cells: integration.n_azimuths, integration.annuli_per_radius, or integration.polar: false",
        )
    chunk_rows = prepared.scan.frames.chunks[0][0]
    fitting = max(_SHARD_BYTES // row_bytes, 1)
    rows = fitting // chunk_rows * chunk_rows or fitting
    return ScanPlan(name, fingerprint, raw_sha256, ny, nx, min(rows, ny), now_text())
