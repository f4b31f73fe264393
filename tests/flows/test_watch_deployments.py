"""Rounds of the watch that start runs of deployments: which, how many, and what is made up for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed

from difsims_core.errors import InputError
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.listing import scan_key
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from flows.evaluate import evaluate
from flows.predict import predict
from flows.preprocess import preprocess
from flows.watch import scans_at_work, watch_experiments
from tests.flows.quick_watch import (
    MODEL,
    put,
    quick_rounds,
    store_of_model,
)
from tests.uploads import SECOND


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_rounds(monkeypatch)


@pytest.fixture
def place(store: str) -> ObjectStore:
    return store_of_model(store)


@pytest.fixture
def deployed(place: ObjectStore) -> str:
    """Deployments that nobody runs: what is started waits."""
    name = f"of-{Path(place.root).parent.name}"
    with get_client(sync_client=True) as client:
        for one in (preprocess, predict, evaluate):
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


def test_a_raw_scan_starts_a_deployment_with_its_document_and_holds_up_no_prediction(place, deployed, monkeypatch):
    monkeypatch.setenv("DIFSIMS_INTAKE_QUIET_SECONDS", "0")
    monkeypatch.setenv("DIFSIMS_INTAKE_RUNS", "1")
    for name in ('it\'s "Ω" {{ 1 }} [a].mib', "second.mib"):
        place.write(f"{layout.RAW_SCANS}/{name}", b"frames")
    place.write(f"{layout.RAW_SCANS}/preprocess.yaml", b"phases: [pb]")
    first, _ = sorted(place.url(key) for key in place.list(layout.RAW_SCANS) if key.endswith(".mib"))
    mapped = put(place, "roi_1")
    assert watch_experiments(place.root, deployed) == [first, mapped], "as many runs of preprocess as of the others"
    assert watch_experiments(place.root, deployed) == []
    (run,) = runs_of("preprocess", deployed)
    assert place.url(place.key_of(run.parameters["raw"][0])) == first
    assert run.parameters["spec"]["phases"] == ["pb"]
    assert (run.parameters["store"], run.parameters["force"]) == (place.root, False)
    end(run)
    assert len(watch_experiments(place.root, deployed)) == 1


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
    with pytest.raises(InputError, match="'preprocess/nowhere'"):
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
