"""The checks of a preprocessed scan: each a number, its limits and what it means (docs/physics.md §17)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from difsims_core.evaluate.raw_scans.verdict import Check, Judgement, judged
from difsims_core.experiment.diagnose.sums import ScanSums
from difsims_core.experiment.integrate.blocks import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.signal.grid import REFERENCE_GRID

IDENTITY = "identity of the beam"
CENTRE, MODELLED, SATURATION = "centre residual", "beams placed by the drift", "saturated beams"
ELLIPSE, AGREEMENT, CALIBRATION = "ellipse error", "agreement of spots and lines", "calibration"
CRYSTALS = "spots of crystals"
DOSE, BAD_PIXELS, DEAD_PATTERNS, COVERAGE = "dose", "bad pixels", "dead patterns", "patterns beyond the detector"

_Q_END = float(REFERENCE_GRID.q[REFERENCE_GRID.crop][-1])
_ANNULUS = REFERENCE_GRID.step_per_angstrom / _Q_END  # of q at the end of the crop: 0.6 %
_FEW = (0.01, 0.1)  # shares of patterns: single grains are unharmed, and a tenth of the map says nothing
_AGREES = (0.04, 0.0)  # scans of the right phases reach 0.05 … 0.15; at 0 the lines explain nothing
_SPOTTED = (3.0, 0.5)  # a crystal shows several, noise hardly any: 5 σ each
_BRIGHTER = (10.0, 2.5)  # than any spot: beams of scans outshine spots 4 … 90 times, mistaken ones 1 … 4 times
_ASYMMETRIC = 0.05  # below the best symmetry: beams reach it to 0.01 in scans of many grains, spots are 0.1 … 0.7 off
_ELECTRONS = (30.0, 3.0)  # in an annulus: 18 % counting noise, and 58 %
_PIXELS = (0.02, 0.2)
_LEVELLED = (0.01, 0.5)
_FEWEST = 4  # patterns of which one can be judged by the others
_REFINED_FAR = 0.02  # mean scales are looked for to 3 %


def checks_of(prepared: PreparedScan, sums: ScanSums) -> tuple[Check, ...]:
    """Return all checks that a scan allows."""
    return tuple(check for look in _CHECKS if (check := look(prepared, sums)) is not None)


def _identity(prepared: PreparedScan, _sums: ScanSums) -> Check | None:
    """Judge whether this is the direct beam: it outshines the spots, and patterns are symmetric about its centre.

    Either may fail where the beam was found: a thick crystal's beam is faint, and a tilted one has no symmetry. Both
    fail where a spot was taken for it.
    """
    found, limits = prepared.survey.evidence, _BRIGHTER
    if found is None:
        return None
    symmetric = found.symmetry >= found.best_symmetry - _ASYMMETRIC
    brighter = found.times_brighter
    says = 1 if brighter is None else sum(brighter >= limit for limit in limits)
    row, column = found.best_px
    sentence = (
        f"{'its disc was not looked at' if brighter is None else f'it is {brighter:.1f} times as bright as any spot'}, "
        f"and the mean pattern is {'' if symmetric else 'not '}symmetric about it"
        f"{'' if symmetric else f' but about row {row:.0f}, column {column:.0f}'} (correlation {found.symmetry:.2f}, "
        f"{found.best_symmetry:.2f} at best)"
    )
    verdict: Judgement = ("bad", "doubtful", "good", "good")[says + symmetric]
    if symmetric and found.beside_px:
        verdict = "bad" if verdict == "bad" else "doubtful"
        sentence += (
            f"; most so {found.beside_px:.1f} px beside it, as where a stop hides a part of it, or a given place is "
            "not quite right"
        )
    meant = "" if verdict == "good" else (
        "; a spot may have been taken for it: look at the figure, give its place as beam.centre_px, or set "
        "beam.method: friedel where a stop hides it"
    )  # fmt: skip
    value = brighter if brighter is not None and math.isfinite(brighter) else None
    return Check(
        name=IDENTITY, value=value, unit="times the brightest spot", good_to=limits[0], bad_beyond=limits[1],
        verdict=verdict, sentence=f"{sentence}{meant}.",
    )  # fmt: skip


def _centre(prepared: PreparedScan, _sums: ScanSums) -> Check:
    """Judge what the smooth drift leaves of the measured beams, in widths of an annulus.

    Half an annulus moves no line to another one; beyond a whole one, beams that the drift has to place are lost.
    """
    survey = prepared.survey
    annulus_px = REFERENCE_GRID.step_per_angstrom / survey.geometry.calibration_per_angstrom
    limits = (annulus_px / 2, annulus_px)
    residual = survey.drift.residual_px
    if prepared.spec.beam.method == "given" or survey.n_patterns < _FEWEST:
        why = "the place of the beam was given" if survey.n_patterns >= _FEWEST else "there are too few patterns"
        return Check(
            name=CENTRE, value=None, unit="px", good_to=limits[0], bad_beyond=limits[1], verdict="doubtful",
            sentence=f"nothing tells how well patterns are centred: {why}.",
        )  # fmt: skip
    far = residual > limits[1]
    meaning = "the beam jumps, or something else was taken for it" if far else f"an annulus is {annulus_px:.2f} px wide"
    sentence = f"measured beams lie {residual:.2f} px from a smooth drift ({survey.drift.kind}); {meaning}."
    return judged(CENTRE, residual, "px", limits, sentence)


def _modelled(prepared: PreparedScan, sums: ScanSums) -> Check | None:
    if prepared.survey.finder is None:
        return None
    share = sums.share(BEAM_MODELLED, without=DEAD)
    sentence = f"{_patterns(share)} a beam that was blanked or not found, and is placed by the drift."
    return judged(MODELLED, share, "", _FEW, sentence)


def _saturated(_prepared: PreparedScan, sums: ScanSums) -> Check:
    share = sums.share(SATURATED)
    sentence = f"{_patterns(share)} a direct beam that reads the highest value of the detector."
    return judged(SATURATION, share, "", _LEVELLED, sentence)


def _ellipse(prepared: PreparedScan, _sums: ScanSums) -> Check | None:
    """Judge the error of an ellipse, or how far a given one is from that of the spots.

    Limits are half an annulus, and a whole one, at the end of the crop.
    """
    geometry, fit, limits = prepared.survey.geometry, prepared.survey.fit, (_ANNULUS / 2, _ANNULUS)
    if geometry.ellipse_error:
        value, said = geometry.ellipse_error, f"known to {_percent(geometry.ellipse_error, 2)}"
    elif fit is not None and math.isfinite(fit.geometry.ellipse_error):
        away = math.dist(geometry.ellipse, fit.geometry.ellipse)
        value = max(away - 2 * fit.geometry.ellipse_error, 0.0)
        said = f"{_percent(away, 2)} from what the spots say (± {_percent(fit.geometry.ellipse_error, 2)})"
    else:
        return None
    if not math.isfinite(value):
        sentence = "the spots do not tell how well the ellipse is known: they are of too few grains."
        return judged(ELLIPSE, value, "", limits, sentence)
    sentence = (
        f"the ellipticity is {_percent(geometry.ellipticity, 2)}, {said}; at {_Q_END:.2f} Å⁻¹ an annulus is "
        f"{_percent(_ANNULUS, 2)} of q."
    )
    return judged(ELLIPSE, value, "", limits, sentence)


def _agreement(prepared: PreparedScan, _sums: ScanSums) -> Check | None:
    fit = prepared.survey.fit
    if fit is None:
        return None
    limits = _AGREES
    explains = "explain" if fit.gain >= limits[0] else "hardly explain" if fit.gain >= limits[1] else "do not explain"
    doubt = "" if fit.gain >= limits[0] else ": check the calibration, and which phases are named"
    sentence = (
        f"the lines of the candidate phases {explains} the {fit.n_spots:,} spots of {fit.n_patterns:,} patterns{doubt}."
    )
    return judged(AGREEMENT, fit.gain, "log-likelihood per spot", limits, sentence)


def _crystals(prepared: PreparedScan, _sums: ScanSums) -> Check | None:
    """Judge how many spots there are where they are too few to be compared with the lines of the phases."""
    survey = prepared.survey
    if survey.fit is not None or survey.spots is None:
        return None
    n, n_patterns, geometry = len(survey.spots.counts), len(survey.spots.start) - 1, prepared.spec.geometry
    asked = geometry.ellipse == "fit" and geometry.standard is None
    unfitted = "; the ellipse is left as it is, for want of spots to fit it to" if asked else ""
    sentence = (
        f"{n:,} spots were found in {n_patterns:,} patterns{unfitted}. Where there is no crystal a map of phases means "
        "nothing."
    )
    return judged(CRYSTALS, n / max(1, n_patterns), "spots a pattern", _SPOTTED, sentence)


def _calibration(prepared: PreparedScan, _sums: ScanSums) -> Check:
    """Judge how far lines are from where the phases have them: an annulus at the end of the crop, and two.

    A number that neither spots nor a standard speak for is doubtful, whatever file it comes from.
    """
    fit, error, limits = prepared.survey.fit, prepared.survey.geometry.calibration_error, (_ANNULUS, 2 * _ANNULUS)
    if fit is None and error:
        return judged(CALIBRATION, error, "", limits, f"the rings of the standard give it to {_percent(error, 2)}.")
    if fit is None:
        why = "spots of the scan are too few" if prepared.spec.phases else "no candidate phases are named"
        return Check(
            name=CALIBRATION, value=None, unit="", good_to=limits[0], bad_beyond=limits[1], verdict="doubtful",
            sentence=f"nothing tells whether the calibration is right: {why}, and there is no standard; name phases, "
            "or a standard as geometry.standard.",
        )  # fmt: skip
    said = f"the mean lattice scale of the scan is {fit.mean_scale:.4f} ± {fit.scale_error:.4f}"
    if not prepared.spec.geometry.refine_calibration:
        advice = "" if abs(fit.mean_scale - 1) <= limits[0] else "; check the calibration, or refine it"
        return judged(CALIBRATION, abs(fit.mean_scale - 1), "", limits, f"{said} under this calibration{advice}.")
    far = abs(fit.mean_scale - 1) > _REFINED_FAR
    value = abs(fit.mean_scale - 1) if far else fit.scale_error
    advice = "; that is too far to be sure, give a better one" if far else ""
    return judged(CALIBRATION, value, "", limits, f"{said}, and the calibration was changed by it{advice}.")


def _dose(prepared: PreparedScan, sums: ScanSums) -> Check:
    alive = sums.scattered[sums.flags & DEAD == 0]
    n_annuli = REFERENCE_GRID.crop_bins[1] - REFERENCE_GRID.crop_bins[0]
    scale = prepared.survey.counts_scale
    scattered = float(np.nanmedian(alive)) / scale if np.isfinite(alive).any() else 0.0
    value = scattered / n_annuli
    sentence = (
        f"half of the patterns have more than {scattered:,.0f} electrons in the crop, {value:,.1f} in an annulus"
        f"{f' (noise {_percent(value**-0.5, 0)})' if value > 0 else ''}."
    )
    if scale != 1:
        sentence += f" An electron reads {scale:.3g}, as pixels scatter."
    mean, good = prepared.survey.mean, prepared.survey.pixels.good
    if float(np.median(mean[good])) < 0:
        sentence += (
            " Most pixels read below zero: the dark reference, or a background that was taken off, is larger than what "
            "was recorded."
        )
    return judged(DOSE, value, "electrons in an annulus", _ELECTRONS, sentence)


def _bad_pixels(prepared: PreparedScan, _sums: ScanSums) -> Check:
    pixels = prepared.survey.pixels
    sentence = (
        f"{_percent(pixels.share, 2)} of the detector is left out: {pixels.n_given:,} pixels by the mask, "
        f"{pixels.n_dead:,} dead and {pixels.n_hot:,} hot ones that were found, {pixels.n_not_finite:,} that are "
        "no numbers."
    )
    return judged(BAD_PIXELS, pixels.share, "", _PIXELS, sentence)


def _dead(_prepared: PreparedScan, sums: ScanSums) -> Check:
    share = sums.share(DEAD)
    return judged(DEAD_PATTERNS, share, "", _FEW, f"{_patterns(share)} been recorded without counts.")


def _coverage(_prepared: PreparedScan, sums: ScanSums) -> Check:
    share = sums.share(UNCOVERED, without=DEAD)
    sentence = (
        f"{_patterns(share)} annuli up to {_Q_END:.2f} Å⁻¹ of which the detector sees less than half, or lacks a "
        "tenth of the polar cells up to there."
    )
    return judged(COVERAGE, share, "", _FEW, sentence)


def _patterns(share: float) -> str:
    return f"{_percent(share)} of the patterns have" if share else "no pattern has"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


_CHECKS: tuple[Callable[[PreparedScan, ScanSums], Check | None], ...] = (
    _identity, _centre, _modelled, _saturated, _ellipse, _agreement, _crystals, _calibration, _dose,
    _bad_pixels, _dead, _coverage,
)  # fmt: skip
