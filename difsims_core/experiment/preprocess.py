"""A raw scan to profiles and polar patterns (docs/physics.md §17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.experiment.frames import Block
from difsims_core.experiment.integrate.blocks import Patterns, integrated_blocks
from difsims_core.experiment.prepare import PreparedScan, prepare_scan


@dataclass(frozen=True, slots=True)
class PreprocessedScan:
    """Profiles and polar patterns of a whole scan, in memory.

    Attributes
    ----------
    q, profiles : (n_q,) and (ny, nx, n_q)
        Å⁻¹; mean counts per pixel of each annulus.
    polar : (ny, nx, n_radii, n_azimuths) float32
        Mean counts per pixel of each cell; no radii where none are wanted.
    pixels : (n_radii, n_azimuths) float64
        Effective number of pixels of each cell at the mean centre.
    centres, flags : (ny, nx, 2), (ny, nx)
        Row and column of the beam, px; bits of `integrate.blocks.Patterns`.
    counts : (ny, nx, 2) float64
        Of the whole frame, and within the disc of the beam.
    prepared : PreparedScan
        What was found on the way.
    """

    q: np.ndarray
    profiles: np.ndarray
    polar: np.ndarray
    pixels: np.ndarray
    centres: np.ndarray
    flags: np.ndarray
    counts: np.ndarray
    prepared: PreparedScan


def preprocess_scan(location: str | Path, spec: PreprocessingSpec = PreprocessingSpec()) -> PreprocessedScan:  # noqa: B008 frozen
    """Read a raw scan, correct it and integrate it, all in memory.

    Parameters
    ----------
    location
        Path or URL of its file.
    spec
        How.

    Raises
    ------
    ExperimentError
        If the scan cannot be read, or something that is needed is neither in the file nor given nor to be found.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from difsims_core import PreprocessingSpec, preprocess_scan
    >>> frames = np.zeros((2, 3, 64, 64), np.uint16)
    >>> frames[:, :, 30:35, 31:36] = 1000  # the direct beam and nothing else
    >>> folder = TemporaryDirectory()
    >>> path = f"{folder.name}/beam.npy"
    >>> np.save(path, frames)
    >>> spec = PreprocessingSpec(reading={"calibration_per_angstrom": 0.05}, geometry={"ellipse": (0, 0)})
    >>> scan = preprocess_scan(path, spec)
    >>> scan.profiles.shape, scan.polar.shape
    ((2, 3, 147), (2, 3, 74, 72))
    >>> scan.centres[0, 0].round(3).tolist()
    [32.0, 33.0]
    >>> folder.cleanup()
    """
    return integrate_scan(prepare_scan(location, spec))


def integrate_scan(prepared: PreparedScan, progress: Callable[[int, int], None] | None = None) -> PreprocessedScan:
    """Integrate all patterns of a scan; ``progress`` is called with patterns done and to do."""
    ny, nx = prepared.scan.scan_shape
    pieces = _told(integrated_blocks(prepared), ny * nx, progress)
    found = Patterns.of_rows(pieces, slice(0, ny), nx)
    prepared.scan.require_unchanged()
    return PreprocessedScan(
        prepared.grids.q,
        found.profiles,
        found.polar,
        prepared.effective_pixels,
        found.centres,
        found.flags,
        found.counts,
        prepared,
    )


def _told(
    pieces: Iterable[tuple[Block, Patterns]], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[Block, Patterns]]:
    done = 0
    for block, patterns in pieces:
        yield block, patterns
        done += len(patterns.flags)
        if progress:
            progress(done, total)
