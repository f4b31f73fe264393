"""Blocks of a prepared scan to patterns: centred, integrated, flagged (docs/physics.md §17)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.experiment.frames import Block, blocks_of, read_block
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.kernels.scan.counts import BEAM, NONZERO, PLATEAU, TOTAL, frame_counts
from difsims_core.signal.grid import REFERENCE_GRID
from difsims_core.storage.concurrent import consume_concurrently
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED

_LEAST_COVERED = 0.5  # of an annulus
_MOST_EMPTY = 0.1  # of the cells of the crop: beam stops hide less
_LEVEL = 0.25  # of the bright pixels of a disc that read exactly its top: by chance one or two do


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns of n neighbouring scan positions, or of (rows, nx) positions of whole rows (`of_rows`).

    Attributes
    ----------
    profiles : (n, n_q) float32
        Mean counts per pixel of each annulus; NaN where nothing was measured.
    polar : (n, n_radii, n_azimuths) float32
        The same of polar cells; no radii where none are wanted.
    centres : (n, 2) float64
        Row and column of the beam, px.
    flags : (n,) uint8
        Bits `DEAD`, `BEAM_MODELLED`, `UNCOVERED`, `SATURATED`.
    counts : (n, 2) float64
        Of the whole frame, and within the disc of the beam; pixels that count.
    """

    profiles: np.ndarray
    polar: np.ndarray
    centres: np.ndarray
    flags: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_rows(cls, pieces: Iterable[tuple[Block, Patterns]], rows: slice, nx: int) -> Patterns:
        """Return blocks that make whole rows of a scan as one value of shapes (rows, nx, …)."""
        whole: dict[str, np.ndarray] = {}
        for block, patterns in pieces:
            at = (slice(block.rows.start - rows.start, block.rows.stop - rows.start), block.columns)
            for field in fields(cls):
                part = getattr(patterns, field.name)
                if field.name not in whole:
                    whole[field.name] = np.empty((rows.stop - rows.start, nx, *part.shape[1:]), part.dtype)
                whole[field.name][at] = part.reshape(whole[field.name][at].shape)
        return cls(**whole)


def integrated_blocks(
    prepared: PreparedScan, blocks: Iterable[Block] | None = None, n_threads: int | None = None
) -> Iterator[tuple[Block, Patterns]]:
    """Yield blocks of a scan, default all, and their patterns, in order; few blocks are in memory at a time."""

    def integrate(block: Block) -> tuple[Block, Patterns]:
        return block, integrate_block(prepared, block)

    wanted = blocks_of(prepared.scan) if blocks is None else blocks
    yield from consume_concurrently(wanted, integrate, n_threads or os.cpu_count() or 1)


def integrate_block(prepared: PreparedScan, block: Block) -> Patterns:
    """Read and integrate the patterns of one block.

    Raises
    ------
    ExperimentError
        If patterns do not cover the crop, or have no beam, and the document does not want them flagged.
    """
    frames = read_block(prepared.scan, block, prepared.correct)
    positions = block.positions()
    survey, spec, first = prepared.survey, prepared.spec, prepared.integrator.cells.first
    centres, modelled = survey.centres(frames, positions)
    blank = modelled & (survey.finder is not None)
    if blank.any() and spec.beam.blank == "refuse":
        raise ExperimentError(
            f"{prepared.scan.source}: the beam of pattern {_first(positions, blank)} was not found",
            "set beam.blank: flag to centre such patterns by the drift of the others",
        )
    found = prepared.integrator.integrate(frames, centres)
    crop = slice(REFERENCE_GRID.crop_bins[0] - first, REFERENCE_GRID.crop_bins[1] - first)
    counted = np.empty((len(frames), 4))
    good = np.ascontiguousarray(survey.pixels.good)
    frame_counts(frames, good, centres, survey.disc_radius_px, survey.counts_scale, counted)
    empty = found.empty[:, crop].mean(axis=1)
    uncovered = np.any(found.covered[:, crop] < _LEAST_COVERED, axis=1) | (empty > _MOST_EMPTY)
    lacking = uncovered & (counted[:, NONZERO] > 0)
    if lacking.any() and spec.integration.uncovered == "refuse":
        low, high = REFERENCE_GRID.q[REFERENCE_GRID.crop][[0, -1]]
        raise ExperimentError(
            f"{prepared.scan.source}: pattern {_first(positions, lacking)} covers less than half of an annulus between "
            f"{low:.3f} and {high:.3f} Å⁻¹, which classifiers read, or lacks more than {_MOST_EMPTY:.0%} of the polar "
            f"cells there ({empty[lacking][0]:.0%})",
            "check the calibration, the place of the beam and the mask, or set integration.uncovered: flag",
        )
    dead, level = counted[:, NONZERO] == 0, counted[:, PLATEAU] > _LEVEL
    flags = (dead * DEAD | blank * BEAM_MODELLED | uncovered * UNCOVERED | level * SATURATED).astype(np.uint8)
    profile = slice(prepared.grids.profile[0] - first, prepared.grids.profile[1] - first)
    return Patterns(found.profile[:, profile], found.polar, centres, flags, counted[:, [TOTAL, BEAM]])


def _first(positions: np.ndarray, which: np.ndarray) -> str:
    """Return the first scan position of some, for errors."""
    iy, ix = positions[int(np.flatnonzero(which)[0])]
    return f"({iy}, {ix})"
