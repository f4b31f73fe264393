"""What every registered metric owes: parts add up to the whole, order does not matter, results are plain JSON."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.errors import InputError
from difsims_core.evaluate.classification import ClassificationTally, classification_scores
from difsims_core.families import METRICS
from tests.effort import examples

NAMES = ("a", "b", "c", "d")
members = pytest.mark.parametrize("name", METRICS.names())


def sample(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(k, 0.4), size=n), rng.integers(0, k, n)


def flat(document: object) -> list[float | None]:
    """All numbers of a JSON document, in order."""
    if isinstance(document, dict):
        return [value for entry in document.values() for value in flat(entry)]
    if isinstance(document, list):
        return [value for entry in document for value in flat(entry)]
    return [document] if document is None or isinstance(document, int | float) else []


def same(first: object, second: object) -> bool:
    a, b = flat(first), flat(second)
    return len(a) == len(b) and all(
        x is y is None or (x is not None and y is not None and x == pytest.approx(y, abs=1e-12))
        for x, y in zip(a, b, strict=True)
    )


@members
@settings(max_examples=examples(25), deadline=None)
@given(
    seed=st.integers(0, 2**16),
    k=st.integers(2, 4),
    n=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_parts_add_up_to_the_whole(name: str, seed: int, k: int, n: int, cuts: list[int]) -> None:
    metric, (p, y) = METRICS[name], sample(n, k, seed)
    edges = [0, *sorted(min(cut, n) for cut in cuts), n]
    total = metric.measure(np.empty((0, k)), np.empty(0, np.int64))
    for start, stop in pairwise(edges):
        total = total + metric.measure(p[start:stop], y[start:stop])
    whole = metric.finalise(metric.measure(p, y), NAMES[:k])
    assert same(metric.finalise(total, NAMES[:k]), whole)


@members
def test_the_order_of_patterns_does_not_matter(name: str) -> None:
    metric, (p, y) = METRICS[name], sample(200, 3, 1)
    order = np.random.default_rng(2).permutation(200)
    straight = metric.finalise(metric.measure(p, y), NAMES[:3])
    assert same(metric.finalise(metric.measure(p[order], y[order]), NAMES[:3]), straight)


@members
@pytest.mark.parametrize("n", [0, 1, 50])
def test_results_are_strict_json_and_survive_it(name: str, n: int) -> None:
    metric, (p, y) = METRICS[name], sample(n, 3, 3)
    result = metric.finalise(metric.measure(p, y), NAMES[:3])
    assert result
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@members
def test_a_wrong_answer_changes_the_result(name: str) -> None:
    metric, y = METRICS[name], np.arange(30) % 3
    right = np.eye(3)[y] * 0.9 + 1 / 30
    wrong = np.roll(right, 1, axis=1)
    assert not same(
        metric.finalise(metric.measure(right, y), NAMES[:3]), metric.finalise(metric.measure(wrong, y), NAMES[:3])
    )


@members
def test_a_metric_is_a_frozen_value(name: str) -> None:
    metric = METRICS[name]
    assert metric == type(metric)()
    assert hash(metric) == hash(type(metric)())


def test_metrics_do_not_overwrite_each_others_results() -> None:
    p, y = sample(20, 3, 4)
    keys = [key for name in METRICS.names() for key in METRICS[name].finalise(METRICS[name].measure(p, y), NAMES[:3])]
    assert len(keys) == len(set(keys))


@given(seed=st.integers(0, 2**16), cut=st.integers(0, 90))
@settings(max_examples=examples(25), deadline=None)
def test_tallies_of_workers_merge_to_the_scores_of_the_whole(seed: int, cut: int) -> None:
    p, y = sample(90, 3, seed)
    start = ClassificationTally.start(NAMES[:3])
    merged = start.add(p[:cut], y[:cut]) + start.add(p[cut:], y[cut:])
    assert same(merged.finalise(), classification_scores(p, y, NAMES[:3]))


def test_tallies_of_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"'a', 'b'.*'b', 'a'"):
        ClassificationTally.start(("a", "b")) + ClassificationTally.start(("b", "a"))


def test_an_unknown_metric_lists_the_choices() -> None:
    with pytest.raises(InputError, match=r"'accuracy'.*brier_score"):
        ClassificationTally.start(NAMES, metrics=["acuracy"])
