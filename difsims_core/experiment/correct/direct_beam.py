"""The direct beam of each pattern: where it lies, and how well that is known (docs/physics.md §17)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.kernels.scan.beam import beam_centres

_WIDER = 1.5  # times the radius of the disc: the circle in which it is weighed
_MARGIN_PX = 1.5
_SMALL_PX = 8.0  # a disc of less needs more than its own pixels
_EDGE = 0.3  # of the top: where the mean disc ends
_LEAST_ELECTRONS = 30.0
_SMOOTHING_PX = 1.5


@dataclass(frozen=True, slots=True)
class BeamFinder:
    """What a scan's mean pattern says of its direct beam.

    Attributes
    ----------
    start_px : tuple of float
        (row, column) of the beam in the mean pattern.
    disc_radius_px : float
        Radius of its disc there, wander of the beam included.
    counts_scale : float
        What one electron reads: a disc of fewer than 30 electrons is none, and counting errors are those of electrons.
    """

    start_px: tuple[float, float]
    disc_radius_px: float
    counts_scale: float = 1.0

    def measure(self, frames: np.ndarray, good: np.ndarray) -> BeamCentres:
        """Measure the beam of (n, rows, columns) frames; bad pixels are filled from their neighbours."""
        out = np.empty((len(frames), 4))
        starts = np.tile(np.asarray(self.start_px), (len(frames), 1))
        radius = _WIDER * self.disc_radius_px + _MARGIN_PX
        fine = 2 if radius < _SMALL_PX else 1
        beam_centres(frames, np.ascontiguousarray(good), starts, radius, fine, out)
        out[out[:, 3] < _LEAST_ELECTRONS * self.counts_scale, :2] = np.nan
        return BeamCentres(out[:, :2], out[:, 2] * math.sqrt(self.counts_scale))


@dataclass(frozen=True, slots=True)
class BeamCentres:
    """Where the beam lies in n patterns.

    Attributes
    ----------
    yx_px : (n, 2) float64
        Row and column; NaN where the beam was not found.
    error_px : (n,) float64
        Standard deviation along one axis by counting.
    """

    yx_px: np.ndarray
    error_px: np.ndarray


def find_beam(mean: np.ndarray, good: np.ndarray, counts_scale: float = 1.0) -> BeamFinder:
    """Find the direct beam in the mean pattern of a scan: the brightest disc.

    Parameters
    ----------
    mean, good
        (rows, columns) counts, and bool: True for pixels that count.
    counts_scale
        What one electron reads.

    Raises
    ------
    ExperimentError
        If nothing stands out, or the disc touches the edge of the frame.
    """
    from scipy import ndimage

    filled = np.where(good, mean, 0.0)
    weight = ndimage.gaussian_filter(good.astype(float), _SMOOTHING_PX, mode="constant")
    smooth = ndimage.gaussian_filter(filled, _SMOOTHING_PX, mode="constant") / np.maximum(weight, 0.1)
    row, column = (int(i) for i in np.unravel_index(int(smooth.argmax()), smooth.shape))
    top = smooth[row, column]
    if not top > 3 * float(np.median(smooth[good])):
        raise ExperimentError(
            "no direct beam stands out in the mean pattern",
            "give its place as beam.centre_px, or set beam.method: friedel where a beam stop hides it",
        )
    area = int(_component(smooth > _EDGE * top, row, column).sum())
    radius = math.sqrt(area / math.pi)
    if min(row, column, mean.shape[0] - 1 - row, mean.shape[1] - 1 - column) < radius:
        raise ExperimentError(
            f"the direct beam lies at the edge of the frame (row {row}, column {column} of {mean.shape})",
            "centre the diffraction pattern on the detector, or give the place of the beam as beam.centre_px",
        )
    return BeamFinder((float(row), float(column)), radius, counts_scale)


def _component(mask: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the pixels that hang together with one."""
    from scipy import ndimage

    labels = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=labels)
    return labels == labels[row, column]
