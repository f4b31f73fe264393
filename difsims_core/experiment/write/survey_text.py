"""What the integration of a scan takes of its survey, as text: so it reaches a worker of a cluster."""

from __future__ import annotations

import base64
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict

from difsims_core.experiment.correct.bad_pixels import BadPixels
from difsims_core.experiment.correct.direct_beam import BeamFinder
from difsims_core.experiment.correct.drift import Drift
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.survey import Survey
from difsims_core.storage.record_model import Items, Record, RecordPart, Size, Text


class _Beam(RecordPart):
    start_px: Items[float]
    disc_radius_px: float


class SurveyText(Record):
    """A survey without its mean pattern and what the ellipse was fitted to, which integration does not read.

    Attributes
    ----------
    frame_shape : tuple of int
        Rows and columns.
    good_pixels : str
        Bits of the pixels that count, row after row, base64.
    beam : part or None
        How the beam is found; None: the drift gives it.
    counts_scale
        What one electron reads.
    drift, coefficients, scan_shape, residual_px
        As `Drift`.
    calibration_per_angstrom, ellipse
        As `Geometry`.
    """

    model_config = ConfigDict(allow_inf_nan=True)

    described: ClassVar[str] = "what a survey of a scan found"

    frame_shape: Items[Size]
    good_pixels: Text
    beam: _Beam | None
    counts_scale: float
    drift: Text
    coefficients: Items[Items[float]]
    scan_shape: Items[Size]
    residual_px: float
    calibration_per_angstrom: float
    ellipse: Items[float]

    @classmethod
    def of(cls, found: Survey) -> SurveyText:
        """Return a survey as text; numbers keep every bit."""
        good, finder, drift = found.pixels.good, found.finder, found.drift
        return cls(
            frame_shape=good.shape,
            good_pixels=base64.b64encode(np.packbits(good).tobytes()).decode(),
            beam=finder and _Beam(start_px=_floats(finder.start_px), disc_radius_px=float(finder.disc_radius_px)),
            counts_scale=float(found.counts_scale),
            drift=drift.kind,
            coefficients=tuple(map(_floats, drift.coefficients)),
            scan_shape=drift.scan_shape,
            residual_px=float(drift.residual_px),
            calibration_per_angstrom=float(found.geometry.calibration_per_angstrom),
            ellipse=_floats(found.geometry.ellipse),
        )

    def survey(self) -> Survey:
        """Return the survey, its mean pattern empty."""
        (rows, columns), (ny, nx), (a, b) = self.frame_shape, self.scan_shape, self.ellipse
        bits = np.frombuffer(base64.b64decode(self.good_pixels), np.uint8)
        good = np.unpackbits(bits, count=rows * columns).reshape(rows, columns).astype(bool)
        beam = self.beam
        return Survey(
            mean=np.empty((0, 0)),
            pixels=BadPixels(good, 0, 0, 0),
            finder=beam and BeamFinder((beam.start_px[0], beam.start_px[1]), beam.disc_radius_px, self.counts_scale),
            drift=Drift(self.drift, np.array(self.coefficients), (ny, nx), self.residual_px),
            geometry=Geometry(self.calibration_per_angstrom, (a, b)),
            fit=None,
            n_patterns=0,
            counts_scale=self.counts_scale,
        )


def _floats(values: np.ndarray | tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(float, values))
