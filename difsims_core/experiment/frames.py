"""Frames of a raw scan in memory: blocks of it, a sample of it, and what turns readings into counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import dask.array as da
import numpy as np

from difsims_core.errors import DifsimsError, ExperimentError
from difsims_core.experiment.raw_scan import RawScan

_SAMPLE_PATTERNS = 1024
_SAMPLE_BYTES = 256 * 2**20
_SAMPLE_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring scan positions: rows and columns of the scan, whole frames each."""

    rows: slice
    columns: slice

    def positions(self) -> np.ndarray:
        """Return (n, 2) int64: iy and ix of its patterns, in the order of its frames."""
        iy, ix = np.mgrid[self.rows, self.columns]
        return np.stack([iy.ravel(), ix.ravel()], axis=1)


def blocks_of(scan: RawScan, rows: slice | None = None) -> list[Block]:
    """Return the blocks of a scan, or of some of its rows, as its file is chunked."""
    chunks, columns = (_slices(sizes) for sizes in scan.frames.chunks[:2])
    first, stop = (0, scan.scan_shape[0]) if rows is None else (rows.start, rows.stop)
    within = [slice(max(part.start, first), min(part.stop, stop)) for part in chunks]
    return [Block(part, right) for part in within if part.start < part.stop for right in columns]


def _slices(sizes: tuple[int, ...]) -> list[slice]:
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class DetectorCorrection:
    """From readings to counts: (reading − dark)/gain; what is None is left out.

    Attributes
    ----------
    dark, gain : (rows, columns) float32 or None
    """

    dark: np.ndarray | None = None
    gain: np.ndarray | None = None

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return (n, rows, columns) counts: the frames themselves where nothing is to be done."""
        if self.dark is None and self.gain is None:
            return frames
        counts = frames.astype(np.float32)
        if self.dark is not None:
            counts -= self.dark
        if self.gain is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                counts /= self.gain  # a pixel without gain becomes infinite, and does not count
        return counts


def read_block(scan: RawScan, block: Block, correct: DetectorCorrection) -> np.ndarray:
    """Read the frames of a block: (n, rows, columns) counts.

    Raises
    ------
    ExperimentError
        If the file cannot be read there.
    """
    return correct(_compute(scan, scan.frames[block.rows, block.columns]).reshape(-1, *scan.frame_shape))


def _compute(scan: RawScan, frames: da.Array) -> np.ndarray:
    try:
        return np.asarray(frames.compute(scheduler="synchronous"))
    except DifsimsError:
        raise  # it says itself what to do
    except (OSError, ValueError, RuntimeError, EOFError) as error:
        raise ExperimentError(
            f"{scan.source}: its frames cannot be read ({error})", "it may be truncated: copy it again"
        ) from error


@dataclass(frozen=True, slots=True)
class Sample:
    """Patterns from all over a scan, in memory.

    Attributes
    ----------
    frames : (n, rows, columns)
        Counts.
    positions : (n, 2) int64
        iy and ix.
    """

    frames: np.ndarray
    positions: np.ndarray


def sample_patterns(scan: RawScan, correct: DetectorCorrection) -> Sample:
    """Return all patterns of a small scan, or up to 1024 of a large one, from 16 blocks all over it."""
    rows, columns = scan.frame_shape
    blocks = blocks_of(scan)
    frame_bytes = rows * columns * max(scan.frames.dtype.itemsize, 2)
    most = max(min(_SAMPLE_PATTERNS, _SAMPLE_BYTES // frame_bytes), 1)
    if math.prod(scan.scan_shape) > most:
        blocks = [blocks[i] for i in spread(len(blocks), _SAMPLE_BLOCKS)]
        most = max(most // len(blocks), 1)
    frames, positions = zip(*_thinned(scan, correct, blocks, most), strict=True)
    return Sample(np.concatenate(frames), np.concatenate(positions))


def _thinned(
    scan: RawScan, correct: DetectorCorrection, blocks: list[Block], most: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for block in blocks:
        frames = read_block(scan, block, correct)
        kept = spread(len(frames), most)
        yield frames[kept], block.positions()[kept]


def spread(n: int, most: int) -> np.ndarray:
    """Return up to so many numbers of 0 … n − 1, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
