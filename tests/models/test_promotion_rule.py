"""The rule on made-up tallies: what is promoted, what is not, and that two models never replace each other in turn."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from difsims_core.config.promotion import PromotionSpec
from difsims_core.models.comparison import Comparison, HeldOut, ScanScores
from difsims_core.models.confidence_bounds import mean_of, paired_difference, proportion
from difsims_core.models.promotion_rule import decide, decide_first, rule_in_words

RULE = PromotionSpec()
PHASES = ("a", "b")
A, B = (f"cnn-00000000-0000-4000-8000-00000000000{digit}" for digit in "ab")


def held_out(*classes: tuple[int, int, int, int]) -> HeldOut:
    """Counts of each class: neither right, only the champion, only the challenger, both."""
    return HeldOut(PHASES[: len(classes)], np.array(classes, np.int64).reshape(-1, 2, 2))


def scans(*differences: float, base: float = 0.3) -> tuple[ScanScores, ...]:
    return tuple(ScanScores(f"e{i}", {"a": base + d}, {"a": base}) for i, d in enumerate(differences))


def comparison(*classes: tuple[int, int, int, int], **parts) -> Comparison:
    return Comparison(A, B, held_out(*classes), **parts)


EQUAL = ((100, 20, 20, 4860), (100, 20, 20, 4860))
BETTER = ((50, 10, 70, 4870), (50, 10, 70, 4870))


def test_a_model_that_is_clearly_better_replaces_the_champion():
    decision = decide(RULE, comparison(*BETTER, scans=scans(0.0, 0.01, -0.01)))
    assert decision.promote
    assert "+1.20" in decision.why
    assert re.search(r"10,000 .* 3 ", decision.why)
    assert decision.scores["accuracy"] == pytest.approx(0.988)
    assert all(check.passed for check in decision.checks)


@pytest.mark.parametrize(
    ("found", "failed", "words"),
    [
        (comparison(*EQUAL), ["gain"], "+0.00"),
        (comparison(*EQUAL, scans=scans(0.0, 0.0, 0.0)), ["gain"], "+0.00"),
        (comparison((50, 0, 0, 4950), (50, 90, 10, 4850)), ["held-out accuracy", "recall of b", "gain"], "98.10%"),
        (comparison((50, 0, 300, 4650), (50, 90, 10, 4850)), ["recall of b"], "97.20%"),
        (comparison(*BETTER, scans=scans(-0.09, -0.05, -0.1)), ["peaks F1 above the null", "gain"], "-0.080"),
        (comparison(*BETTER, scans=scans(0.0, -0.31, 0.2, 0.2)), ["phases that fit better than the null"], "3 of 4"),
        (comparison(*BETTER, lost=("roi_7",)), ["experiments mapped"], "roi_7"),
        (comparison((0, 0, 2, 6), (0, 0, 2, 6)), ["held-out accuracy", "recall of a", "recall of b", "gain"], "16"),
        (comparison(*BETTER, refused="only one of the two takes square roots"), [], "`difsims promote`"),
        (comparison((0, 0, 0, 0), (0, 0, 0, 0)), [], "held_out_fraction"),
        (comparison(*BETTER, scans=scans(-0.03, -0.03, -0.0301)), ["gain"], "peaks F1 above the null"),
    ],
)
def test_the_champion_stays_and_the_reason_is_said(found, failed, words):
    decision = decide(RULE, found)
    assert not decision.promote
    assert [check.name for check in decision.checks if not check.passed] == failed
    assert words in decision.why


def test_a_gain_in_peaks_alone_is_enough_when_it_exceeds_its_error():
    assert decide(RULE, comparison(*EQUAL, scans=scans(0.04, 0.05, 0.06, 0.05))).promote
    assert not decide(RULE, comparison(*EQUAL, scans=scans(0.3, 0.0, -0.1, 0.05))).promote
    assert not decide(RULE, comparison(*EQUAL, scans=scans(0.05, 0.05))).promote, "two scans may agree by accident"


def test_a_gain_too_small_to_matter_is_none():
    tiny = (1000, 200, 1500, 9_997_300)
    assert not decide(RULE, comparison(tiny)).promote
    assert decide(RULE.model_copy(update={"accuracy_gain_fraction": 0.0001}), comparison(tiny)).promote


def test_experiments_may_be_demanded():
    rule = RULE.model_copy(update={"least_experiments": 3})
    assert not decide(rule, comparison(*BETTER, scans=scans(0.0, 0.0))).promote
    assert decide(rule, comparison(*BETTER, scans=scans(0.0, 0.0, 0.0))).promote
    assert "at least 3 experiments" in rule_in_words(rule)


def test_a_phase_that_is_no_longer_shown_costs_what_it_was_worth():
    lost = ScanScores("e", {"a": 0.4}, {"a": 0.4, "b": 0.3})
    assert lost.difference == pytest.approx(-0.15)
    wrongly_claimed = ScanScores("e", {"a": 0.4}, {"a": 0.4, "b": -0.3})
    assert wrongly_claimed.difference == pytest.approx(0.15)
    assert ScanScores("e", {}, {}).difference == 0


counts = st.lists(st.integers(0, 400), min_size=4, max_size=4)
discordant = st.tuples(st.just(50), st.integers(0, 120), st.integers(0, 120), st.integers(500, 4000))
shifted = st.tuples(st.floats(-0.3, 0.3), st.lists(st.floats(-0.02, 0.02), max_size=6))


@given(st.lists(discordant, min_size=2, max_size=2), shifted, st.floats(0, 0.3), st.floats(0, 0.1))
def test_of_two_models_at_most_one_replaces_the_other(classes, peaks, tolerance, gain):
    """However large the tolerances are: each may be better in something else."""
    rule = RULE.model_copy(
        update={
            "accuracy_tolerance_fraction": tolerance,
            "recall_tolerance_fraction": 1.0,
            "peaks_tolerance_f1": tolerance,
            "phases_tolerance_fraction": 1.0,
            "accuracy_gain_fraction": gain / 10,
            "peaks_gain_f1": gain,
        }
    )
    shift, jitter = peaks
    pairs, tally = scans(*(shift + each for each in jitter)), held_out(*classes)
    forth = decide(rule, Comparison(A, B, tally, pairs))
    mirrored = tuple(ScanScores(scan.experiment, scan.champion, scan.challenger) for scan in pairs)
    back = decide(rule, Comparison(B, A, replace(tally, counts=tally.counts.transpose(0, 2, 1)), mirrored))
    assert not (forth.promote and back.promote)


@given(counts, counts, counts, counts)
def test_tallies_of_parts_add_up(a, b, c, d):
    first, second = held_out(a, b), held_out(c, d)
    assert ((first + second).counts == (second + first).counts).all()
    whole = Comparison(A, B, first, scans(0.1)) + Comparison(A, B, second, scans(0.2))
    assert whole.held_out.n == sum(a + b + c + d)
    assert len(whole.scans) == 2


def test_counting_in_batches_is_counting_at_once():
    rng = np.random.default_rng(0)
    labels, one, other = rng.integers(0, 2, 500), rng.random(500) < 0.9, rng.random(500) < 0.8
    whole = HeldOut.start(PHASES).add(labels, one, other)
    parts = HeldOut.start(PHASES)
    for rows in (slice(0, 123), slice(123, 123), slice(123, 500)):
        parts = parts.add(labels[rows], one[rows], other[rows])
    np.testing.assert_array_equal(whole.counts, parts.counts)
    assert whole.counts[1, 1, 0] == np.sum((labels == 1) & one & ~other)
    assert whole.n == 500


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 50), (9, 3, 60), (25, 10, 500), (60, 30, 4000)])
def test_paired_bounds_agree_with_mcnemar(b, c, n):
    """They turn with the order of the two, and agree with McNemar's exact test but near its threshold."""
    gain = paired_difference(b, c, n, 0.975)
    assert -paired_difference(c, b, n, 0.975) == gain
    assert gain.low < gain.value < gain.high or b == c
    exact = binomtest(b, b + c, alternative="greater").pvalue if b + c else 1.0
    assert (gain.low > 0) == (exact < 0.025) or 0.01 < exact < 0.06


def test_bounds_fail_as_rarely_as_they_say():
    rng = np.random.default_rng(4)
    p = np.array([0.04, 0.02, 0.94])
    drawn = rng.multinomial(400, p, size=4000)
    missed = [not paired_difference(b, c, 400, 0.975).low <= p[0] - p[1] for b, c, _ in drawn]
    assert np.mean(missed) < 0.035
    hits = rng.binomial(60, 0.9, size=4000)
    assert np.mean([proportion(int(k), 60, 0.975).low > 0.9 for k in hits]) < 0.05


def test_the_mean_of_few_experiments_has_no_bounds():
    assert math.isinf(mean_of([0.1, 0.1], 0.975).low)
    four = mean_of([0.1, 0.2, 0.3, 0.4], 0.975)
    assert (four.value, four.low) == (pytest.approx(0.25), pytest.approx(0.25 - 3.1824 * 0.12910 / 2, abs=1e-4))
    assert mean_of([], 0.975).value == 0


def test_a_first_champion_must_beat_the_most_frequent_phase():
    def metrics(*rows):
        return {"confusion": {"class_names": list(PHASES), "counts": [list(row) for row in rows]}}

    good = decide_first(RULE, metrics((80, 20), (15, 85)))
    assert good.promote
    assert good.scores == {"accuracy": 0.825, "held_out_rows": 200}
    assert "82.50%" in good.why
    assert not decide_first(RULE, metrics((60, 40), (40, 60))).promote
    assert not decide_first(RULE, metrics((950, 0), (50, 0))).promote, "95 % right by always saying a"
    assert not decide_first(RULE, metrics((4, 0), (0, 2))).promote, "six rows prove nothing"
    assert not decide_first(RULE, metrics((0, 0), (0, 0))).promote


def test_the_rule_reads_as_sentences_with_its_numbers():
    text = rule_in_words(PromotionSpec(accuracy_tolerance_fraction=0.0075, peaks_gain_f1=0.03, confidence=0.99))
    for part in ("0.75 points of accuracy", "0.03 or more", "99% confidence", "In doubt the champion stays"):
        assert part in text
    assert text.count(". ") >= 3
