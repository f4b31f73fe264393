"""A retraining from the first champion on: what it promotes, what it records, and when it does nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from typer.testing import CliRunner

from difsims_core.config.documents import make_spec
from difsims_core.config.retraining import RetrainingSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import InputError
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.models.registry import read_registry, rollback
from difsims_core.models.retraining_plan import plan_retraining
from difsims_core.resources import samples_folder
from difsims_core.storage import layout
from difsims_core.storage.ids import list_models, list_simulations
from difsims_core.storage.npz.contracts import read_profiles, write_profiles
from difsims_core.storage.objects import open_store
from flows import retrain as retraining
from flows.cli.app import app
from flows.retrain import retrain
from tests.flows.prefect_records import artifacts_of, latest_run

SIMULATION = {"n_patterns": 1200, "seed": 5, "output": {"x_all": False}, "noise": None, "background": None}
# Little can be shown of a few hundred patterns, and nothing of twenty pixels.
RULE = {
    "accuracy_tolerance_fraction": 0.1,
    "recall_tolerance_fraction": 0.5,
    "peaks_tolerance_f1": 1.0,
    "peaks_gain_f1": 1.0,
    "phases_tolerance_fraction": 1.0,
}
BETTER = {"epochs": 4}


def document(**changes: Any) -> RetrainingSpec:
    return make_spec({"training": {"epochs": 2}, "rule": RULE, **changes}, RetrainingSpec)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with corners of two sample scans."""
    objects = open_store(tmp_path_factory.mktemp("retrain") / "store")
    for name in ("roi_1", "roi_2"):
        profiles = read_profiles(samples_folder() / f"{name}_radial_crop.npz")
        write_profiles(objects.url(layout.experiment_profiles(name)), profiles.x, profiles.y[10:14, 20:25])
    return objects.root


@pytest.fixture(scope="module")
def events() -> list[tuple[str, str, dict[str, Any]]]:
    return []


@pytest.fixture(scope="module", autouse=True)
def announced(events) -> Any:
    def announce(kind, name, store, *, labels, payload):
        events.append((kind, name, {**labels, **payload}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retraining, "announce", announce)
        yield


@pytest.fixture(scope="module")
def first(root: str) -> dict[str, Any]:
    return retrain(document(simulation=SIMULATION), root)


def test_an_empty_store_is_no_failure(store):
    outcome = retrain(document(), store)
    assert (outcome["model"], outcome["promoted"], outcome["champion"]) == (None, False, None)
    assert "no complete dataset" in outcome["why"]
    assert latest_run("retrain").state.is_completed()


def test_the_first_model_becomes_the_champion(root, first, events):
    assert first["promoted"], first["why"]
    assert first["champion"] == first["model"]
    registry = read_registry(open_store(root))
    assert registry.champion.model == first["model"]
    assert registry.champion.by == "retrain"
    assert registry.champion.scores["held_out_rows"] > 100
    assert [(item.model, item.promoted) for item in registry.considered] == [(first["model"], True)]
    kind, name, details = events[0]
    assert (kind, name, details["why"]) == ("champion.promoted", first["model"], first["why"])


def test_its_run_shows_what_was_decided_and_why(root, first):
    run = latest_run("retrain")
    assert run.name == "retrain large_filter on all datasets seed 0"
    assert first["model"] in run.tags
    found = artifacts_of(run)
    (row,) = json.loads(found["comparison"].data)
    assert row["name"] == "held-out accuracy"
    text = found["decision"].data
    for expected in (
        first["model"],
        first["why"],
        "roi_1_radial_crop, roi_2_radial_crop",
        "In doubt the champion stays",
    ):
        assert expected in text


def test_nothing_new_is_no_work(root, first, monkeypatch):
    monkeypatch.setattr(KerasNetwork, "fit", lambda *_args: pytest.fail("trained again"))
    before = read_registry(open_store(root))
    again = retrain(document(simulation=SIMULATION), root)
    assert (again["model"], again["promoted"], again["champion"]) == (first["model"], False, first["model"])
    assert "were considered on" in again["why"]
    assert first["why"] in again["why"]
    assert read_registry(open_store(root)) == before
    assert retrain(document(), root)["why"] == again["why"], "the simulation is one of the datasets of the store"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(root, first):
    objects = open_store(root)
    lying = objects.list("")
    same = plan_retraining(objects, document(simulation=SIMULATION))
    assert (same.champion, same.simulates, same.trains) == (first["model"], 0, False)
    assert same.before is not None
    assert same.before.model == first["model"]
    assert len(same.scans) == 2
    more = plan_retraining(objects, document(simulation={**SIMULATION, "seed": 99}))
    assert (more.simulates, more.trains) == (SIMULATION["n_patterns"], True)
    assert more.patterns == more.simulates + same.patterns
    better = plan_retraining(objects, document(training=BETTER))
    assert (better.datasets, better.trains) == (same.datasets, True)
    shown = CliRunner().invoke(app, ["retrain", "--dry-run", "--set", "training.epochs=4", "--store", root])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"a challenger would be trained on {same.patterns:,} patterns")
    assert first["model"] in shown.stderr
    assert objects.list("") == lying


@pytest.fixture(scope="module")
def second(root: str, first) -> dict[str, Any]:
    """A new dataset, and a better training: a challenger. The first run is stopped before it has decided."""
    objects, spec = open_store(root), document(training=BETTER)
    run_simulation(objects, make_spec({**SIMULATION, "n_patterns": 2400, "seed": 6}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retraining, "decide_and_apply", lambda *_args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            retrain(spec, root)
    stopped = {"models": list_models(objects), "considered": len(read_registry(objects).considered)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KerasNetwork, "fit", lambda *_args: pytest.fail("trained again"))
        return retrain(spec, root) | {"stopped": stopped}


def test_a_run_that_was_stopped_is_continued(root, first, second):
    objects = open_store(root)
    assert second["stopped"]["considered"] == 1, "nothing was decided about the second model"
    assert second["stopped"]["models"] == list_models(objects) == sorted([first["model"], second["model"]])
    assert len(read_registry(objects).considered) == 2


def test_a_new_dataset_makes_a_challenger_that_is_compared(root, first, second, events):
    objects = open_store(root)
    assert second["model"] != first["model"]
    assert len(load_bundle(second["model"], objects).sim_ids) == 2
    registry = read_registry(objects)
    assert second["champion"] == registry.champion.model == (second["model"] if second["promoted"] else first["model"])
    latest = registry.considered[0]
    assert (latest.model, latest.promoted, latest.why) == (second["model"], second["promoted"], second["why"])
    assert len(registry.considered) == 2
    assert [name for _, name, _ in events] == [first["model"], *([second["model"]] if second["promoted"] else [])]
    found = artifacts_of(latest_run("retrain"))
    names = [row["name"] for row in json.loads(found["comparison"].data)]
    assert names[0] == "held-out accuracy"
    assert {"recall of gratia_2h", "peaks F1 above the null", "gain"} <= set(names)
    assert {first["model"], second["model"]} <= set(latest_run("retrain").tags)


def test_after_a_rollback_the_replaced_model_stays_away(root, first, second):
    """New experiments are mapped all the same; one of them is no scan, and stops nothing."""
    if not second["promoted"]:
        pytest.fail(f"the challenger was to be better for this test: {second['why']}")
    objects = open_store(root)
    rollback(objects)
    profiles = read_profiles(samples_folder() / "roi_3_radial_crop.npz")
    write_profiles(objects.url(layout.experiment_profiles("roi_3")), profiles.x, profiles.y[:3, :4])
    objects.write(layout.experiment_profiles("torn"), b"PK nothing")
    third = retrain(document(training=BETTER), root)
    assert (third["model"], third["promoted"], third["champion"]) == (second["model"], False, first["model"])
    assert "only a person" in third["why"]
    for name in ("roi_1", "roi_2", "roi_3"):
        assert objects.exists(layout.evaluation(second["model"], f"{name}_radial_crop"))
    text = artifacts_of(latest_run("retrain"))["decision"].data
    assert "experiments mapped: roi_1_radial_crop, roi_2_radial_crop, roi_3_radial_crop" in text
    assert "left out: torn_radial_crop: " in text
    objects.delete(layout.experiment_profiles("torn"))


def test_a_simulation_of_other_phases_is_refused_before_any_work(root, first):
    objects = open_store(root)
    before = list_simulations(objects)
    with pytest.raises(InputError, match=r" pb, pbi2_2h \("):
        retrain(document(simulation={**SIMULATION, "phases": ["pb", "pbi2_2h"]}), root)
    assert list_simulations(objects) == before


def test_the_form_explains_itself():
    definitions = parameter_schema(retrain).definitions
    for name in ("RetrainingSpec", "PromotionSpec"):
        assert all(item.get("description") for item in definitions[name]["properties"].values()), name
