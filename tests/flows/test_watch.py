"""New scans are announced, predicted and recorded; what fails is given up and blocks nobody."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import AutomationCore, EventTrigger
from prefect.events.actions import RunDeployment
from prefect.states import Crashed, Scheduled
from typer.testing import CliRunner

from difsims_core.errors import ExperimentError, MissingObjectError, PartlyFailedError
from difsims_core.scans import intake_steps
from difsims_core.scans.intake import read_entries
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction, write_profiles
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli import scans
from flows.evaluate import evaluate
from flows.execution import tasks
from flows.predict import predict
from flows.watch import watch_experiments
from tests.flows.prefect_records import artifacts_of, latest_run
from tests.flows.test_events import events_of
from tests.learn.test_predict import Q, bundle_of, measured
from tests.uploads import crown

MODEL = bundle_of().id


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds count however close together; two tries; a stand-in network."""
    monkeypatch.setattr(intake_steps, "_ROUND_SECONDS", 0)
    monkeypatch.setenv("DIFSIMS_INTAKE_TRIES", "2")
    monkeypatch.setattr(tasks, "_bundle", lambda _store, _model: bundle_of())


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
    return {entry.name: entry.state for entry in read_entries(place).values()}


def rows_of_intake() -> list[dict[str, Any]]:
    return json.loads(artifacts_of(latest_run("watch-experiments"))["intake"].data)


def test_a_scan_goes_from_the_store_to_its_map_and_broken_ones_are_given_up(place):
    good, short = put(place, "good"), put(place, "short", Q / 2)
    put_half(place, "half")
    assert sorted(watch_experiments(place.root)) == [good, short]
    found = events_of(place.root, 2)
    assert {event["event"] for event in found} == {"difsims.experiment.found"}
    assert sorted(event["resource"]["difsims.url"] for event in found) == [good, short]
    assert {row["experiment"]: row["state"] for row in rows_of_intake()} == {
        "good": "announced", "short": "announced", "half": "arriving",
    }  # fmt: skip
    assert {"good_radial_crop", "short_radial_crop"} <= set(latest_run("watch-experiments").tags)

    with pytest.raises(PartlyFailedError, match=r"1 of 2 scans.*the other 1 are predicted.*short"):
        predict(experiments=[good, short], store=place.root)
    assert states(place) == {"good": "done", "short": "failed", "half": "arriving"}
    assert watch_experiments(place.root) == [short]
    with pytest.raises(ExperimentError, match="short"):
        predict(experiments=[short], store=place.root)
    assert watch_experiments(place.root) == []
    assert states(place) == {"good": "done", "short": "quarantined", "half": "quarantined"}
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


def test_the_whole_store_is_predicted_when_nothing_is_named(place):
    for name in ("a", "b"):
        put(place, name)
    assert [url.rsplit("/", 1)[-1][:2] for url in predict(store=place.root)] == ["a_", "b_"]
    run = latest_run("predict")
    assert run.name == "predict all experiments with champion"
    assert MODEL in run.tags
    assert watch_experiments(place.root) == [], "what was predicted is known"


def test_nothing_to_do_is_no_failure(place):
    assert predict(store=place.root) == []
    assert latest_run("predict").state_name == "Nothing new"
    assert evaluate(store=place.root) == []
    assert latest_run("evaluate").state_name == "Nothing new"
    assert watch_experiments(place.root) == []
    assert latest_run("watch-experiments").state.message == "nothing new; 0 scans are known"


def test_without_a_champion_scans_wait_and_predict_says_what_to_do(store):
    place = open_store(store)
    url = put(place, "early")
    assert watch_experiments(store) == []
    assert [(row["state"], row["reason"]) for row in rows_of_intake()] == [("waiting", "there is no champion yet")]
    with pytest.raises(MissingObjectError, match="no champion yet"):
        predict(store=store)
    crown(place, MODEL)
    assert watch_experiments(store) == [url]


def test_a_run_that_was_killed_is_made_up_for_and_one_that_waits_is_not_repeated(place, monkeypatch):
    monkeypatch.setattr(intake_steps, "_PATIENCE", 1)
    url = put(place, "roi_1")
    assert watch_experiments(place.root) == [url]
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(predict, parameters={"experiments": [url]}, state=Scheduled())
    assert [watch_experiments(place.root) for _ in range(2)] == [[], []]
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(), force=True)
    assert watch_experiments(place.root) == [url]


def test_an_announced_scan_starts_a_deployment_with_its_url(place):
    """Names are other people's: quotes and braces must reach the parameter as they are."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(predict)
        deployment = client.create_deployment(flow_id, f"from-{Path(place.root).parent.name}")
        trigger = EventTrigger(
            expect={"difsims.experiment.found"}, match={"difsims.store": place.root}, posture="Reactive", threshold=1
        )  # pyright: ignore[reportCallIssue]
        action = RunDeployment(
            deployment_id=deployment, parameters={"experiments": ["{{ event.resource['difsims.url'] }}"]}
        )
        client.create_automation(AutomationCore(name="predict what is found", trigger=trigger, actions=[action]))
    urls = [put(place, name) for name in ('it\'s "Ω" {{ 1 }}', "plain")]
    assert sorted(watch_experiments(place.root)) == sorted(urls)
    assert sorted(started(deployment, len(urls))) == sorted([url] for url in urls)


def started(deployment: UUID, count: int) -> list[list[str]]:
    """Return the experiments of the runs of a deployment, as soon as there are so many."""
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
    deadline = time.monotonic() + 60
    while True:
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=20)
        if len(runs) >= count or time.monotonic() > deadline:
            return [run.parameters["experiments"] for run in runs]
        time.sleep(0.3)


@pytest.mark.service
def test_a_half_uploaded_object_of_s3_is_left_until_it_is_whole(s3_store_url):
    place = open_store(s3_store_url)
    crown(place, MODEL)
    half = put_half(place, "growing")
    good = put(place, "good")
    assert watch_experiments(place.root) == [good]
    assert states(place) == {"good": "announced", "growing": "arriving"}
    put(place, "growing")
    assert watch_experiments(place.root) == [half]
    assert len(predict(store=place.root)) == 2
    assert states(place) == {"good": "done", "growing": "done"}


def test_a_quarantined_scan_is_listed_and_released_on_the_command_line(place):
    import typer

    app = typer.Typer()
    app.callback()(lambda: None)
    scans.register(app)

    def difsims(*arguments: str):
        return CliRunner().invoke(app, ["intake", *arguments, "--store", place.root])

    put_half(place, "half")
    for _ in range(3):
        watch_experiments(place.root)
    assert states(place) == {"half": "quarantined"}
    assert all(text in difsims().stdout for text in ("half", "quarantined", "expected"))
    refused = difsims("--release", "helf")
    assert refused.exit_code != 0
    assert "quarantined experiment (half)" in str(refused.exception)
    assert "released half" in difsims("--release", "half").stdout
    assert json.loads(difsims("--json").stdout) == {"released": [], "scans": []}
    assert watch_experiments(place.root) == []
    assert states(place) == {"half": "arriving"}
