"""Everything in a store is verified; one bad item never stops the others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import InputError
from difsims_core.experiment.write.write_scan import write_scan
from difsims_core.housekeeping import verify_prediction
from difsims_core.housekeeping import verify_store as module
from difsims_core.housekeeping.verify_store import verify_item, verify_store
from difsims_core.learn.bundle import save_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.networks import build_network
from difsims_core.learn.trained_index import write_index
from difsims_core.models.registry import promote_by_hand
from difsims_core.storage import layout
from difsims_core.storage.names import as_written
from difsims_core.storage.npz.contracts import Prediction, read_profiles, write_prediction
from difsims_core.storage.objects import open_store
from difsims_core.storage.records import to_record
from flows.cli.app import app
from tests.fake_datasets import build_fake
from tests.learn.test_predict import Q, bundle_of
from tests.uploads import put

PHASES = ("a", "b")
SCAN = "roi_1"
RAW = PreprocessingSpec(reading={"calibration_per_angstrom": 0.05}, geometry={"ellipse": (0, 0)})
OTHER = "cnn-11111111-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store with one item of every kind: its folder, the dataset's id and the model's."""
    root = tmp_path_factory.mktemp("template")
    store = open_store(root)
    simulation = build_fake(store, SimulationSpec(n_patterns=30, seed=3))
    bundle = save_bundle(store, bundle_of(), KerasNetwork(build_network("large_filter", (len(Q), 1), 2)))
    write_index(store, bundle)
    promote_by_hand(store, bundle.id, why="a test")
    put(store, SCAN)
    _predict(store, bundle.id)
    counts = np.random.default_rng(1).poisson(3.0, (2, 3, 64, 64)).astype(np.uint16)
    counts[:, :, 30:35, 31:36] += 1000  # the direct beam
    np.save(root / "roi_2.npy", counts)
    write_scan(store, root / "roi_2.npy", RAW)
    store.write_record(layout.evaluation(bundle.id, SCAN), {"phases": list(PHASES)})
    return root, simulation.id, bundle.id


@pytest.fixture
def stored(template, tmp_path):
    root, simulation, model = template
    return open_store(shutil.copytree(root, tmp_path / "store")), simulation, model


def _predict(store, model, **changes):
    scan = store.url(layout.experiment_profiles(SCAN))
    made = Prediction(np.full((2, 2, 2), 0.5, np.float32), PHASES, model, experiment=scan)
    made = replace(made, experiment_sha256=read_profiles(scan).sha256)
    write_prediction(store.url(layout.prediction(model, SCAN)), replace(made, **changes))


def _wrong(store):
    return {findings.kind: "\n".join(findings.failures) for findings in verify_store(store) if not findings.ok}


def test_a_store_that_is_whole(stored):
    store, simulation, model = stored
    found = list(verify_store(store))
    assert [findings for findings in found if not findings.ok] == []
    assert {"dataset", "model", "experiment", "prediction", "evaluation", "index", "registry"} <= {
        item.kind for item in found
    }
    assert {simulation, model} <= {item.id for item in found}


def _flip(store, key):
    data = bytearray(store.read(key))
    data[len(data) // 2] ^= 1
    store.write(key, bytes(data))


def test_every_kind_of_item_is_checked_and_none_stops_the_others(stored):
    store, simulation, model = stored
    keys = [
        f"{layout.simulation(simulation)}/1d/x_px/c/0/0",
        f"{layout.model(model)}/weights.npz",
        layout.prediction(model, SCAN),
        layout.evaluation(model, SCAN),
        layout.model_registry(),
        f"{layout.experiment_polar('roi_2')}/y/c/0/0/0/0",
        *store.list(layout.SIMULATION_INDEX),
        *store.list(layout.MODEL_INDEX),
    ]
    total = len(list(verify_store(store)))
    for key in keys:
        _flip(store, key)
    found = list(verify_store(store))
    assert len(found) == total
    assert {(item.kind, item.id) for item in found if not item.ok} == {
        ("dataset", simulation),
        ("model", model),
        ("prediction", as_written(store.url(keys[2]))),
        ("evaluation", keys[3]),
        ("registry", keys[4]),
        ("experiment", "roi_2"),
        ("index", keys[6]),
        ("index", keys[7]),
    }


def test_an_experiment_is_verified_by_its_name_and_its_url(stored):
    store, _, _ = stored
    url = store.url(layout.experiment_polar("roi_2"))
    for text in ("roi_2", url, f"{as_written(url)}/"):
        found = verify_item(store, text)
        assert (found.kind, found.id, found.ok) == ("experiment", "roi_2", True)
    store.delete(layout.experiment_profiles("roi_2"))
    assert "preprocess the scan again" in "".join(verify_item(store, "roi_2").warnings)
    store.delete(f"{layout.experiment_polar('roi_2')}/{layout.COMPLETE}")
    (unfinished,) = verify_store(store, {"experiment"})
    assert unfinished.ok
    assert "not written to the end" in unfinished.warnings[0]


def test_an_item_that_fails_in_an_unknown_way_is_a_finding(stored, monkeypatch):
    store, _, _ = stored

    def broken(*args):
        raise RecursionError("deep\nsecond line")

    monkeypatch.setattr(module, "verify", broken)
    assert _wrong(store) == {"dataset": "RecursionError: deep"}


def test_a_prediction_belongs_to_its_folder_its_model_and_its_scan(stored):
    store, _, model = stored
    other = layout.new_model_id()
    store.write(layout.prediction(other, SCAN), store.read(layout.prediction(model, SCAN)))
    assert f"it lies in the folder of {other}, and says that {model} made it" in _wrong(store)["prediction"]
    store.delete(layout.prediction(other, SCAN))
    _predict(store, model, phases=PHASES[::-1])
    assert _wrong(store) == {"prediction": "its phases are not those of its model, or in another order"}
    _predict(store, model)
    put(store, SCAN, store.read(layout.experiment_profiles(SCAN)) + b"\0")
    assert "prediction" in _wrong(store)


def test_a_copy_of_a_prediction_is_checked_wherever_it_lies(stored, tmp_path, monkeypatch):
    store, _, model = stored
    name = layout.prediction(model, SCAN).rpartition("/")[2]
    store.download(layout.prediction(model, SCAN), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert verify_item(store, name).failures == ()
    monkeypatch.chdir(tmp_path / "store" / layout.predictions(model))
    assert verify_item(store, name).failures == ()


def test_a_prediction_without_seal_is_named(stored):
    store, _, model = stored
    key = layout.prediction(model, SCAN)
    np.savez(store.root.removeprefix("file://") + f"/{key}", pred=np.full((2, 2, 2), 0.5), phases=PHASES, cnn_id=model)
    assert "no seal" in _wrong(store)["prediction"]


def test_what_a_prediction_names_outside_the_store_is_not_opened(stored, tmp_path, monkeypatch):
    store, _, model = stored
    outside = tmp_path / "outside_radial_crop.npz"
    outside.write_bytes(store.read(layout.experiment_profiles(SCAN)) + b"\0")
    _predict(store, model, experiment=str(outside), experiment_sha256="0" * 64)
    monkeypatch.setattr(verify_prediction, "read_profiles", lambda url: pytest.fail(f"{url} was opened"))
    assert _wrong(store) == {}


@pytest.mark.parametrize("name", ["copy.zarr", "sim-00000000-0000-4000-8000-000000000000.zarr"])
def test_copied_and_renamed_datasets_are_named(stored, tmp_path, name):
    store, simulation, _ = stored
    folder = tmp_path / "store" / layout.simulation(simulation)
    shutil.copytree(folder, folder.with_name(name))
    (item,) = [item for item in verify_store(store) if not item.ok]
    assert item.id in {name, name.removesuffix(".zarr")}


def test_a_renamed_model_is_named(stored, tmp_path):
    store, _, model = stored
    folder = tmp_path / "store" / layout.model(model)
    shutil.copytree(folder, folder.with_name("best"))
    shutil.copytree(folder, folder.with_name(OTHER))
    assert {item.id for item in verify_store(store) if not item.ok} == {
        "best",
        OTHER,
    }


def test_an_index_of_another_fingerprint_is_named(stored):
    store, _, _ = stored
    (key,) = store.list(layout.SIMULATION_INDEX)
    kept = store.read(key)
    store.write(key, to_record(store.read_record(key) | {"n_patterns": 31}))
    assert "of another fingerprint or size" in _wrong(store)["index"]
    store.write(key, kept)
    store.write(f"{layout.SIMULATION_INDEX}/{'0' * 64}.json", kept)
    assert "its name says another" in _wrong(store)["index"]


def test_a_lost_champion_and_an_incomplete_dataset(stored):
    store, simulation, model = stored
    store.delete(layout.completion(simulation))
    store.delete_tree(layout.model(model))
    assert set(_wrong(store)) == {"registry"}
    warned = {item.kind for item in verify_store(store) if item.warnings}
    assert {"dataset", "prediction", "index"} <= warned


def test_a_registry_that_is_gone_or_came_back_is_named(stored):
    store, _, model = stored
    first = store.read(layout.model_registry())
    store.delete(layout.model_registry())
    assert _wrong(store)["registry"].startswith(f"it is gone, though {model} was made champion")
    store.write(f"{layout.model_registry()}/inside", b"")
    assert "registry" in _wrong(store)
    store.delete_tree(layout.model_registry())
    store.write(layout.model_registry(), first)
    note = {"model": OTHER, "since": "2026-01-01T00:00:00+00:00"}
    store.write_record(layout.champion_note(OTHER), note)
    (registry,) = (found for found in verify_store(store) if found.kind == "registry")
    assert registry.ok
    assert f"it does not know that {OTHER} was made champion" in registry.warnings[0]
    store.write_record(layout.champion_note(model), note)
    assert f"says that it is of {OTHER}" in _wrong(store)["note of a champion"]


def test_items_by_id_path_and_url(stored, tmp_path):
    store, simulation, model = stored
    prediction = layout.prediction(model, SCAN)
    items = [
        simulation,
        simulation[:9],
        store.url(layout.simulation(simulation)),
        model,
        model[:12],
        store.url(layout.model(model)),
    ]
    for item in [*items, store.url(prediction), str(tmp_path / "store" / prediction)]:
        assert verify_item(store, item).failures == (), item
    for lost in ("sim-zzz", layout.new_model_id(), str(tmp_path / f"x{prediction[-22:]}")):
        assert not verify_item(store, lost).ok
    for odd in ("roi_1", "x.npz", "report.html"):
        with pytest.raises(InputError, match=odd):
            verify_item(store, odd)


def _run(*arguments):
    return CliRunner().invoke(app, ["verify", *arguments])


def test_the_command_ends_with_one_when_anything_differs(stored):
    store, simulation, model = stored
    whole = _run("--store", store.root)
    assert whole.exit_code == 0
    assert simulation in whole.stdout
    assert "error" not in whole.stderr
    _flip(store, f"{layout.simulation(simulation)}/1d/x_px/c/0/0")
    damaged = _run(simulation, model, "--store", store.root)
    assert damaged.exit_code == 1
    assert model in damaged.stdout
    assert model not in damaged.stderr
    assert "1d/x_px" in damaged.stderr
    as_json = _run(simulation, model, "--store", store.root, "--json")
    assert as_json.exit_code == 1
    assert [(item["kind"], item["ok"]) for item in json.loads(as_json.stdout)] == [("dataset", False), ("model", True)]
