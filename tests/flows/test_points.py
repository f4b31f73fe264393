"""Points of a sweep as runs of a deployment: bounded in number, started again when they crash, cancelled together."""

from __future__ import annotations

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Crashed, Failed

from difsims_core.config.sweep import make_sweep
from difsims_core.dataset import build
from difsims_core.errors import InputError
from difsims_core.storage.objects import open_store
from flows.execution import sweep_points as flows_points
from flows.execution.point_states import SweepError
from flows.execution.sweep_points import PointRuns, cancel_runs
from flows.simulate import simulate
from flows.sweep import simulate_sweep

pytestmark = pytest.mark.service


@pytest.fixture
def small(tiny):
    return tiny.model_copy(update={"n_patterns": 30})


@pytest.fixture
def submitted(monkeypatch):
    """Make runs of a deployment that nobody carries out; a test sets their states."""
    made = []

    def submit(self, number, fingerprint):
        from flows.sweep import simulate

        with get_client(sync_client=True) as client:
            made.append(client.create_flow_run(simulate, parameters={}, tags=[self._tag]))
        return made[-1]

    monkeypatch.setattr(PointRuns, "submit_run", submit)
    monkeypatch.setattr(flows_points, "check_deployment", lambda _name: None)
    monkeypatch.setattr(flows_points, "POLL_SECONDS", 0.1)
    return made


def test_an_unknown_deployment_is_refused_before_any_work(small, store):
    with pytest.raises(InputError, match=r"'simulate/nowhere'.*`difsims up`"):
        simulate_sweep(small, {"seed": [3]}, store, "simulate/nowhere")


def test_crashed_runs_start_again_and_failed_ones_do_not(submitted, small, store, monkeypatch):
    points = make_sweep(small.to_document(), {"seed": [3, 4]}).points
    seen = []

    def changed(number, state):
        seen.append((number, state.state))
        with get_client(sync_client=True) as client:
            for run in submitted:
                state = client.read_flow_run(run.id).state
                if state is None or not state.is_final():
                    crashes = len(submitted) != 2
                    client.set_flow_run_state(run.id, Crashed() if crashes else Failed(message="no good\nreally"))

    runs = PointRuns(points, store, deployment="a/b", at_once=1, tag="sweep-x", changed=changed)
    states = runs.run()
    assert len(submitted) == 2 + 3, "a failed point once after one crash, one that always crashes three times"
    assert (states[0].state, states[0].reason) == ("failed", "failed, no good")
    assert states[1].told.startswith("failed: crashed")


def test_a_complete_point_needs_no_run(submitted, small, store):
    ids = simulate_sweep(small, {"seed": [3]}, store)
    assert simulate_sweep(small, {"seed": [3]}, store, "a/b") == ids
    assert submitted == []


def test_no_more_runs_than_allowed_and_all_can_be_cancelled(submitted, small, store):
    points = make_sweep(small.to_document(), {"seed": list(range(7))}).points
    most = 0

    def changed(number, state):
        nonlocal most
        with get_client(sync_client=True) as client:
            states = [client.read_flow_run(run.id).state for run in submitted]
            open_runs = [
                run for run, state in zip(submitted, states, strict=True) if state is None or not state.is_final()
            ]
            most = max(most, len(open_runs))
            if len(open_runs) == 3 or len(submitted) == 7:
                for run in open_runs:
                    client.set_flow_run_state(run.id, Failed(message="enough"))

    runs = PointRuns(points, store, deployment="a/b", at_once=3, tag="sweep-y", changed=changed)
    assert {state.told for state in runs.run()} == {"failed: failed, enough"}
    assert most == 3
    assert cancel_runs("sweep-y") == 0
    with get_client(sync_client=True) as client:
        from flows.sweep import simulate

        run = client.create_flow_run(simulate, parameters={}, tags=["sweep-y"])
        assert cancel_runs("sweep-y") == 1
        assert client.read_flow_run(run.id).state.type.value in {"CANCELLING", "CANCELLED"}


def test_an_unfinished_run_is_taken_over_and_one_that_ended_is_followed_by_one_run(small, store, monkeypatch):
    """By a deployment that nobody carries out."""
    with get_client(sync_client=True) as client:
        client.create_deployment(client.create_flow(simulate), "nobody")
        (point,) = make_sweep(small.to_document(), {"seed": [3]}).points
        fingerprint = build.find(open_store(store), point.spec)[0]

        def sweep(tag):
            changed = lambda *_: None  # noqa: E731
            runs = PointRuns([point], store, deployment="simulate/nobody", at_once=1, tag=tag, changed=changed)
            return runs.submit_run(0, fingerprint)

        first = sweep("sweep-1")
        assert first.parameters["spec"]["seed"] == 3
        assert sweep("sweep-2").id == first.id, "it waits: taken over"
        client.set_flow_run_state(first.id, Crashed(), force=True)
        second = sweep("sweep-3")
        client.set_flow_run_state(second.id, Crashed(), force=True)
        client.delete_flow_run(first.id)
        third = sweep("sweep-4")
        assert len({first.id, second.id, third.id}) == 3, "a run that was deleted brings back no dead one"
        ended = client.read_flow_run(second.id)
        monkeypatch.setattr(flows_points, "find_runs", lambda **_: [ended])
        assert sweep("sweep-5").id == third.id, "two sweeps at once that saw the same runs share the next"


def test_failing_points_are_named(submitted, small, store, monkeypatch):
    original = PointRuns.submit_run

    def submit(self, number, fingerprint):
        run = original(self, number, fingerprint)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Failed(message="no disk"))
        return run

    monkeypatch.setattr(PointRuns, "submit_run", submit)
    with pytest.raises(SweepError, match=r"1 of 1 .*\nseed=3: .*no disk"):
        simulate_sweep(small, {"seed": [3]}, store, "a/b")
