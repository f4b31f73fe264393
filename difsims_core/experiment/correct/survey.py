"""What a sample of a scan's patterns says of all of them: bad pixels, beam, drift, ellipse (docs/physics.md §17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from difsims_core.config.raw_scans.preprocessing import BeamSpec, GeometrySpec, PreprocessingSpec
from difsims_core.crystal.reflections import ReflectionList
from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.bad_pixels import BadPixels, find_bad_pixels
from difsims_core.experiment.correct.beam_evidence import BeamEvidence, beam_evidence
from difsims_core.experiment.correct.counts_scale import counts_scale
from difsims_core.experiment.correct.direct_beam import BeamCentres, BeamFinder, find_beam
from difsims_core.experiment.correct.drift import Drift, fit_drift
from difsims_core.experiment.correct.fit_geometry import FEWEST_SPOTS, GeometryFit, fit_geometry
from difsims_core.experiment.correct.friedel import friedel_centres
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.phase_lines import phase_lines
from difsims_core.experiment.correct.scan_spots import ScanSpots, find_scan_spots
from difsims_core.experiment.frames import Sample

_HIDDEN_PX = 6.0  # radius about a hidden beam in which no spots are looked for
_OUTLIER = 6.0  # residuals of the drift: a beam that is farther away was mistaken for something else
_LEAST_PX = 0.5
_DISC_PX = 3  # edge of the square whose median is that of a disc, not of a hot pixel
_BRIGHT = 3.0  # times the median of the mean pattern: as bright as a beam
_NOT_FOUND = {
    "disc": "its disc holds too few electrons in each: give its place as beam.centre_px, with beam.method: given",
    "friedel": "in none do three pairs of spots agree: give its place as beam.centre_px, to 12 px, or exactly with "
    "beam.method: given",
}
"""What helps where a method measures no beam at all."""
_OFTEN = 0.5  # of the patterns that hold anything: a pixel that is a number in fewer does not count


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a scan before it is integrated.

    Attributes
    ----------
    mean : (rows, columns) float64
        Mean counts of the patterns looked at.
    pixels : BadPixels
    finder : BeamFinder or None
        How the beam of each pattern is measured; None: it is not, the drift gives it.
    drift : Drift
    geometry : Geometry
    fit : GeometryFit or None
        Of ellipse and lattice scale to the candidate phases; None: none were named, or spots are too few.
    spots : ScanSpots or None
        To which it was fitted.
    n_patterns : int
        How many were looked at.
    evidence : BeamEvidence or None
        That this is the beam; None: it was left behind (`write.survey_text`).
    counts_scale : float
        What one electron reads.
    """

    mean: np.ndarray
    pixels: BadPixels
    finder: BeamFinder | None
    drift: Drift
    geometry: Geometry
    fit: GeometryFit | None
    n_patterns: int
    spots: ScanSpots | None = None
    evidence: BeamEvidence | None = None
    counts_scale: float = 1.0

    @property
    def disc_radius_px(self) -> float:
        """Radius of the direct beam's disc, or of what is taken for it where it is not measured."""
        return _HIDDEN_PX if self.finder is None else self.finder.disc_radius_px

    def centres(self, frames: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the beam of (n, rows, columns) frames, and where the drift had to say it.

        The pattern's own measurement wins where its counting error is below what the drift leaves, and it is not
        far off.

        Returns
        -------
        centres : (n, 2) float64
            Row and column, px.
        modelled : (n,) bool
        """
        found = None if self.finder is None else self.finder.measure(frames, self.pixels.good)
        return self.settled(found, positions)

    def settled(self, found: BeamCentres | None, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `centres` does, of beams that were measured; None: they were not."""
        expected = self.drift.at(positions)
        if found is None:
            return expected, np.ones(len(positions), bool)
        away = np.abs(found.yx_px - expected).max(axis=1)
        far = ~(away < max(_OUTLIER * self.drift.residual_px, _LEAST_PX))
        modelled = far | (found.error_px > max(self.drift.residual_px, _LEAST_PX / 10))
        return np.where(modelled[:, None], expected, found.yx_px), modelled


def survey(
    sample: Sample,
    scan_shape: tuple[int, int],
    spec: PreprocessingSpec,
    known: Geometry,
    phases: Sequence[ReflectionList],
    mask: np.ndarray | None,
) -> Survey:
    """Find what the integration of a scan needs to know.

    Parameters
    ----------
    sample
        Patterns from all over the scan.
    scan_shape
        (ny, nx).
    spec
        What is given, and what is to be found.
    known
        Calibration, and ellipse where a standard says it.
    phases
        Reflections of the candidate phases; may be empty where no ellipse is fitted.
    mask
        (rows, columns) bool, True for pixels that count.

    Raises
    ------
    ExperimentError
        If the beam is not found, or nothing is there to fit the ellipse to.
    """
    mean, variance = _moments(sample.frames)
    given = np.ones(mean.shape, bool) if mask is None else mask
    scale = counts_scale(sample.frames, given)
    electrons = sample if scale == 1.0 else replace(sample, frames=_scaled(sample.frames, 1 / scale))
    if spec.pixels.find_bad:
        pixels = find_bad_pixels(mean / scale, variance / scale**2, len(sample.frames), given)
    else:
        pixels = BadPixels(
            given & np.isfinite(mean), int((~given).sum()), 0, 0, int((given & ~np.isfinite(mean)).sum())
        )
    mean = np.where(np.isfinite(mean), mean, 0.0)
    finder = beams = None
    try:
        if spec.beam.method == "disc":
            finder = find_beam(mean, pixels.good, scale)
            beams = finder.measure(sample.frames, pixels.good)
        measured = _without_disc(electrons, pixels.good, spec.beam) if beams is None else beams.yx_px
        drift = fit_drift(sample.positions, measured, scan_shape, _NOT_FOUND.get(spec.beam.method, ""))
    except ExperimentError:
        _require_beam_in(given, mean)
        raise
    radius = finder.disc_radius_px if finder else None
    evidence = beam_evidence(electrons.frames, pixels.good, drift.at(sample.positions), radius)
    found = Survey(mean, pixels, finder, drift, known, None, len(sample.frames), evidence=evidence, counts_scale=scale)
    return _with_geometry(found, electrons, found.settled(beams, sample.positions)[0], spec.geometry, phases)


def _with_geometry(
    found: Survey, electrons: Sample, centres: np.ndarray, wanted: GeometrySpec, phases: Sequence[ReflectionList]
) -> Survey:
    """Fit the ellipse where it is wanted; where it is known the fit is kept for comparison, if there can be one."""
    known, ellipse = found.geometry, wanted.ellipse
    fitted = ellipse == "fit" and wanted.standard is None
    if ellipse != "fit":
        known = replace(known, ellipse=ellipse, ellipse_error=0.0)
    if not phases and fitted:
        raise ExperimentError(
            "the ellipse of the patterns is to be fitted, but no candidate phases are named",
            "name them as phases, or give the ellipse as geometry.ellipse ([0, 0] for none)",
        )
    if not phases:
        return replace(found, geometry=known)
    spots = find_scan_spots(electrons.frames, found.pixels.good, centres, found.disc_radius_px, electrons.positions)
    if len(spots.counts) < FEWEST_SPOTS and not wanted.refine_calibration:
        return replace(found, geometry=known, spots=spots)  # what is left unfitted, the checks say
    fit = fit_geometry(
        spots,
        phase_lines(phases),
        known.calibration_per_angstrom,
        refine_calibration=wanted.refine_calibration,
    )
    if fitted:
        known = replace(known, ellipse=fit.geometry.ellipse, ellipse_error=fit.geometry.ellipse_error)
    if wanted.refine_calibration:
        refined, error = fit.geometry.calibration_per_angstrom, fit.geometry.calibration_error
        known = replace(known, calibration_per_angstrom=refined, calibration_error=error)
    return replace(found, geometry=known, fit=fit, spots=spots)


def _scaled(frames: np.ndarray, factor: float) -> np.ndarray:
    return np.multiply(frames, np.float32(factor), dtype=np.float32)


def _moments(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance over the patterns in which a pixel is finite, float64; NaN where it is so in few.

    Few are less than half of the patterns that have any finite pixel. One frame at a time, so that nothing overflows or
    is copied.
    """
    total, squares, number = np.zeros(frames.shape[1:]), np.zeros(frames.shape[1:]), np.zeros(frames.shape[1:])
    alive = 0
    for frame in frames:
        finite = np.isfinite(frame)
        values = np.where(finite, frame, 0).astype(np.float64)
        total += values
        squares += values * values
        number += finite
        alive += bool(finite.any())
    number[number < max(_OFTEN * alive, 1)] = np.nan
    mean = total / number
    return mean, np.maximum(squares / number - mean * mean, 0.0)


def _require_beam_in(given: np.ndarray, mean: np.ndarray) -> None:
    """Raise where the mask hides the brightest disc of the mean pattern: that is why no beam was found."""
    from scipy import ndimage

    discs = ndimage.median_filter(mean, _DISC_PX)
    row, column = (int(i) for i in np.unravel_index(int(discs.argmax()), discs.shape))
    if not given[row, column] and discs[row, column] > _BRIGHT * float(np.median(discs)):
        raise ExperimentError(
            f"no direct beam was found: the brightest disc of the mean pattern, at row {row}, column {column}, is left "
            "out by the mask",
            "a mask is True for pixels that count: turn it around or let it count the beam, or give the place of the "
            "beam as beam.centre_px, with beam.method: given",
        ) from None


def _without_disc(sample: Sample, good: np.ndarray, beam: BeamSpec) -> np.ndarray:
    """Return (n, 2) centres where the disc of the beam is not used."""
    rows, columns = good.shape
    start = beam.centre_px or ((rows - 1) / 2, (columns - 1) / 2)
    if not (0 <= start[0] < rows and 0 <= start[1] < columns):
        raise ExperimentError(
            f"beam.centre_px {start} lies outside the frame of {rows} × {columns} px", "give row and column in pixels"
        )
    if beam.method == "given":
        return np.tile(start, (len(sample.frames), 1))
    everywhere = np.tile(np.asarray(start, float), (len(sample.frames), 1))
    spots: ScanSpots = find_scan_spots(sample.frames, good, everywhere, _HIDDEN_PX, sample.positions)
    return friedel_centres(spots, start)
