"""A raw scan to profiles and polar patterns (docs/physics.md §17)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.errors import ExperimentError
from difsims_core.experiment.detector_files import read_correction, read_mask
from difsims_core.experiment.frames import Block, DetectorCorrection, blocks_of, read_block, sample_patterns
from difsims_core.experiment.integrator import Integrated, Integrator
from difsims_core.experiment.open_scan import open_raw_scan
from difsims_core.experiment.raw_scan import RawScan
from difsims_core.experiment.survey import Survey, survey
from difsims_core.signal.cell_operator import CellRange
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import PolarGrid

DEAD, BEAM_MODELLED, UNCOVERED = 1, 2, 4
"""Flags of a pattern: it holds no counts; the drift says where its beam lies; it does not cover the range."""

_Q_BEYOND = 1.05  # lines so far beyond the edge of the frame still reach into it
_LEAST_COVERED = 0.5  # of an annulus


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """A raw scan that is ready to be integrated.

    Attributes
    ----------
    scan : RawScan
    spec : PreprocessingSpec
    survey : Survey
    correct : DetectorCorrection
    integrator : Integrator
    q : (n_q,) float64
        Axis of the profiles, Å⁻¹.
    polar_grid : PolarGrid or None
    """

    scan: RawScan
    spec: PreprocessingSpec
    survey: Survey
    correct: DetectorCorrection
    integrator: Integrator
    q: np.ndarray
    polar_grid: PolarGrid | None


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns of n neighbouring scan positions.

    Attributes
    ----------
    profiles : (n, n_q) float32
        Mean counts per pixel; NaN where nothing was measured.
    polar : (n, n_radii, n_azimuths) float32
        The same of polar cells.
    centres : (n, 2) float64
        Row and column of the beam, px.
    flags : (n,) uint8
        Bits `DEAD`, `BEAM_MODELLED`, `UNCOVERED`.
    """

    profiles: np.ndarray
    polar: np.ndarray
    centres: np.ndarray
    flags: np.ndarray


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
        As in `Patterns`.
    prepared : PreparedScan
        What was found on the way.
    """

    q: np.ndarray
    profiles: np.ndarray
    polar: np.ndarray
    pixels: np.ndarray
    centres: np.ndarray
    flags: np.ndarray
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


def prepare_scan(location: str | Path, spec: PreprocessingSpec) -> PreparedScan:
    """Open a raw scan and find out what its integration needs to know; errors as `preprocess_scan`."""
    scan = open_raw_scan(location, spec.reading)
    calibration = scan.calibration_per_angstrom
    if calibration is None:
        raise ExperimentError(
            f"{location}: says nothing of the width of its pixels in reciprocal space",
            "give it as reading.calibration_per_angstrom (Å⁻¹ per pixel), or a camera length and its table",
        )
    frame = scan.frame_shape
    correct = read_correction(spec.pixels, frame)
    mask = read_mask(spec.pixels, location, frame)
    q_seen = min(max(frame) * calibration * _Q_BEYOND, RadialGrid().q[-1])
    phases = [reflection_list(load_phase(name), q_seen) for name in spec.phases]
    found = survey(sample_patterns(scan, correct), scan.scan_shape, spec, calibration, phases, mask)
    grid = RadialGrid()
    first, stop = grid.crop_bins if spec.integration.range == "crop" else (0, grid.n_bins)
    polar = None
    low, high = first, stop
    if spec.integration.polar:
        merged = spec.integration.annuli_per_radius
        n_radii = -(-(grid.crop_bins[1] - grid.crop_bins[0]) // merged)
        polar = PolarGrid(grid, grid.crop_bins[0], n_radii, merged, spec.integration.n_azimuths)
        low, high = min(first, polar.first_annulus), max(stop, polar.stop_annulus)
    cells = CellRange(grid.step_per_angstrom, low, high, spec.integration.n_azimuths)
    integrator = Integrator(found.pixels.good, found.geometry, cells, polar)
    return PreparedScan(scan, spec, found, correct, integrator, grid.q[first:stop], polar)


def integrate_scan(prepared: PreparedScan, progress: Callable[[int, int], None] | None = None) -> PreprocessedScan:
    """Integrate all patterns of a scan; ``progress`` is called with patterns done and to do."""
    ny, nx = prepared.scan.scan_shape
    n_azimuths = prepared.integrator.cells.n_azimuths
    profiles = np.empty((ny, nx, len(prepared.q)), np.float32)
    polar = np.empty((ny, nx, prepared.integrator.n_radii, n_azimuths), np.float32)
    centres, flags = np.empty((ny, nx, 2)), np.empty((ny, nx), np.uint8)
    done = 0
    for block, patterns in integrated_blocks(prepared):
        at = (block.rows, block.columns)
        for whole, part in ((profiles, patterns.profiles), (polar, patterns.polar), (centres, patterns.centres)):
            whole[at] = part.reshape(whole[at].shape)
        flags[at] = patterns.flags.reshape(flags[at].shape)
        done += len(patterns.flags)
        if progress:
            progress(done, ny * nx)
    pixels = prepared.integrator.effective_pixels(centres.reshape(-1, 2).mean(axis=0))
    return PreprocessedScan(prepared.q, profiles, polar, pixels, centres, flags, prepared)


def integrated_blocks(prepared: PreparedScan, n_threads: int | None = None) -> Iterator[tuple[Block, Patterns]]:
    """Yield the blocks of a scan and their patterns, in order; few blocks are in memory at a time."""
    n_threads = n_threads or os.cpu_count() or 1
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[tuple[Block, Future[Patterns]]] = deque()
        for block in blocks_of(prepared.scan):
            waiting.append((block, pool.submit(integrate_block, prepared, block)))
            if len(waiting) > n_threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def integrate_block(prepared: PreparedScan, block: Block) -> Patterns:
    """Read and integrate the patterns of one block.

    Raises
    ------
    ExperimentError
        If patterns do not reach the end of the range, or have no beam, and this is not to be flagged alone.
    """
    frames = read_block(prepared.scan, block, prepared.correct)
    positions = block.positions()
    centres, modelled = prepared.survey.centres(frames, positions)
    flags = np.where(modelled & (prepared.survey.finder is not None), BEAM_MODELLED, 0).astype(np.uint8)
    flags[~_any_counts(frames, prepared.survey.pixels.good)] |= DEAD
    found = prepared.integrator.integrate(frames, centres)
    uncovered = _uncovered(prepared, found)
    flags[uncovered] |= UNCOVERED
    _refuse(prepared, positions, modelled & ((flags & BEAM_MODELLED) > 0), uncovered, found)
    low = prepared.integrator.cells.first
    first = round(float(prepared.q[0]) / prepared.integrator.cells.step_per_angstrom) - low
    profiles = found.profile[:, first : first + len(prepared.q)]
    profiles = np.where(found.covered[:, first : first + len(prepared.q)] > 0, profiles, np.nan)
    return Patterns(profiles, found.polar, centres, flags)


def _any_counts(frames: np.ndarray, good: np.ndarray) -> np.ndarray:
    return np.array([bool((frame != 0).any(where=good)) for frame in frames])


def _uncovered(prepared: PreparedScan, found: Integrated) -> np.ndarray:
    """Return which patterns cover less than half of an annulus of the crop."""
    first, stop = RadialGrid().crop_bins
    low = prepared.integrator.cells.first
    return np.any(found.covered[:, first - low : stop - low] < _LEAST_COVERED, axis=1)


def _refuse(
    prepared: PreparedScan, positions: np.ndarray, blank: np.ndarray, uncovered: np.ndarray, found: Integrated
) -> None:
    """Raise where the document wants patterns refused that others would flag."""
    if uncovered.any() and prepared.spec.integration.uncovered == "refuse":
        k = int(np.flatnonzero(uncovered)[0])
        cells = prepared.integrator.cells
        bad = np.flatnonzero(found.covered[k] < _LEAST_COVERED) + cells.first
        raise ExperimentError(
            f"{prepared.scan.source}: pattern {tuple(positions[k].tolist())} covers less than half of the annulus at "
            f"{bad[0] * cells.step_per_angstrom:.3f} Å⁻¹ (classifiers read {RadialGrid().q[13]:.3f} to "
            f"{RadialGrid().q[159]:.3f} Å⁻¹)",
            "check the calibration and the mask, or set integration.uncovered: flag",
        )
    if blank.any() and prepared.spec.beam.blank == "refuse":
        k = int(np.flatnonzero(blank)[0])
        raise ExperimentError(
            f"{prepared.scan.source}: the beam of pattern {tuple(positions[k].tolist())} was not found",
            "set beam.blank: flag to centre such patterns by the drift of the others",
        )
