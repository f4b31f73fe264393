"""New scans are mapped and evaluated by every wanted model; what fails is given up and blocks nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed
from typer.testing import CliRunner

from difsims_core.errors import ExperimentError, InputError, MissingObjectError, PartlyFailedError
from difsims_core.models.registry import read_registry
from difsims_core.results.evaluate_map import EvaluatedMap
from difsims_core.scans import intake, reconcile
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.isolated_reader import ReadingLimits
from difsims_core.scans.listing import scan_key
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import predicted_name, read_prediction, write_profiles
from difsims_core.storage.objects import ObjectStore, open_store
from flows import watch
from flows.cli import scans
from flows.commands import evaluate as evaluating
from flows.evaluate import evaluate
from flows.execution import steps
from flows.predict import predict
from flows.watch import scans_at_work, watch_experiments
from tests.evaluated import evaluated_map
from tests.flows.prefect_records import artifacts_of, latest_run
from tests.flows.test_events import events_of
from tests.learn.test_predict import Q, bundle_of, measured
from tests.uploads import SECOND, ReaderHere, crown

MODEL = bundle_of().id


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds count however close together; two tries; a stand-in network, and scores that are nothing but there."""
    for name in ("_SECONDS_BETWEEN_TRIES", "_LEAST_GRACE_SECONDS"):
        monkeypatch.setattr(reconcile, name, 0)
    monkeypatch.setattr(watch, "ReadingLimits", lambda memory_mb, _seconds: ReadingLimits(memory_mb, 0.001))
    monkeypatch.setattr(reconcile, "ScanReader", ReaderHere)
    monkeypatch.setenv("DIFSIMS_INTAKE_TRIES", "2")
    monkeypatch.setattr(steps, "read_bundle", lambda _store, _model: bundle_of())
    monkeypatch.setattr(evaluating, "evaluate_one", evaluate_one)
    monkeypatch.setattr("difsims_core.results.run_evaluation.keep_pictures", lambda *_: None)
    for name in ("show_evaluation", "show_scores"):
        monkeypatch.setattr(evaluating, name, lambda *_, **__: None)


def evaluate_one(root: str, url: str, *_: object) -> EvaluatedMap:
    """Leave something in the place of the scores of a prediction."""
    store, name = open_store(root), predicted_name(url)
    key = layout.evaluation(MODEL, name)
    store.write(key, b"scores")
    return evaluated_map(name, MODEL, store.url(key))


@pytest.fixture
def place(store: str) -> ObjectStore:
    opened = open_store(store)
    crown(opened, MODEL)
    return opened


def url_of(place: ObjectStore, name: str) -> str:
    return place.url(layout.experiment_profiles(name))


def put(place: ObjectStore, name: str, q: np.ndarray = Q) -> str:
    write_profiles(url_of(place, name), q, measured(2, 3, q=q))
    return url_of(place, name)


def put_half(place: ObjectStore, name: str) -> str:
    put(place, "whole")
    data = place.read(layout.experiment_profiles("whole"))
    place.delete(layout.experiment_profiles("whole"))
    place.write(layout.experiment_profiles(name), data[: len(data) // 2])
    return url_of(place, name)


def states(place: ObjectStore) -> dict[str, str]:
    champion = read_registry(place).champion
    inventory = Inventory.listed(place, [] if champion is None else [champion.model])
    return {state.name: state.state for state in intake.scan_states(inventory, read_attempts(place), tries=2)}


def rows_of_intake() -> list[dict[str, Any]]:
    return json.loads(artifacts_of(latest_run("watch-experiments"))["intake"].data)


def test_a_scan_goes_from_the_store_to_its_map_and_broken_ones_are_given_up(place):
    good, short = put(place, "good"), put(place, "short", Q / 2)
    put_half(place, "half")
    assert sorted(watch_experiments(place.root)) == [good, short]
    assert states(place) == {"good": "complete", "short": "retry", "half": "retry"}
    rows = {row["experiment"]: row for row in rows_of_intake()}
    assert {name: (row["state"], row["maps"], row["models"]) for name, row in rows.items()} == {
        "good": ("complete", 1, 1), "short": ("retry", 0, 1), "half": ("retry", 0, 1),
    }  # fmt: skip
    assert {"good_radial_crop", "short_radial_crop"} <= set(latest_run("watch-experiments").tags)
    found = [event for event in events_of(place.root, 4) if event["event"] == "difsims.experiment.found"]
    assert sorted(event["resource"]["difsims.url"] for event in found) == [good, short]

    assert watch_experiments(place.root) == [short]
    assert states(place) == {"good": "complete", "short": "quarantined", "half": "quarantined"}
    reasons = {row["experiment"]: row["reason"] for row in rows_of_intake()}
    assert "axis" in reasons["short"]
    assert "expected a whole npz file" in reasons["half"]
    assert reasons["good"] == ""

    assert watch_experiments(place.root) == []
    quiet = latest_run("watch-experiments")
    assert quiet.state_name == "Nothing new"
    assert "intake" not in artifacts_of(quiet)

    (again,) = predict(store=place.root)
    assert latest_run("predict").state_name == "Reused", "quarantined scans do not fail the run of all"
    assert read_prediction(again).experiment == good.removeprefix("file://")


def test_a_run_of_many_scans_keeps_what_it_has_and_says_what_failed(place):
    good, short = put(place, "good"), put(place, "short", Q / 2)
    with pytest.raises(PartlyFailedError, match=r"1 of 2 .* 1 .*short"):
        predict(experiments=[good, short], store=place.root)
    assert states(place) == {"good": "pending", "short": "retry"}
    with pytest.raises(ExperimentError, match="short"):
        predict(experiments=[short], store=place.root)
    assert states(place) == {"good": "pending", "short": "quarantined"}
    assert watch_experiments(place.root) == [good]
    assert latest_run("evaluate").parameters["predictions"] == [
        place.url(layout.prediction(MODEL, "good_radial_crop"))
    ], "the map was there, its scores were missing"
    assert states(place) == {"good": "complete", "short": "quarantined"}


def test_the_whole_store_is_predicted_when_nothing_is_named(place):
    for name in ("a", "b"):
        put(place, name)
    assert [url.rsplit("/", 1)[-1][:2] for url in predict(store=place.root, evaluate=True)] == ["a_", "b_"]
    run = latest_run("predict")
    assert run.name == "predict all experiments with champion"
    assert MODEL in run.tags
    assert watch_experiments(place.root) == [], "what was predicted is there"


def test_nothing_to_do_is_no_failure(place):
    assert predict(store=place.root) == []
    assert latest_run("predict").state_name == "Nothing new"
    assert evaluate(store=place.root) == []
    assert latest_run("evaluate").state_name == "Nothing new"
    assert watch_experiments(place.root) == []
    assert latest_run("watch-experiments").state_name == "Nothing new"
    assert " 0 scans" in latest_run("watch-experiments").state.message


def test_without_a_champion_scans_wait_and_predict_says_what_to_do(store):
    place = open_store(store)
    url = put(place, "early")
    assert watch_experiments(store) == []
    assert "1 waiting" in latest_run("watch-experiments").state.message
    with pytest.raises(MissingObjectError, match="`difsims retrain`"):
        predict(store=store)
    crown(place, MODEL)
    assert watch_experiments(store) == [url]


def test_a_map_that_is_older_than_its_scan_and_still_right_is_confirmed_once(place):
    """The store came back from a backup, in any order: nothing is computed again, and no round goes on for ever."""
    url = put(place, "roi_1")
    watch_experiments(place.root)
    made = place.read(layout.prediction(MODEL, "roi_1_radial_crop"))
    time.sleep(0.02)  # times of files are not finer
    place.write(layout.experiment_profiles("roi_1"), place.read(layout.experiment_profiles("roi_1")))
    assert watch_experiments(place.root) == [url]
    assert latest_run("predict").state_name == "Reused"
    assert place.read(layout.prediction(MODEL, "roi_1_radial_crop")) == made
    assert watch_experiments(place.root) == []


def test_an_evaluation_that_fails_fails_its_run_and_is_given_up(place, monkeypatch):
    url = put(place, "odd")

    def failing(*_: object) -> EvaluatedMap:
        raise ExperimentError("no crystal of this phase")

    monkeypatch.setattr(evaluating, "evaluate_one", failing)
    with pytest.raises(ExperimentError, match="no crystal"):
        predict(experiments=[url], store=place.root, evaluate=True)
    assert states(place) == {"odd": "retry"}
    assert watch_experiments(place.root) == [url]
    assert states(place) == {"odd": "quarantined"}
    (attempt,) = read_attempts(place).values()
    assert attempt.reason == "no crystal of this phase"


@pytest.fixture
def deployed(place: ObjectStore) -> str:
    """Deployments that nobody runs: what is started waits."""
    name = f"of-{Path(place.root).parent.name}"
    with get_client(sync_client=True) as client:
        for one in (predict, evaluate):
            client.create_deployment(client.create_flow(one), name)
    return name


def runs_of(flow: str, deployment: str) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(f"{flow}/{deployment}")
        wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [found.id]}})
        return client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=20)


def test_what_is_missing_starts_a_deployment_and_names_reach_it_as_they_are(place, deployed):
    """Names are other people's: quotes and braces must reach the parameter as they are."""
    urls = [put(place, name) for name in ('it\'s "Ω" {{ 1 }}', "plain")]
    assert sorted(watch_experiments(place.root, deployed)) == sorted(urls)
    (run,) = runs_of("predict", deployed)
    assert run.parameters["model"] == MODEL
    assert run.parameters["evaluate"] is True
    assert sorted(place.url(scan_key(place, url) or "") for url in run.parameters["experiments"]) == sorted(urls)
    assert {"intake"} <= set(run.tags)
    assert watch_experiments(place.root, deployed) == [], "its run waits"
    predict(experiments=urls, store=place.root)
    end(run)
    assert sorted(watch_experiments(place.root, deployed)) == sorted(urls)
    assert [len(run.parameters["predictions"]) for run in runs_of("evaluate", deployed)] == [1, 1], "each alone"
    assert watch_experiments(place.root, deployed) == []


def end(run: FlowRun) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(), force=True)


def test_a_run_that_was_killed_is_made_up_for_and_one_that_waits_is_not_repeated(place, deployed):
    url = put(place, "roi_1")
    assert watch_experiments(place.root, deployed) == [url]
    assert [watch_experiments(place.root, deployed) for _ in range(2)] == [[], []]
    end(runs_of("predict", deployed)[0])
    assert watch_experiments(place.root, deployed) == [url]
    assert watch_experiments(place.root, deployed) == []
    assert len(runs_of("predict", deployed)) == 2


def test_no_more_runs_wait_than_the_setting_says(place, deployed, monkeypatch):
    monkeypatch.setenv("DIFSIMS_INTAKE_RUNS", "1")
    url = put(place, "roi_1")
    assert watch_experiments(place.root, deployed) == [url]
    put(place, "roi_2")
    assert watch_experiments(place.root, deployed) == []
    for run in runs_of("predict", deployed):
        end(run)
    assert len(watch_experiments(place.root, deployed)) == 1


def test_a_deployment_that_is_not_there_costs_no_try(place):
    put(place, "roi_1")
    with pytest.raises(InputError, match="'predict/nowhere'"):
        watch_experiments(place.root, "nowhere")
    assert read_attempts(place) == {}


@pytest.mark.parametrize(
    ("parameters", "model", "expected"),
    [
        ({"model": SECOND, "experiments": ["{store}/experiments/profiles/a.npz"]}, SECOND, {"a"}),
        ({"model": "champion", "experiments": ["{store}/experiments/profiles/a.npz"]}, MODEL, {"a"}),
        ({"model": "x/" + SECOND, "experiments": ["{store}/experiments/profiles/*.npz"]}, SECOND, {"a", "b"}),
        ({"model": SECOND, "experiments": ["{store}/experiments/profiles"]}, SECOND, {"a", "b"}),
        ({"model": SECOND, "experiments": ["/elsewhere/a.npz"]}, SECOND, set()),
        ({"model": SECOND, "experiments": [], "store": "{store}"}, SECOND, {"a", "b"}),
        ({"model": SECOND, "experiments": [], "store": "file:///elsewhere"}, SECOND, set()),
        ({"predictions": ["{store}/predictions/" + SECOND + "/a_probability_pred.npz"]}, SECOND, {"a"}),
        ({"predictions": ["{store}/predictions/" + SECOND + "/"]}, SECOND, {"a", "b"}),
        ({"predictions": [], "store": "{store}"}, MODEL, {"a", "b"}),
        ({"predictions": ["/elsewhere/a_probability_pred.npz"]}, MODEL, set()),
        ({"experiments": 5}, MODEL, set()),
        ({"experiments": [None]}, MODEL, set()),
        ({"store": "gopher://x"}, MODEL, set()),
    ],
)  # fmt: skip
def test_what_a_run_is_at(place, parameters, model, expected):
    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        return value.replace("{store}", place.root) if isinstance(value, str) else value

    run = SimpleNamespace(parameters={name: filled(value) for name, value in parameters.items()})
    at_work = scans_at_work(place, [run], MODEL)  # pyright: ignore[reportArgumentType]
    found = {name for name in ("a", "b") if at_work(model, f"{layout.PROFILES}/{name}.npz")}
    assert found == expected
    other = SECOND if model == MODEL else MODEL
    assert not at_work(other, f"{layout.PROFILES}/a.npz")


@pytest.mark.service
def test_a_half_uploaded_object_of_s3_is_left_until_it_is_whole(s3_store_url):
    place = open_store(s3_store_url)
    crown(place, MODEL)
    half = put_half(place, "growing")
    good = put(place, "good")
    assert watch_experiments(place.root) == [good]
    assert states(place) == {"good": "complete", "growing": "retry"}
    put(place, "growing")
    assert watch_experiments(place.root) == [half]
    assert states(place) == {"good": "complete", "growing": "complete"}


def test_a_quarantined_scan_is_listed_and_released_on_the_command_line(place):
    import typer

    app = typer.Typer()
    app.callback()(lambda: None)
    scans.register(app)

    def difsims(*arguments: str):
        return CliRunner().invoke(app, ["intake", *arguments, "--store", place.root])

    put_half(place, "half")
    for _ in range(2):
        watch_experiments(place.root)
    assert states(place) == {"half": "quarantined"}
    assert all(text in difsims().stdout for text in ("half", "quarantined", "expected"))
    refused = difsims("--release", "helf")
    assert refused.exit_code != 0
    assert "'helf'" in str(refused.exception)
    assert "half" in difsims("--release", "half").stdout
    (state,) = json.loads(difsims("--json").stdout)["scans"]
    assert (state["name"], state["state"], state["models"]) == ("half", "pending", 1)
    assert watch_experiments(place.root) == []
    assert states(place) == {"half": "retry"}
