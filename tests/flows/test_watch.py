"""New scans are mapped and evaluated by every wanted model; what fails is given up and blocks nobody."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from difsims_core.errors import ExperimentError, MissingObjectError, PartlyFailedError
from difsims_core.results.evaluate_map import EvaluatedMap
from difsims_core.scans.attempts import read_attempts
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli import scans
from flows.commands import evaluate as evaluating
from flows.evaluate import evaluate
from flows.predict import predict
from flows.watch import watch_experiments
from tests.flows.prefect_records import artifacts_of, latest_run
from tests.flows.quick_watch import (
    MODEL,
    put,
    put_half,
    quick_rounds,
    rows_of_intake,
    states,
    store_of_model,
)
from tests.flows.test_events import events_of
from tests.learn.test_predict import Q
from tests.uploads import crown


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_rounds(monkeypatch)


@pytest.fixture
def place(store: str) -> ObjectStore:
    return store_of_model(store)


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
