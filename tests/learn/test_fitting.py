"""Step sizes, labels, and trainings that are stopped and go on."""

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, SpecError
from difsims_core.learn.classifiers.keras_fit import fit_network
from difsims_core.learn.data import training_data
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.tf_dataset import BatchFeed
from difsims_core.learn.data.training_data import training_fingerprint
from difsims_core.learn.fitting.optimiser import StepSize, loss_of, optimiser_of
from difsims_core.learn.fitting.saved_training import SavedTraining
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store

N_Q = 48
ALL = TrainingSpec(
    epochs=4, schedule="cosine", warmup_epochs=1, clip_norm=1.0, label_smoothing=0.05, soft_labels=True, batch_size=32
)


def stream_of(spec, n=300, *, mixed=True):
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 3).astype(np.uint8)
    patterns = rng.random((n, N_Q), np.float32)
    patterns[np.arange(n), 5 + 15 * labels.astype(int)] += 3
    share = rng.uniform(0, 0.4, n).astype(np.float32)
    fractions = np.zeros((n, 3), np.float32)
    fractions[np.arange(n), labels] = 1 - share
    fractions[np.arange(n), (labels + 1) % 3] = share
    source = PatternSource("sim", patterns, labels, n, np.array([2, 0, 1]), fractions if mixed else None)
    return PatternStream((source,), spec.held_out_fraction, spec.seed, spec.batch_size)


def test_what_came_later_changes_no_earlier_fingerprint():
    """The numbers are those of the code before these keys."""
    plain = training_fingerprint(TrainingSpec(), ["0" * 64])
    assert plain == "f754a473f5c320b7df6c3a2abf8566e93a6f970b41e3263af87315b2b174bb89"
    more = TrainingSpec(
        network_parameters={"a": 1, "b": "x"}, epochs=3, profiles="x_q", precision="bfloat16", max_patterns=100
    )
    found = training_fingerprint(more, ["0" * 64, "1" * 64])
    assert found == "562eff9ab1a1f75839b96ec30b587005b0dc7e80d7b95ef11ee973eaea063136"
    changed = [{"schedule": "cosine"}, {"warmup_epochs": 1}, {"clip_norm": 1}, {"label_smoothing": 0.1}]
    changed.append({"soft_labels": True})
    others = {training_fingerprint(make_spec(one, TrainingSpec), ["0" * 64]) for one in changed}
    assert len(others | {plain}) == 6


def test_other_weights_of_polar_networks_leave_those_of_profiles(monkeypatch):
    profile, polar = TrainingSpec(), TrainingSpec(network="polar_harmonics")
    before = [training_fingerprint(spec, ["0" * 64]) for spec in (profile, polar)]
    monkeypatch.setitem(training_data.RECIPE, "polar", "another")
    assert training_fingerprint(profile, ["0" * 64]) == before[0]
    assert training_fingerprint(polar, ["0" * 64]) != before[1]


def test_the_step_size_rises_and_falls_along_half_a_cosine():
    size = StepSize(0.1, 10, 40)
    assert [float(size(step)) for step in (0, 4, 9, 10)] == pytest.approx([0.01, 0.05, 0.1, 0.1], rel=1e-6)
    assert [float(size(step)) for step in (30, 50, 60)] == pytest.approx([0.05, 0.0, 0.0], abs=1e-8)
    assert float(size(20)) == pytest.approx(0.05 * (1 + np.cos(np.pi / 4)), rel=1e-6)
    constant = StepSize(0.1, 2, 0)
    assert [float(constant(step)) for step in (0, 1, 5)] == pytest.approx([0.05, 0.1, 0.1], rel=1e-6)


def test_without_them_all_is_as_before():
    optimiser = optimiser_of(TrainingSpec(), 10)
    assert optimiser.global_clipnorm is None
    assert float(optimiser.learning_rate) == pytest.approx(1e-3)
    assert loss_of(TrainingSpec()) == "sparse_categorical_crossentropy"
    assert optimiser_of(ALL, 10).global_clipnorm == 1.0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"schedule": "cosine", "warmup_epochs": 5, "epochs": 5}, "warmup_epochs: 5 leave none of 5 epochs"),
        ({"schedule": "step"}, "schedule"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"label_smoothing": 1}, "label_smoothing"),
    ],
)
def test_what_cannot_be_trained_is_refused(document, words):
    with pytest.raises(SpecError, match=words):
        make_spec(document, TrainingSpec)


def test_soft_labels_are_the_volume_fractions_of_the_classes():
    stream = stream_of(ALL)
    for (_, classes), (_, rows) in zip(
        stream.batches(Part.TRAIN, 3), stream.batches(Part.TRAIN, 3, fractions=True), strict=True
    ):
        np.testing.assert_array_equal(rows.argmax(axis=1), classes)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
        assert (rows.max(axis=1) < 1).any()
    one_hot = next(iter(BatchFeed(stream, 3).validation()))[1].numpy()
    assert set(np.unique(one_hot)) == {0.0, 1.0}
    with pytest.raises(InputError, match=r"soft_labels.*overlap"):
        fit_network(stream_of(ALL, mixed=False), 3, ALL)


class Killed(BaseException):
    pass


def kill_after(epoch):
    def progress(state):
        if state.epoch == epoch:
            raise Killed

    return progress


@pytest.mark.parametrize("spec", [ALL, TrainingSpec(epochs=12, patience=1, learning_rate=0.02, batch_size=32)])
def test_a_training_that_was_killed_ends_in_the_same_bytes(spec, tmp_path):
    saved = SavedTraining(open_store(tmp_path), "a" * 64)
    whole, history = fit_network(stream_of(spec), 3, spec)
    for epoch in (1, 3):
        with pytest.raises(Killed):
            fit_network(stream_of(spec), 3, spec, kill_after(epoch), saved)
    seen = []
    again, told = fit_network(stream_of(spec), 3, spec, seen.append, saved)
    assert [one.epoch for one in seen] == list(range(4, len(history) + 1))
    assert [one["val_loss"] for one in told] == [one["val_loss"] for one in history]
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    finished, _ = fit_network(stream_of(spec), 3, spec, pytest.fail, saved)
    assert finished.get_weights()[0].tobytes() == again.get_weights()[0].tobytes()
    assert len(saved.store.list(layout.training_states("a" * 64))) == 2, "no state of an earlier epoch is left"
    saved.remove()
    assert saved.store.list() == []


@pytest.mark.parametrize("damage", ["arrays", "record", "gone", "other"])
def test_a_damaged_state_is_told_and_not_used(damage, tmp_path, caplog):
    spec = TrainingSpec(epochs=2, batch_size=32)
    saved = SavedTraining(open_store(tmp_path), "a" * 64)
    with pytest.raises(Killed):
        fit_network(stream_of(spec), 3, spec, kill_after(1), saved)
    record, arrays = layout.training_state("a" * 64, "network"), layout.training_arrays("a" * 64, "network", 1)
    if damage == "gone":
        saved.store.delete(arrays)
    elif damage == "other":
        document = saved.store.read_record(record)
        saved.store.write_record(record, document | {"versions": document["versions"] | {"keras": "0.1"}})
    else:
        key = arrays if damage == "arrays" else record
        data = bytearray(saved.store.read(key))
        data[len(data) // 2] ^= 1
        saved.store.write(key, bytes(data))
    seen = []
    fit_network(stream_of(spec), 3, spec, seen.append, saved)
    assert [one.epoch for one in seen] == [1, 2]
    assert ("begins anew" in caplog.text) == (damage != "gone")
