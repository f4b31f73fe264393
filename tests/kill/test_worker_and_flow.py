"""Worker and flow ended by SIGKILL together: nobody is left to report it, and still nothing is lost for good."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from difsims_core.config.documents import make_spec
from difsims_core.dataset import build
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.storage.objects import open_store
from tests.effort import either
from tests.kill.evidence import Finished, assert_same_bytes
from tests.stack_service import RUN_SECONDS, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.service, pytest.mark.slow, pytest.mark.kill]

KILLS = either(1, 4)


def test_the_next_run_goes_on_and_the_lost_ones_are_told(tmp_path, monkeypatch):
    seed = random.randrange(2**32)  # noqa: S311
    print("moments drawn with seed", seed)  # noqa: T201 - pytest shows it when the test fails
    moments = random.Random(seed)  # noqa: S311
    size = either(250_000, 500_000)
    spec = make_spec({"n_patterns": size, "seed": 5, "output": {"x_all": False}, "phases": ["gratia_2h", "pb"]})
    # The pipeline holds no slot of the server: only the place on this machine, which a killed process gives back.
    parameters = {"spec": {"simulation": spec.to_document(), "training": {"epochs": 1, "max_patterns": 2000}}}
    with running_stack(
        tmp_path / "state", environment={"DIFSIMS_BLOCKS_PER_GROUP": "2"}, quick_heartbeat_timeout=True
    ) as stack:
        for name, value in stack.variables.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        store = open_store(stack.store)
        plan = build.begin(store, spec)
        history, lost = [Finished.of(store, plan.id)], []
        for _ in range(KILLS):
            run = stack.submit("pipeline/local", parameters)
            lost.append(run)
            written = len(history[-1])
            wait_until(
                lambda run=run, written=written: (
                    len(Finished.of(store, plan.id)) > written and stack.flow_pids(run) != []
                ),
                RUN_SECONDS,
                lambda run=run: f"nothing was written by {stack.read(run)['state']}\n{stack.logs_of(run)}",
            )
            time.sleep(moments.uniform(0, 0.7))
            victims = [stack.pids["worker"], *stack.flow_pids(run)]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            history.append(Finished.of(store, plan.id))
            assert len(history[-1]) < plan.n_blocks, "it was complete before it could be killed"
            wait_until(
                lambda victims=victims: stack.pids["worker"] not in (0, victims[0]),
                RUN_SECONDS,
                lambda: f"no new worker:\n{stack.story}",
            )
        last = stack.submit("pipeline/local", parameters)
        state = stack.wait(last)["state"]
        assert state["type"] == "COMPLETED", f"{state}\n{stack.logs_of(last)}"
        for run in lost:
            assert stack.wait(run)["state"]["type"] == "CRASHED"
        for earlier in history:
            earlier.assert_kept_in(Finished.of(store, plan.id))
        undisturbed = open_store(tmp_path / "undisturbed")
        assert_same_bytes(store, plan.id, undisturbed, run_simulation(undisturbed, spec).id)
