"""A command does the same as a plain function and as a flow: what it prints, and what lies in the store."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from difsims_core.config.documents import dump_spec, make_spec
from difsims_core.dataset.open import open_simulation
from difsims_core.experiment.write.open import open_experiment
from difsims_core.learn.bundle import load_bundle
from difsims_core.resources import samples_folder
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli.app import app
from flows.ui.flow_runs import find_runs

_FIGURES = ("sample-profiles.png", "learning-curves.png", "confusion.png")
SCAN = str(samples_folder() / "roi_1_radial_crop.npz")
RAW = str(samples_folder() / "film.hspy")


def invoke(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result


def whole_way(document: str, swept: str, root: str, *options: str) -> SimpleNamespace:
    """Simulate, train, predict, evaluate, each twice; return the store and what the second calls told."""
    again: list[str] = []

    def twice(*arguments: str) -> str:
        first = invoke(*arguments, "--store", root, *options)
        second = invoke(*arguments, "--store", root, *options)
        assert second.stdout == first.stdout
        again.append(second.stderr)
        return first.stdout.splitlines()[-1]

    simulation = twice("simulate", document)
    sweep = invoke("simulate", swept, "--store", root, *options).stdout.split()
    model = twice("train", simulation, "--set", "epochs=1")
    fresh = twice("train", document, "--set", "epochs=1", "--set", "simulation.n_patterns=300")
    prediction = twice("predict", model, SCAN)
    how = ("--set", "phases=[gratia_2h, pbi2_2h]", "--set", "integration.n_azimuths=36")
    experiment = twice("preprocess", RAW, *how)
    mapped = invoke("map", RAW, "--model", model, *how, "--store", root, *options, "--json")
    scores = invoke("evaluate", prediction, "--experiments", str(samples_folder()), "--store", root, *options, "--json")
    return SimpleNamespace(
        store=open_store(root), simulation=simulation, sweep=sweep, model=model, fresh=fresh, prediction=prediction,
        experiment=experiment, mapped=json.loads(mapped.stdout), scores=scores.stdout, again=again,
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[SimpleNamespace, SimpleNamespace]:
    folder: Path = tmp_path_factory.mktemp("both-ways")
    document, swept = folder / "tiny.yaml", folder / "swept.yaml"
    document.write_text(dump_spec(make_spec({"n_patterns": 600, "seed": 3, "output": {"x_all": False}})))
    swept.write_text(f"{document.read_text()}\nsweep: {{seed: [3, 5]}}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.cli.session.server_address", lambda: None)
        runs = len(find_runs())
        plain = whole_way(str(document), str(swept), (folder / "plain").as_uri())
        assert len(find_runs()) == runs, "no flow has run"
    return plain, whole_way(str(document), str(swept), (folder / "flow").as_uri())


def test_the_same_objects_lie_in_the_store(both):
    first, second = (_keys(way) for way in both)
    assert first == second
    assert first.count("reports/RUN/index.html") == 3, "of the predicted map, of its scores, and of the raw scan's"


def test_picture_and_report_of_a_map_are_told(both):
    for way in both:
        (scores,) = json.loads(way.scores)
        assert way.store.read(way.store.key_of(scores["picture"])).startswith(b"\x89PNG")
        page = way.store.read(way.store.key_of(scores["report"])).decode()
        assert way.model in page
        assert "roi_1" in page
        predicted = way.again[3]
        assert "picture of roi_1" in predicted
        assert "report: " in predicted


def test_datasets_hold_the_same_rows(both):
    plain, flow = both
    for first, second in zip((plain.simulation, *plain.sweep), (flow.simulation, *flow.sweep), strict=True):
        one, other = open_simulation(first, plain.store), open_simulation(second, flow.store)
        assert one.fingerprint == other.fingerprint
        assert one.arrays == other.arrays
        for path in ("1d/x_px", "1d/y_px"):
            np.testing.assert_array_equal(one[path][:], other[path][:])


def test_models_and_maps_are_the_same(both):
    plain, flow = both
    for name in ("model", "fresh"):
        first, second = (load_bundle(getattr(way, name), way.store) for way in both)
        assert first.metrics == second.metrics
        assert first.training_fingerprint == second.training_fingerprint
    one, other = read_prediction(plain.prediction), read_prediction(flow.prediction)
    np.testing.assert_array_equal(one.pred, other.pred)


def test_experiments_are_the_same(both):
    one, other = (open_experiment("film", way.store) for way in both)
    assert one.attrs["fingerprint"] == other.attrs["fingerprint"]
    for path in one.arrays:
        np.testing.assert_array_equal(one[path][...], other[path][...])
    for way in both:
        assert way.experiment == way.store.url("experiments/profiles/film_radial_crop.npz")


def test_a_raw_scan_becomes_a_map_with_a_report(both):
    for way in both:
        (scores,) = way.mapped
        prediction = read_prediction(scores["prediction"])
        assert prediction.pred.shape[:2] == (16, 16)
        assert prediction.scan_step_nm == pytest.approx(3.87, abs=0.01)
        assert "film" in way.store.read(way.store.key_of(scores["report"])).decode()


def test_what_was_there_is_said_to_be_reused(both):
    for way in both:
        assert [text.count("reused") for text in way.again] == [1, 1, 1, 1, 1]


def test_only_a_flow_tells_of_its_page(both):
    plain, flow = both
    assert not any("/runs/flow-run/" in text for text in plain.again)
    assert all("/runs/flow-run/" in text for text in flow.again)


def _keys(way: SimpleNamespace) -> list[str]:
    """Return the keys of a store with names instead of ids, without the figures that Prefect's pages show."""
    store: ObjectStore = way.store
    named = {way.simulation: "SIM", way.model: "CNN", way.fresh: "FRESH"}
    named |= {name: f"POINT-{i}" for i, name in enumerate(way.sweep)}
    keys = [re.sub(r"tfevents.*", "tfevents", key) for key in store.list("") if not key.endswith(_FIGURES)]
    keys = [re.sub("reports/run-[0-9a-f]{16}", "reports/RUN", key) for key in keys]
    for name, shown in named.items():
        keys = [key.replace(name, shown) for key in keys]
    return sorted(keys)
