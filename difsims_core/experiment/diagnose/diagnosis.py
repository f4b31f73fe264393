"""What tells whether a preprocessed scan can be trusted: its checks, and what its figures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.evaluate.powder_lines import PowderLines, powder_lines
from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.experiment.diagnose.checks import checks_of
from difsims_core.experiment.diagnose.sums import ScanSums
from difsims_core.experiment.prepare import PreparedScan

_Q_MIN = 0.05  # Å⁻¹: nearer to the beam no line is looked for
_ALONE = 0.015  # of q: a line whose neighbours are farther away is that of a spot beside it
_STRONG = 0.01  # of the strongest: weaker neighbours are left out of account
_NEAR = 0.012  # of q: spots farther away from a line are of none


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """A scan and what is to be said of it.

    Attributes
    ----------
    prepared : PreparedScan
        What its survey found.
    sums : ScanSums
        What its integration found.
    verdict : ScanVerdict
        What follows; it can be kept (`to_record`).
    lines : tuple of (str, PowderLines)
        Candidate phases and their lines.
    """

    prepared: PreparedScan
    sums: ScanSums
    verdict: ScanVerdict
    lines: tuple[tuple[str, PowderLines], ...]


def diagnose(prepared: PreparedScan, sums: ScanSums) -> Diagnosis:
    """Judge a scan all of whose patterns were integrated."""
    q_end = float(prepared.grids.q[-1])
    lines = tuple(
        (phase, powder_lines(reflection_list(load_phase(phase), q_end), (_Q_MIN, q_end)))
        for phase in prepared.spec.phases
    )
    verdict = ScanVerdict(scan=prepared.scan.source, checks=checks_of(prepared, sums))
    return Diagnosis(prepared, sums, verdict, lines)


@dataclass(frozen=True, slots=True)
class SpotRadii:
    """How far spots lie from a line of their phase that stands alone, before and after the ellipse is undone.

    Attributes
    ----------
    azimuth_deg : (m,) float64
        From +x (columns) towards +y (rows).
    recorded, undone : (m,) float64
        Relative distances, at each pattern's own lattice scale.
    """

    azimuth_deg: np.ndarray
    recorded: np.ndarray
    undone: np.ndarray


def spot_radii(diagnosis: Diagnosis) -> SpotRadii:
    """Compare the spots to which an ellipse was fitted with the lines of their patterns' likeliest phases."""
    survey = diagnosis.prepared.survey
    fit, spots, nothing = survey.fit, survey.spots, np.empty(0)
    if fit is None or spots is None:
        return SpotRadii(nothing, nothing, nothing)
    pattern = np.repeat(np.arange(len(spots.start) - 1), np.diff(spots.start))
    refined = fit.mean_scale if diagnosis.prepared.spec.geometry.refine_calibration else 1.0
    scale = fit.scale[pattern] * survey.geometry.calibration_per_angstrom / refined  # with that the fit began
    recorded = np.hypot(*spots.yx_px.T) * scale
    undone = np.hypot(*(spots.yx_px @ survey.geometry.undistort.T).T) * scale
    line = np.full(len(pattern), np.nan)
    for number, (_, lines) in enumerate(diagnosis.lines):
        own, alone = fit.phase[pattern] == number, _standing_alone(lines)
        if own.any() and len(alone):
            line[own] = alone[np.abs(undone[own, None] - alone).argmin(axis=1)]
    near = np.abs(undone / line - 1) < _NEAR
    azimuth = np.degrees(np.arctan2(*spots.yx_px.T)) % 360
    return SpotRadii(azimuth[near], (recorded / line - 1)[near], (undone / line - 1)[near])


def _standing_alone(lines: PowderLines) -> np.ndarray:
    """Return the lines that have no other nearby, Å⁻¹."""
    q = lines.q[lines.strength >= _STRONG * lines.strength.max(initial=0.0)]
    gap = np.diff(np.log(q), prepend=-np.inf, append=np.inf) if len(q) else np.empty(1)
    return q[np.minimum(gap[:-1], gap[1:]) > _ALONE]
