"""SeaweedFS ended by SIGKILL at random moments of a run and started again: nothing is lost, nothing is made twice."""

from __future__ import annotations

import random
import threading
import time

import pytest

from difsims_core.storage.objects import open_store
from flows.simulate import simulate
from tests.effort import either
from tests.faults.datasets import Dataset, assert_same, build_blocks, count_blocks, finished
from tests.flows.prefect_records import latest_run
from tests.services import running_server

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.kill]

KILLS = either(2, 4)


def test_a_killed_store_is_waited_for(spec, undisturbed, tmp_path, monkeypatch):
    seed = random.randrange(2**32)  # noqa: S311
    print("moments drawn with seed", seed)  # noqa: T201 - pytest shows it when the test fails
    moments = random.Random(seed)  # noqa: S311
    with running_server(tmp_path / "weed") as server:
        for name, value in server.service.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DIFSIMS_BLOCKS_PER_GROUP", "2")
        store = open_store("s3://difsims/killed")
        plan = build_blocks(store, spec)
        simulated = count_blocks(monkeypatch, seconds=1.0)
        run = threading.Thread(target=simulate, args=(spec, store.root))
        trials: list[tuple[set[int], int]] = []
        run.start()
        while len(trials) < KILLS:
            time.sleep(moments.uniform(0.0, 0.4))
            trials.append((finished(store, plan), len(simulated)))
            assert run.is_alive(), "the run ended before the store could be killed often enough"
            server.kill()
            server.start()
        run.join(240)
        assert not run.is_alive()
        made = list(simulated)  # by the run; to verify simulates again
        assert latest_run("simulate").state.is_completed()
        assert_same(Dataset(store, plan.id), undisturbed)
    for done, before in trials:
        assert not done & set(made[before:]), (trials, made)
