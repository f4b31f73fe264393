"""The promotion rule: whether a challenger replaces the champion, and why, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from difsims_core.config.promotion import PromotionSpec
from difsims_core.models.comparison import Comparison
from difsims_core.models.confidence_bounds import Estimate, mean_of, paired_difference, proportion

_ACCURACY = "held-out accuracy"
_PEAKS = "peaks F1 above the null"
_GAIN = "gain"
_NO_ROWS = (
    "no row is held out for both; train with the champion's seed and held_out_fraction, or on datasets of other seeds"
)
_MOST_OBJECTIONS = 4  # in a sentence; the table holds all


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of the rule, as people read it.

    Attributes
    ----------
    name : str
        What is looked at.
    challenger, champion : str
        What each reaches.
    difference : str
        Challenger minus champion, with its bounds.
    needed : str
        The condition.
    passed : bool
        Whether it holds.
    """

    name: str
    challenger: str
    champion: str
    difference: str
    needed: str
    passed: bool


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """Whether to promote, and why.

    Attributes
    ----------
    promote : bool
        The verdict.
    why : str
        One sentence.
    checks : tuple of Check
        Every condition that was looked at.
    scores : mapping of str to float
        The challenger's numbers, to be kept with it.
    left_out : mapping of str to str
        Experiments that were not compared, and why.
    """

    promote: bool
    why: str
    checks: tuple[Check, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def rule_in_words(rule: PromotionSpec) -> str:
    """Return the rule as sentences with its numbers."""
    least = rule.least_experiments
    experiments = f" Both must have mapped at least {least} experiments." if least else ""
    bounds = f"Bounds are one-sided at {100 * rule.confidence:g}% confidence."
    return (
        f"A challenger replaces the champion when, on rows that neither has seen, it loses at most "
        f"{_points(rule.accuracy_tolerance_fraction)} of accuracy and, of no phase, more than "
        f"{_points(rule.recall_tolerance_fraction)} of recall, sampling error included; when, on the same experiments, "
        f"it loses at most {rule.peaks_tolerance_f1:g} of peaks F1 above the null, and at most "
        f"{rule.phases_tolerance_fraction:.0%} of the phases fit no better than the null any longer; and when it is "
        f"better in accuracy (by {_points(rule.accuracy_gain_fraction)} or more) or in peaks F1 above the null (by "
        f"{rule.peaks_gain_f1:g} or more), beyond the sampling error, while the champion is so in neither. {bounds} "
        f"In doubt the champion stays.{experiments} A first champion "
        f"must reach, at that confidence, an accuracy of {_points(rule.above_chance_fraction)} more than always naming "
        "the most frequent phase."
    )


def decide(rule: PromotionSpec, comparison: Comparison) -> PromotionDecision:
    """Apply the rule to a comparison.

    The challenger must be shown not to be worse (a non-inferiority test of accuracy and of every recall: too few rows
    prove nothing) and to be better in something in which the champion is not better itself. So of two models at most
    one can replace the other on the same data, and small losses cannot add up over generations unseen. No correction
    for several conditions is needed where all must hold (R. L. Berger, Technometrics 24 (1982) 295).
    """
    if comparison.refused:
        why = f"cannot be compared: {comparison.refused}; if it is wanted, `difsims promote` makes it champion"
        return PromotionDecision(False, why)
    if not comparison.held_out.n:
        return PromotionDecision(False, f"the champion stays: {_NO_ROWS}")
    accuracy, peaks = _accuracy_gain(rule, comparison), _peaks_gain(rule, comparison)
    checks = (*_held_out_checks(rule, comparison, accuracy), *_scan_checks(rule, comparison, peaks))
    wanted = ((_ACCURACY, accuracy, rule.accuracy_gain_fraction), (_PEAKS, peaks, rule.peaks_gain_f1))
    ahead = [name for name, gain, least in wanted if _is_gain(gain, least)]
    behind = [name for name, gain, least in wanted if _is_gain(-gain, least)]
    shown = {_ACCURACY: _as_points(accuracy), _PEAKS: _as_f1(peaks)}
    better = Check(
        _GAIN,
        f"better in {' and '.join(ahead) or 'nothing'}",
        f"better in {' and '.join(behind) or 'nothing'}",
        "; ".join(f"{name} {gain}" for name, gain in shown.items() if name == _ACCURACY or comparison.scans),
        f"{_points(rule.accuracy_gain_fraction)} of accuracy or {rule.peaks_gain_f1:g} of F1, beyond the sampling "
        "error, and none of these for the champion",
        bool(ahead) and not behind,
    )
    checks = (*checks, better)
    failed = [check for check in checks if not check.passed]
    scores = _scores(comparison)
    if failed:
        reason = "; ".join(map(_objection, failed[:_MOST_OBJECTIONS]))
        more = f"; and {len(failed) - _MOST_OBJECTIONS} more" if len(failed) > _MOST_OBJECTIONS else ""
        return PromotionDecision(False, f"the champion stays: {reason}{more}", checks, scores, comparison.left_out)
    gains = " and ".join(f"{name} ({shown[name]})" for name in ahead)
    basis = f"{comparison.held_out.n:,} held-out rows and {len(comparison.scans)} experiments"
    return PromotionDecision(
        True,
        f"better in {gains}; nothing is lost beyond the tolerances, on {basis}",
        checks,
        scores,
        comparison.left_out,
    )


def decide_first(rule: PromotionSpec, metrics: Mapping[str, Any]) -> PromotionDecision:
    """Decide about a model while there is no champion, from its own held-out scores."""
    counts = np.asarray(metrics["confusion"]["counts"], np.int64)
    n, hits = int(counts.sum()), int(np.trace(counts))
    accuracy = proportion(hits, n, rule.confidence)
    chance = float(counts.sum(axis=1).max() / n) if n else 1.0
    check = Check(
        _ACCURACY,
        f"{accuracy.value:.2%}",
        "none yet",
        f"at least {accuracy.low:.2%} at {100 * rule.confidence:g}% confidence",
        f"more than {chance:.2%} (the most frequent phase) + {_points(rule.above_chance_fraction)}",
        accuracy.low > chance + rule.above_chance_fraction,
    )
    reason = f"{_ACCURACY} {check.challenger} on {n:,} rows, {check.difference}; {check.needed} was needed"
    verdict = "the first champion" if check.passed else "no champion yet"
    return PromotionDecision(
        check.passed, f"{verdict}: {reason}", (check,), {"accuracy": accuracy.value, "held_out_rows": n}
    )


def _accuracy_gain(rule: PromotionSpec, comparison: Comparison) -> Estimate:
    total = comparison.held_out.total
    return paired_difference(int(total[1, 0]), int(total[0, 1]), comparison.held_out.n, rule.confidence)


def _peaks_gain(rule: PromotionSpec, comparison: Comparison) -> Estimate:
    return mean_of([scan.difference for scan in comparison.scans if scan.phases], rule.confidence)


def _is_gain(gain: Estimate, least: float) -> bool:
    return gain.value >= least and gain.low > 0


def _held_out_checks(rule: PromotionSpec, comparison: Comparison, accuracy: Estimate) -> list[Check]:
    held_out = comparison.held_out
    checks = [_not_worse(_ACCURACY, held_out.total, accuracy, rule.accuracy_tolerance_fraction)]
    for phase, counts in zip(held_out.phases, held_out.counts, strict=True):
        gain = paired_difference(int(counts[1, 0]), int(counts[0, 1]), int(counts.sum()), rule.confidence)
        checks.append(_not_worse(f"recall of {phase}", counts, gain, rule.recall_tolerance_fraction))
    return checks


def _not_worse(name: str, counts: np.ndarray, gain: Estimate, tolerance: float) -> Check:
    n = int(counts.sum())
    challenger, champion = (f"{int(right) / max(n, 1):.2%} of {n:,}" for right in (counts[1].sum(), counts[:, 1].sum()))
    needed = f"loses at most {_points(tolerance)}"
    return Check(name, challenger, champion, _as_points(gain), needed, gain.low >= -tolerance)


def _scan_checks(rule: PromotionSpec, comparison: Comparison, peaks: Estimate) -> list[Check]:
    scans, checks = comparison.scans, []
    if comparison.lost or len(scans) < rule.least_experiments:
        checks.append(
            Check(
                "experiments mapped",
                f"{len(scans)}" + (f", not {', '.join(comparison.lost)}" if comparison.lost else ""),
                f"{len(scans) + len(comparison.lost)}",
                "",
                f"all that the champion maps, and at least {rule.least_experiments}",
                False,
            )
        )
    pairs = [(scan.challenger.get(name, 0.0), scan.champion.get(name, 0.0)) for scan in scans for name in scan.phases]
    if not pairs:
        return checks
    scored = [scan for scan in scans if scan.phases]
    means = [sum(scan.margin(model) for scan in scored) / len(scored) for model in ("challenger", "champion")]
    beaten = [sum(margin > 0 for margin in side) for side in zip(*pairs, strict=True)]
    gained = (beaten[0] - beaten[1]) / len(pairs)
    return [
        *checks,
        Check(
            _PEAKS,
            f"{means[0]:.3f}",
            f"{means[1]:.3f}",
            _as_f1(peaks),
            f"loses at most {rule.peaks_tolerance_f1:g}",
            peaks.value >= -rule.peaks_tolerance_f1,
        ),
        Check(
            "phases that fit better than the null",
            f"{beaten[0]} of {len(pairs)}",
            f"{beaten[1]} of {len(pairs)}",
            f"{gained:+.0%}",
            f"loses at most {rule.phases_tolerance_fraction:.0%}",
            gained >= -rule.phases_tolerance_fraction,
        ),
    ]


def _objection(check: Check) -> str:
    difference = f" ({check.difference})" if check.difference else ""
    against = f"{check.challenger} against {check.champion}" if check.challenger != check.champion else check.challenger
    return f"{check.name}: {against}{difference}, needed: {check.needed}"


def _scores(comparison: Comparison) -> dict[str, float]:
    held_out, scans = comparison.held_out, [scan for scan in comparison.scans if scan.phases]
    scores: dict[str, float] = {"held_out_rows": held_out.n, "experiments": len(scans)}
    if held_out.n:
        scores["accuracy"] = int(held_out.total[1].sum()) / held_out.n
    if scans:
        scores["peaks_f1_above_null"] = sum(scan.margin("challenger") for scan in scans) / len(scans)
    return scores


def _points(fraction: float) -> str:
    return f"{100 * fraction:g} point{'' if fraction == 0.01 else 's'}"


def _as_points(gain: Estimate) -> str:
    return f"{100 * gain.value:+.2f} points, between {100 * gain.low:+.2f} and {100 * gain.high:+.2f}"


def _as_f1(gain: Estimate) -> str:
    if not isfinite(gain.low):
        return f"{gain.value:+.3f}, too few experiments for bounds"
    return f"{gain.value:+.3f}, between {gain.low:+.3f} and {gain.high:+.3f}"
