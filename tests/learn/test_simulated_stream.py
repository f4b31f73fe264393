"""Fresh patterns: what they are, their order, and a model that was trained on them, through every room."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import InputError, ModelError
from difsims_core.families import CLASSIFIERS
from difsims_core.housekeeping.lineage import read_lineage
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.base import input_of
from difsims_core.learn.data.split import Part, part_of
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.training_data import load_training_data, streamed_training_data
from difsims_core.learn.measured_axis import axis_for
from difsims_core.learn.predict import predict_experiment
from difsims_core.learn.train import find_trained, run_training
from difsims_core.learn.verify import verify_model
from difsims_core.models.compare import compare, seen_seeds
from difsims_core.resources import samples_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.learn.nearest_mean import NearestMean, NearestMeanSpec
from tests.learn.test_fitting import Killed, kill_after

N = 700
TRAINING = TrainingSpec(epochs=2, seed=3, batch_size=32)
DOCUMENT = make_spec(
    {
        "n_patterns": N, "seed": 6, "phases": ["pbi2_2h", "gratia_2h", "pb"], "overlap": {}, "output": {"polar": {}},
        "lattice_scale": 1.0,
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


def stream_of(store, spec=DOCUMENT, training=TRAINING):
    return streamed_training_data(store, StreamedSimulation.of(spec, training), training).stream


def test_held_out_are_the_patterns_of_the_dataset_of_the_same_document(store):
    simulation = open_simulation(run_simulation(store, DOCUMENT).id, store)
    stored, fresh = load_training_data([simulation], TRAINING).stream, stream_of(store)
    for part in Part:
        assert fresh.count(part) == stored.count(part)
        assert fresh.class_counts(part).tolist() == stored.class_counts(part).tolist()
    for wanted in (False, True):
        for part in (Part.VALIDATION, Part.TEST):
            for one, other in zip(
                stored.batches(part, fractions=wanted), fresh.batches(part, fractions=wanted), strict=True
            ):
                np.testing.assert_array_equal(one[0], other[0])
                np.testing.assert_array_equal(one[1], other[1])


def test_no_pattern_is_trained_on_twice_and_none_that_is_held_out(store):
    stream = stream_of(store)
    seen = []
    for epoch in (0, 1, 5):
        rows = np.concatenate(list(stream._pools(epoch)))
        assert len(rows) == stream.count(Part.TRAIN)
        assert (part_of(rows, TRAINING.held_out_fraction, TRAINING.seed) == Part.TRAIN).all()
        assert not (np.diff(rows) == 1).all()
        seen.append(rows)
    assert len(np.unique(np.concatenate(seen))) == 3 * stream.count(Part.TRAIN)


def test_an_epoch_is_a_function_of_its_number_alone(store):
    one, other = stream_of(store), stream_of(store)
    other = type(other)(other.source, other.held_out_fraction, other.seed, other.batch_size, threads=1)
    batches = list(one.batches(Part.TRAIN, 4, fractions=True))
    assert [len(y) for _, y in batches] == [32] * (one.count(Part.TRAIN) // 32) + [one.count(Part.TRAIN) % 32]
    assert len(batches) == one.n_batches(Part.TRAIN)
    for (x, y), (again, labels) in zip(batches, other.batches(Part.TRAIN, 4, fractions=True), strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(y, labels)
    rows = np.concatenate(list(one._pools(4)))
    made = Simulator.prepare(one.source.simulator.spec.model_copy(update={"n_patterns": int(rows.max()) + 1}))
    block = made.block(int(rows[0]), int(rows[0]) + 1)
    np.testing.assert_array_equal(block.x_px[0], batches[0][0][0])
    np.testing.assert_array_equal(block.fractions[0], batches[0][1][0])


def test_a_reader_that_leaves_early_leaves_no_thread(store):
    import threading

    batches = stream_of(store).batches(Part.TRAIN, 0)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("simulated") and not thread.daemon]


@pytest.fixture(scope="module")
def trained(store):
    return run_training(store, DOCUMENT, TRAINING).bundle


def test_a_model_says_what_it_was_trained_on(store, trained):
    assert (trained.sim_ids, trained.sim_fingerprints) == ((), ())
    assert trained.training.source == "stream"
    assert trained.simulation.spec.n_patterns == N
    assert trained.simulation.spec.output.polar is None, "it does not look at polar patterns"
    assert [crystal.name for crystal in trained.simulation.crystals] == list(trained.phases)
    assert trained.metrics["n"] == trained.split["n_test"]
    again = load_bundle(trained.id, store)
    assert again.simulation.spec == trained.simulation.spec
    assert again.to_document() == trained.to_document()
    assert verify_model(store, trained.id).ok
    assert find_trained(store, DOCUMENT, TRAINING).id == trained.id
    assert run_training(store, DOCUMENT.model_copy(update={"output": DOCUMENT.output}), TRAINING).reused
    assert find_trained(store, DOCUMENT.model_copy(update={"seed": 7}), TRAINING) is None
    assert store.list(layout.TRAINING_STATES) == []


def test_what_reads_the_datasets_of_a_model_knows_its_document(store, trained):
    q = trained.q_axis
    assert axis_for(trained, q * 25.079, "mrad") == pytest.approx(q, rel=1e-4)  # 200 kV: 0.025079 Å
    item = read_lineage(store).items[trained.id]
    assert (item.problem, item.needs) == ("", frozenset())
    assert seen_seeds(store, trained) == {6}
    result = predict_experiment(store, trained, samples_folder() / "roi_1_radial_crop.npz")
    assert result.n_patterns == 2000


def test_it_is_compared_on_what_neither_has_seen(store, trained):
    stored = run_training(store, [run_simulation(store, DOCUMENT).id], TRAINING.model_copy(update={"seed": 5})).bundle
    rows = np.arange(N)
    both = (part_of(rows, 0.25, 3) == Part.TEST) & (part_of(rows, 0.25, 5) == Part.TEST)
    for challenger, champion in ((trained, stored), (stored, trained)):
        assert compare(store, challenger, champion).held_out.n == both.sum()
    other = run_training(store, DOCUMENT.model_copy(update={"seed": 7}), TRAINING).bundle
    assert compare(store, other, trained).held_out.n == other.split["n_test"]


def test_other_classifiers_and_polar_patterns_are_streamed_too(store, monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)
    spec = NearestMeanSpec(takes="reduced")
    bundle = run_training(store, DOCUMENT, spec).bundle
    assert bundle.input_shape == (74, 72)
    assert input_of(bundle.training).array == "polar/x"
    without = DOCUMENT.model_copy(update={"output": DOCUMENT.output.model_copy(update={"polar": None})})
    with pytest.raises(InputError, match=r"output\.polar"):
        run_training(store, without, spec)


def test_what_cannot_be_streamed_is_refused(store):
    with pytest.raises(InputError, match="q_crop"):
        run_training(store, DOCUMENT, TrainingSpec(profiles="x_q"))
    with pytest.raises(InputError, match="one class"):
        run_training(store, SimulationSpec(n_patterns=90, phases=["pb"]), TRAINING)
    with pytest.raises(InputError, match="leave none for"):
        run_training(store, DOCUMENT, TRAINING.model_copy(update={"max_patterns": 3}))
    with pytest.raises(InputError, match="document in their place"):
        run_training(store, ["sim-0b6e"], TrainingSpec(source="stream"))
    with pytest.raises(InputError, match="told apart"):
        run_training(store, DOCUMENT.model_copy(update={"n_patterns": 10**10}), TRAINING)


@pytest.mark.parametrize("change", [{"sim_ids": ["sim-00000000-0000-4000-8000-000000000000"]}, {"simulation": {}}])
def test_a_record_that_tells_two_stories_is_refused(store, trained, change, tmp_path):
    copy = open_store(tmp_path)
    key = layout.model_record(trained.id)
    copy.write_record(key, store.read_record(key) | change)
    with pytest.raises(ModelError, match=r"sim_ids|simulation"):
        load_bundle(trained.id, copy)


def test_a_killed_training_of_fresh_patterns_ends_in_the_same_bytes(store, trained, tmp_path):
    other = open_store(tmp_path)
    with pytest.raises(Killed):
        run_training(other, DOCUMENT, TRAINING, kill_after(1))
    again = run_training(other, DOCUMENT, TRAINING).bundle
    assert again.read("weights.npz") == trained.read("weights.npz")
    assert again.training_fingerprint == trained.training_fingerprint
