"""Two models on what neither has seen: which rows those are, whose answers count, which scans are compared."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import InputError
from difsims_core.learn.bundle import ModelBundle
from difsims_core.learn.data.split import Part, part_of
from difsims_core.models.compare import compare, compare_scans, margins, seen_seeds, why_incomparable
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Prediction, write_prediction
from difsims_core.storage.objects import open_store
from tests.fake_datasets import build_fake

NAMES = ("pbi2_2h", "gratia_2h", "pb")
N = 2100
A, B = (f"cnn-00000000-0000-4000-8000-00000000000{digit}" for digit in "ab")


class Knowing:
    """A classifier that recognises each pattern of some datasets and answers by a formula of its index."""

    def __init__(self, simulations, answer):
        self.known = {
            profile.tobytes(): (sim.spec.seed, index)
            for sim in simulations
            for index, profile in enumerate(np.asarray(sim["1d/x_px"][:]))
        }
        self.answer = answer

    def predict(self, patterns):
        answers = [self.answer(*self.known[pattern.tobytes()]) for pattern in patterns]
        return np.eye(3, dtype=np.float32)[answers]


def wrong_every(step, *, offset=0):
    """Answer with the label, but for some patterns."""
    return lambda _seed, index: (index + (index % step == offset)) % 3


def rows_held_out_by(seed, *models, n=N):
    """Return (seed, index) of the patterns of a dataset that all these models have held out for scores."""
    parts = [part_of(np.arange(n), model.training.held_out_fraction, model.training.seed) for model in models]
    return [(seed, int(i)) for i in np.flatnonzero(np.all([part == Part.TEST for part in parts], axis=0))]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


def dataset(store, **changes):
    document = {"n_patterns": N, "seed": 3, "phases": list(NAMES), "output": {"x_all": False}, **changes}
    spec = SimulationSpec.model_validate(document)
    return build_fake(store, spec)


@pytest.fixture(scope="module")
def first(store):
    return dataset(store)


@pytest.fixture(scope="module")
def relative(store):
    """The same draws under other conditions."""
    return dataset(store, microscope={"beam_energy_kv": 300})


@pytest.fixture(scope="module")
def stranger(store):
    return dataset(store, seed=8)


def bundle(name, simulations, answer=None, *, phases=NAMES, **training):
    made = ModelBundle(
        id=name,
        phases=phases,
        q_axis=simulations[0].q_px,
        preprocessing=PostprocessingSpec(),
        sim_ids=tuple(sim.id for sim in simulations),
        sim_fingerprints=tuple(sim.fingerprint for sim in simulations),
        training=TrainingSpec(**training),
        training_fingerprint="0" * 64,
        split={},
        metrics={},
        history=(),
        versions={},
        created="2026-01-01T00:00:00+00:00",
    )
    if answer is not None:
        vars(made)["classifier"] = answer
    return made


def expected(rows, challenger, champion):
    """Count, from labels and answers alone, what the tally of these rows must be."""
    counts = np.zeros((3, 2, 2), int)
    for seed, index in rows:
        right = [model(seed, index) == index % 3 for model in (challenger, champion)]
        counts[index % 3, int(right[0]), int(right[1])] += 1
    return counts


def test_the_test_part_of_both_is_counted_by_class(store, first):
    one, other = wrong_every(7), wrong_every(5, offset=1)
    challenger = bundle(A, [first], Knowing([first], one))
    champion = bundle(B, [first], Knowing([first], other))
    seen = []
    found = compare(store, challenger, champion, progress=seen.append)
    rows = rows_held_out_by(3, challenger)
    np.testing.assert_array_equal(found.held_out.counts, expected(rows, one, other))
    assert found.held_out.phases == NAMES
    assert seen[-1] == found.held_out.n == len(rows)
    assert 0.1 < len(rows) / N < 0.15


def test_another_split_leaves_only_what_both_have_held_out(store, first):
    one, other = wrong_every(7), wrong_every(5)
    challenger = bundle(A, [first], Knowing([first], one), seed=1)
    champion = bundle(B, [first], Knowing([first], other), seed=2, held_out_fraction=0.5)
    rows = rows_held_out_by(3, challenger, champion)
    found = compare(store, challenger, champion).held_out
    assert 30 < found.n < 110
    np.testing.assert_array_equal(found.counts, expected(rows, one, other))


def test_a_dataset_of_another_seed_counts_whole_and_a_relative_does_not(store, first, relative, stranger):
    sims = [first, relative, stranger]
    one = wrong_every(7)
    challenger = bundle(A, sims, Knowing(sims, one), seed=1)
    champion = bundle(B, [first], Knowing(sims, one), seed=2)
    common = rows_held_out_by(3, challenger, champion)
    whole = rows_held_out_by(8, challenger)
    found = compare(store, challenger, champion).held_out
    np.testing.assert_array_equal(found.counts, expected([*common, *common, *whole], one, one))


def test_when_a_dataset_of_the_champion_is_gone_all_are_taken_as_seen(store, first, stranger):
    one = wrong_every(7)
    challenger = bundle(A, [stranger], Knowing([stranger], one), seed=1)
    lost = replace(bundle(B, [first], seed=2), sim_ids=("sim-00000000-0000-4000-8000-000000000000",))
    vars(lost)["classifier"] = Knowing([stranger], one)
    assert seen_seeds(store, lost) is None
    rows = rows_held_out_by(8, challenger, lost)
    assert compare(store, challenger, lost).held_out.n == len(rows)


def test_rows_that_the_challenger_was_not_given_do_not_count(store, first):
    one = wrong_every(7)
    challenger = bundle(A, [first], Knowing([first], one), max_patterns=1000)
    champion = bundle(B, [first], Knowing([first], one))
    rows = rows_held_out_by(3, challenger, n=1000)
    assert compare(store, challenger, champion).held_out.n == len(rows)


def test_classes_are_matched_by_name(store, first):
    one = wrong_every(7)
    turned = NAMES[::-1]

    def in_their_order(seed, index):
        return turned.index(NAMES[one(seed, index)])

    challenger = bundle(A, [first], Knowing([first], one))
    champion = bundle(B, [first], Knowing([first], in_their_order), phases=turned)
    counts = compare(store, challenger, champion).held_out.counts
    assert counts[:, 1, 0].sum() == counts[:, 0, 1].sum() == 0
    assert counts[:, 0, 0].sum() > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"phases": ("pbi2_2h", "gratia_2h")}, "the champion pbi2_2h, gratia_2h"),
        ({"q_axis": np.linspace(0.1, 1.3, 147)}, "147 points 0.1000"),
        ({"q_axis": np.linspace(0.1, 1.3, 61)}, "61 points"),
        ({"preprocessing": PostprocessingSpec(sqrt=True)}, "square roots"),
    ],
)
def test_models_that_answer_another_question_are_not_compared(store, first, changes, words):
    challenger, champion = bundle(A, [first]), replace(bundle(B, [first]), **changes)
    assert words in why_incomparable(challenger, champion)
    found = compare(store, challenger, champion, ["never looked at"])
    assert words in found.refused
    assert found.held_out.n == 0


def phase(name, f1, null_f1):
    return {"phase": name, "match": None if f1 is None else {"f1": f1}, "null_f1": null_f1}


def write_map(store, model, name, sha256, *phases):
    pred = np.full((2, 2, 3), 1 / 3, np.float32)
    written = Prediction(pred, NAMES, model, experiment=f"{name}.npz", experiment_sha256=sha256)
    write_prediction(store.url(layout.prediction(model, name)), written)
    truth = {"accuracy": 0.0 if model == A else 1.0}
    store.write_record(layout.evaluation(model, name), {"phases": list(phases), "truth": truth})


def test_scans_are_compared_by_peaks_on_the_same_bytes(tmp_path):
    store = open_store(tmp_path)
    write_map(store, A, "roi_1", "1" * 64, phase("a", 0.7, 0.4), phase("b", None, None))
    write_map(store, B, "roi_1", "1" * 64, phase("a", 0.6, 0.4), phase("b", 0.2, 0.5))
    write_map(store, A, "roi_2", "1" * 64, phase("a", 0.7, 0.4))
    write_map(store, B, "roi_2", "2" * 64, phase("a", 0.7, 0.4))
    found, left_out = compare_scans(store, A, B, ["roi_1", "roi_2"])
    assert list(left_out) == ["roi_2"]
    assert "different versions" in left_out["roi_2"]
    (scan,) = found
    assert (scan.experiment, scan.phases) == ("roi_1", ("a", "b"))
    assert scan.challenger == pytest.approx({"a": 0.3})
    assert scan.champion == pytest.approx({"a": 0.2, "b": -0.3})
    assert scan.difference == pytest.approx((0.1 + 0.3) / 2)


HALF = {"phase": "a", "match": {"f1": 0.5}}
DAMAGE = [{"phases": 7}, {"phases": [HALF]}, {"phases": ["a"]}, {"phases": [phase("a", "0.5", 0.1)]},
          {"phases": [phase(7, 0.5, 0.1)]}, {"phases": [phase("a", 10**400, 0.1)]}, {"truth": None}]  # fmt: skip


@pytest.mark.parametrize("damage", [*DAMAGE, b"", b'{"phases": []}', None])
def test_a_damaged_evaluation_is_left_out_and_the_others_are_compared(tmp_path, damage):
    store = open_store(tmp_path)
    for name in ("roi_1", "roi_2"):
        for model in (A, B):
            write_map(store, model, name, "1" * 64, phase("a", 0.7, 0.4))
    key = layout.evaluation(B, "roi_1")
    if damage is None:
        store.delete(key)
    elif isinstance(damage, bytes):
        store.write(key, damage)
    else:
        store.write_record(key, damage)
    found, left_out = compare_scans(store, A, B, ["roi_1", "roi_2"])
    assert [scan.experiment for scan in found] == ["roi_2"]
    assert list(left_out) == ["roi_1"]


def test_a_damaged_prediction_is_left_out_and_the_others_are_compared(tmp_path):
    store = open_store(tmp_path)
    for name in ("roi_1", "roi_2"):
        for model in (A, B):
            write_map(store, model, name, "1" * 64, phase("a", 0.7, 0.4))
    store.write(layout.prediction(A, "roi_1"), b"PK damaged")
    found, left_out = compare_scans(store, A, B, ["roi_1", "roi_2"])
    assert ([scan.experiment for scan in found], list(left_out)) == (["roi_2"], ["roi_1"])


def test_a_model_names_its_datasets_by_id_alone(store, first, stranger):
    """A place in its record is opened by nobody: its datasets are taken as unknown."""
    elsewhere = replace(bundle(B, [first]), sim_ids=(first.url,))
    assert seen_seeds(store, elsewhere) is None
    with pytest.raises(InputError, match=re.escape(first.url)):
        compare(store, elsewhere, bundle(A, [first]))


def test_a_phase_without_a_null_says_nothing():
    assert margins({"phases": [phase("a", 0.7, None), phase("b", None, 0.2)]}) == {}
