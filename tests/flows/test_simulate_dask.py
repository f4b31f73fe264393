"""The simulate flow on a real Dask cluster: the same dataset, through the death of its workers and of its scheduler."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from difsims_core.config.documents import make_spec
from difsims_core.dataset import build
from difsims_core.dataset.verify import verify
from difsims_core.storage.objects import open_store
from flows.execution.executors.dask_cluster import ClusterError
from flows.simulate import simulate
from tests.dask_service import DaskCluster, running_dask
from tests.effort import either
from tests.flows.prefect_records import latest_run, task_runs_of
from tests.services import free_ports

pytestmark = pytest.mark.dask

_ROWS = 1024
_KILLS = either(2, 6)


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with running_dask(tmp_path_factory.mktemp("dask"), workers=2) as running:
        yield running


@pytest.fixture
def cluster(dask_cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> DaskCluster:
    monkeypatch.setenv("DIFSIMS_COMPUTE", "dask")
    monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", dask_cluster.address)
    monkeypatch.setenv("DIFSIMS_BLOCKS_PER_GROUP", "8")
    return dask_cluster


@pytest.fixture
def spec():
    return make_spec({"n_patterns": 60 * _ROWS - 7, "seed": 6, "output": {"x_all": False}})


def _undisturbed(spec, folder: Path) -> str:
    place = open_store(folder)
    plan = build.begin(place, spec, _ROWS)
    build.write_group(place.root, spec, plan.id, range(plan.n_blocks))
    return build.finish(place, plan).content_sha256


def _receipts(plan, store: str) -> dict[str, int]:
    folder = Path(store.removeprefix("file://")) / "simulations" / f"{plan.id}.zarr" / "receipts"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.mark.kill
def test_workers_that_are_killed_at_random_moments_change_nothing(cluster, store, spec, tmp_path):
    """Again and again in one run, between the first block and the last."""
    place = open_store(store)
    plan = build.begin(place, spec, _ROWS)
    seed = random.randrange(2**32)  # noqa: S311
    print("moments drawn with seed", seed)  # noqa: T201 - pytest shows it when the test fails
    chance = random.Random(seed)  # noqa: S311
    moments = sorted(chance.sample(range(1, plan.n_blocks - 4), _KILLS))
    seen: dict[str, int] = {}
    kills: list[int] = []
    over = threading.Event()

    def kill() -> None:
        for moment in moments:
            while len(_receipts(plan, store)) < moment and not over.is_set():
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.05))
            if over.is_set():
                return
            cluster.start_worker()
            cluster.kill_worker(cluster.workers[0])
            found = _receipts(plan, store)
            kills.append(len(found))
            seen.update({name: seen.get(name, when) for name, when in found.items()})

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert simulate(spec, store) == plan.id
    finally:
        over.set()
        killer.join()
    assert len(kills) == _KILLS, f"moments {moments}: the run was over before"
    assert max(kills) < plan.n_blocks
    final = _receipts(plan, store)
    assert len(final) == plan.n_blocks
    assert {name: final[name] for name in seen} == seen, "a finished block was written again"
    assert place.read_record(f"simulations/{plan.id}.zarr/complete.json")["content_sha256"] == _undisturbed(
        spec, tmp_path / "undisturbed"
    )


def test_few_tasks_and_a_dataset_that_verifies(cluster, store, spec):
    cluster.await_workers(2)
    simulation = simulate(spec.model_copy(update={"n_patterns": 20 * _ROWS, "seed": 7}), store)
    place = open_store(store)
    assert verify(place, simulation, resimulate=1).ok
    names = sorted(item.name for item in task_runs_of(latest_run("simulate")))
    assert len(names) <= 64
    assert "blocks 0 to 1" in names


def test_a_scheduler_that_starts_again_is_found_again(cluster, store, spec):
    """The groups in flight fail, wait, connect anew and write what is missing."""
    place = open_store(store)
    few = spec.model_copy(update={"n_patterns": 30 * _ROWS, "seed": 8})
    plan = build.begin(place, few, _ROWS)
    before: dict[str, int] = {}

    def restart() -> None:
        while len(_receipts(plan, store)) < 3:
            time.sleep(0.01)
        cluster.stop_scheduler()
        cluster.stop_workers()
        before.update(_receipts(plan, store))
        cluster.start_scheduler()
        cluster.start_worker()

    restarter = threading.Thread(target=restart)
    restarter.start()
    assert simulate(few, store) == plan.id
    restarter.join()
    assert 3 <= len(before) < plan.n_blocks
    assert before.items() <= _receipts(plan, store).items()
    assert any(item.run_count > 1 for item in task_runs_of(latest_run("simulate")))


def test_without_a_scheduler_the_run_fails_and_says_why(cluster, store, spec, monkeypatch):
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", address)
    monkeypatch.setattr("flows.execution.executors.dask_cluster.CONNECT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match=address):
        simulate(spec, store)
    run = latest_run("simulate")
    assert run.state.is_failed()
    assert address in run.state.message
