"""`difsims up` from its first start to its second, with real services; the tests of this file follow each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import psutil
import pytest

from difsims_core.dataset.open import open_simulation
from difsims_core.models.registry import read_registry
from difsims_core.resources import samples_folder
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.stack.records.credentials import keep_credentials
from flows.stack.services.processes import stack_processes
from tests.production.prefect_service import difsims
from tests.stack_service import RUN_SECONDS, RunningStack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.service, pytest.mark.slow]

TINY = {"n_patterns": 600, "seed": 3, "output": {"x_all": False}}
TRAINING = {"epochs": 2}
RAW = {"reading": {"calibration_per_angstrom": 0.05}, "geometry": {"ellipse": [0, 0]}}
SCAN = layout.experiment_profiles("roi_2")
LONG = {"n_patterns": 30_000_000, "seed": 8, "output": {"x_all": False}}
FLOWS = {
    "simulate", "simulate-sweep", "train", "preprocess", "predict", "evaluate", "export", "pipeline", "retrain",
    "watch-experiments",
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("stack") / "state"
    with running_stack(folder, quick_heartbeat_timeout=True) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.variables.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def silent(stack: RunningStack) -> str:
    """A run of somebody's own machine that gives a single sign of life."""
    flow = stack.api.get("/flows/name/simulate")["id"]
    run = stack.api.post("/flow_runs/", {"flow_id": flow, "state": {"type": "RUNNING", "name": "Running"}})["id"]
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [
            {
                "prefect.resource.id": f"prefect.flow.{flow}",
                "prefect.resource.role": "flow",
                "prefect.resource.name": "simulate",
            }
        ],
    }
    stack.api.post("/events", [event])
    return run


@pytest.fixture(scope="module")
def first(stack: RunningStack, silent: str) -> dict[str, dict[str, Any]]:
    """One run of each flow, as the API tells them; what the scan lacks is started by rounds of the watch."""
    place = open_store(stack.store)
    place.upload(samples_folder() / "roi_2_radial_crop.npz", SCAN)
    runs = {"simulate": stack.wait(stack.submit("simulate/local", {"spec": TINY}))}
    dataset = tagged(runs["simulate"], "sim-")
    sweep = stack.submit("simulate-sweep/local", {"spec": TINY, "axes": {"seed": [3, 4]}})
    runs["train"] = stack.wait(stack.submit("train/local", {"simulations": [dataset], "spec": TRAINING}))
    export = stack.submit("export/local", {"simulation": dataset})
    pipeline = stack.submit("pipeline/local", {"spec": {"simulation": TINY, "training": TRAINING}})
    counts = np.random.default_rng(1).poisson(3.0, (2, 3, 64, 64)).astype(np.uint16)
    counts[:, :, 30:35, 31:36] += 1000  # the direct beam
    np.save(stack.folder.scratch / "raw.npy", counts)
    raw = {
        "raw": [str(stack.folder.scratch / "raw.npy")],
        "spec": RAW,
        "store": str(stack.folder.scratch / "elsewhere"),
    }
    preprocess = stack.submit("preprocess/local", raw)
    model = tagged(runs["train"], "cnn-")
    scores = layout.evaluation(model, "roi_2_radial_crop")
    wait_until(lambda: place.exists(scores), RUN_SECONDS, lambda: told(stack))
    runs["predict"] = stack.wait(next(run["id"] for run in stack.runs_of("predict") if run["deployment_id"]))
    runs["watch-experiments"] = next(ended(stack, "watch-experiments"))
    promoted = difsims("promote", model, "--why", "test", settings=stack.variables)
    assert promoted.returncode == 0, promoted.stderr
    assert promoted.stdout == f"{model}\n"
    retrain = stack.submit("retrain/local", {"spec": {"datasets": [dataset], "training": TRAINING}})
    runs["retrain"] = stack.wait(retrain)
    place.delete(scores)  # lost, as from a store that came back without them
    wait_until(lambda: place.exists(scores), RUN_SECONDS, lambda: told(stack))
    wait_until(lambda: any(ended(stack, "evaluate")), RUN_SECONDS, lambda: told(stack))
    runs["evaluate"] = next(ended(stack, "evaluate"))
    left = {"preprocess": preprocess, "simulate-sweep": sweep, "export": export, "pipeline": pipeline}
    return runs | {flow: stack.wait(run) for flow, run in left.items()}


def tagged(run: dict[str, Any], start: str) -> str:
    return next(tag for tag in run["tags"] if tag.startswith(start))


def ended(stack: RunningStack, flow: str) -> Iterator[dict[str, Any]]:
    """Runs that had something to do, and have ended."""
    runs = (run for run in stack.runs_of(flow) if run["end_time"] and run["deployment_id"])
    return (run for run in runs if run["state"]["name"] not in {"Nothing new", "Reused", "Cancelled"})


def crash_automations(stack: RunningStack) -> list[dict[str, Any]]:
    return [item for item in stack.api.all("/automations/filter", {}) if item["name"].startswith("crash")]


def told(stack: RunningStack) -> str:
    runs = [run for flow in ("watch-experiments", "predict", "evaluate") for run in stack.runs_of(flow)[:3]]
    return "\n".join(f"{run['name']} {run['state']['name']}: {stack.logs_of(run['id'])}" for run in runs)


def test_it_says_where_everything_is_and_how_to_begin(stack):
    text = stack.out.read_text()
    assert stack.variables["PREFECT_API_URL"].removesuffix("/api") in text
    assert f"source {stack.folder.environment}" in text
    assert "prefect deployment run 'pipeline/local'" in text
    assert str(stack.folder.credentials) in text


def test_the_server_asks_for_the_login(stack):
    url = stack.variables["PREFECT_API_URL"]
    assert httpx.get(f"{url}/admin/version").status_code == httpx.codes.UNAUTHORIZED
    assert stack.api.problem() is None


def test_all_deployments_are_there_with_schedules_limits_and_forms(stack):
    found = {item["name"] + "/" + item["id"]: item for item in stack.api.all("/deployments/filter", {})}
    flows = {stack.api.get(f"/flows/{item['flow_id']}")["name"]: item for item in found.values()}
    assert set(flows) == FLOWS
    assert all(item["description"] and item["version"] and "difsims" in item["tags"] for item in flows.values())
    limits = {name: item["job_variables"] for name, item in flows.items()}
    assert all(set(variables) == {"hours"} for variables in limits.values())
    assert limits["watch-experiments"] == {"hours": 1}
    assert flows["simulate"]["global_concurrency_limit"]["limit"] == 1
    assert flows["simulate"]["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert flows["retrain"]["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    assert flows["watch-experiments"]["schedules"][0]["schedule"]["interval"] == 120
    fields = flows["simulate"]["parameter_openapi_schema"]["definitions"]["SimulationSpec"]["properties"]
    assert fields["n_patterns"]["minimum"] == 1


def test_a_parameter_out_of_range_is_refused_with_its_reason(stack):
    command = [
        sys.executable, "-m", "prefect", "deployment", "run", "simulate/local", "-p", 'spec={"n_patterns": -1}',
    ]  # fmt: skip
    done = subprocess.run(
        command, env=stack.environment, cwd=stack.folder.scratch, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "-1 is less than the minimum of 1" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("flow", sorted(FLOWS))
def test_each_flow_runs_from_its_deployment(stack, first, flow):
    run = first[flow]
    assert run["state"]["type"] == "COMPLETED", stack.logs_of(run["id"])
    assert stack.artifacts_of(run["id"]), "a run leaves something to look at"


def test_what_the_runs_made_lies_in_the_store(stack, first):
    dataset = open_simulation(tagged(first["simulate"], "sim-"), open_store(stack.store))
    assert dataset.n_patterns == TINY["n_patterns"]
    points = {tagged(run, "sim-") for run in stack.runs_of("simulate") if run["deployment_id"]}
    assert len(points) == 2
    assert tagged(first["pipeline"], "cnn-") == tagged(first["train"], "cnn-")


def test_training_alone_ends_with_a_map_and_an_evaluation_of_every_scan(stack, first):
    """No model was promoted, and no scan announced: the next round has compared what is there."""
    model, run = tagged(first["train"], "cnn-"), first["predict"]
    assert run["state"]["type"] == "COMPLETED"
    assert (run["parameters"]["model"], run["parameters"]["evaluate"]) == (model, True)
    assert {"roi_2_radial_crop", model} <= set(run["tags"])
    assert open_store(stack.store).exists(layout.prediction(model, "roi_2_radial_crop"))
    assert first["watch-experiments"]["state"]["type"] == "COMPLETED"


def test_scores_that_are_lost_are_computed_again_by_themselves(stack, first):
    model = tagged(first["train"], "cnn-")
    assert read_registry(open_store(stack.store)).champion.model == model
    assert tagged(first["retrain"], "cnn-") == model
    assert first["evaluate"]["parameters"]["predictions"] == [
        open_store(stack.store).url(layout.prediction(model, "roi_2_radial_crop"))
    ]


def test_a_run_without_heartbeats_becomes_crashed(stack, silent):
    lost = stack.wait(silent)
    assert lost["state"]["type"] == "CRASHED"
    assert "no heartbeat for 75 s" in lost["state"]["message"]


def test_no_secret_is_seen_anywhere(stack, first):
    secrets = keep_credentials(stack.folder, auth=None).secrets
    assert len(secrets) == 3
    allowed = {stack.folder.credentials, stack.folder.environment, stack.folder.reader_environment}
    assert {path.stat().st_mode & 0o777 for path in allowed} == {0o600}
    files = [path for path in stack.folder.root.rglob("*") if path.is_file() and path not in allowed]
    assert any(path.name == "prefect.db" for path in files)
    for path in [*files, stack.out, stack.err]:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], path
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        assert not [secret for secret in secrets if secret in command], process


def test_a_second_up_on_the_same_folder_is_refused(stack):
    command = [sys.executable, "-m", "flows.cli.app", "up", "--folder", str(stack.folder.root)]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(stack.process.pid) in done.stderr
    assert stack.api.problem() is None


def test_a_stack_whose_up_was_killed_is_taken_over(stack, first):
    before, automations = stack.pids, crash_automations(stack)
    stack.process.kill()
    stack.process.wait()
    stack.start()
    assert "this one takes over" in stack.story
    assert stack.pids == before
    assert len(automations) == 2
    assert crash_automations(stack) == automations


@pytest.mark.kill
def test_killed_processes_cost_no_slot(stack, first):
    """The server alone: the run keeps its slot. Worker and run together: it crashes, and the next one gets the slot."""
    holder = stack.submit("simulate/local", {"spec": LONG})
    stack.wait(holder, "RUNNING")
    os.kill(stack.pids["server"], signal.SIGKILL)
    wait_until(lambda: stack.pids["server"] != 0 and stack.api.problem() is None, 120, lambda: stack.story)
    waiting = stack.submit("simulate/local", {"spec": TINY | {"seed": 12}})
    stack.wait(waiting, "AwaitingConcurrencySlot")
    assert stack.read(holder)["state"]["type"] == "RUNNING"
    victims = [stack.pids["worker"], *stack.flow_pids(holder)]
    assert len(victims) >= 2
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    lost = stack.wait(holder)
    assert lost["state"]["type"] == "CRASHED"
    assert "its process is gone" in lost["state"]["message"]
    assert stack.wait(waiting)["state"]["type"] == "COMPLETED"


def test_a_run_that_takes_too_long_is_ended_and_costs_no_slot(stack, first):
    endless = stack.submit("simulate/local", {"spec": LONG}, hours=0.003)
    late = stack.wait(endless)["state"]
    assert (late["type"], late["name"]) == ("FAILED", "TimedOut")
    assert "not done after 0.003 h, its time limit" in late["message"]
    wait_until(lambda: stack.flow_pids(endless) == [], 30, lambda: "its process is still there")
    assert stack.wait(stack.submit("simulate/local", {"spec": TINY}))["state"]["name"] == "Reused"
    assert stack.read(endless)["state"]["name"] == "TimedOut", "its worker has overwritten what was said of it"
    log = (stack.folder.logs / "worker.log").read_text(encoding="utf-8")
    assert "most recent call first" in log, "where its threads stood"


def test_ctrl_c_stops_everything_and_leaves_nothing(stack, first):
    running = stack.submit("simulate/local", {"spec": LONG})
    stack.wait(running, "RUNNING")
    assert len(stack_processes(stack.id)) >= 4
    limits = [item for item in stack.api.all("/v2/concurrency_limits/filter", {}) if "deployment" in item["name"]]
    for limit in limits:  # as if a server had been killed in the middle of giving slots back
        stack.api.patch(f"/v2/concurrency_limits/{limit['id']}", {"limit": 2, "active_slots": 2})
    assert len(limits) == 8
    assert stack.interrupt() == 0, stack.story
    assert stack_processes(stack.id) == []
    assert "interrupted: simulate 30M" in stack.story
    assert "still running" not in stack.story


def test_a_stopped_stack_goes_on_with_its_data_ports_and_credentials_and_without_lost_slots(stack, first):
    variables, identity = stack.variables, stack.id
    stack.start()
    assert stack.variables == variables
    assert stack.id == identity
    assert "slots without a holder are released" in stack.story
    again = stack.wait(stack.submit("simulate/local", {"spec": TINY}))
    assert again["state"]["name"] == "Reused"
    assert tagged(first["simulate"], "sim-") in again["tags"]
    assert stack.interrupt() == 0
