"""Groups of blocks on a real Dask cluster: the same bytes, errors with a remedy, nothing left behind."""

from __future__ import annotations

import platform
import threading
import time
from pathlib import Path

import pytest

from difsims_core.dataset import build
from difsims_core.dataset.remote import block_order, write_remote_block
from difsims_core.dataset.verify import verify
from difsims_core.errors import InputError, MissingObjectError, SpecError, StoreAccessError, StoreError
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage.objects import open_store
from flows.execution import compute
from flows.execution.executors import dask as dask_executor
from flows.execution.executors import dask_cluster as cluster_module
from flows.execution.executors.dask_cluster import ClusterError, ClusterSetupError, cluster
from flows.ui.progress import Stopped
from tests.dask.conftest import use
from tests.dask_service import running_dask
from tests.services import free_ports

pytestmark = pytest.mark.dask

ROWS = 1024


def _begin(store, spec):
    return build.begin(store, spec, ROWS)


def test_the_same_bytes_as_in_this_process(cluster, store, spec, tmp_path, monkeypatch):
    plan = _begin(store, spec)
    build.write_block(store, plan, Simulator.prepare(spec), 1)
    told: list[int] = []
    summary = compute.write_group(store.root, spec, plan, range(plan.n_blocks), told.append)
    assert (summary.written, summary.skipped, summary.n_patterns) == (4, 1, spec.n_patterns - ROWS)
    assert told[0] == ROWS
    assert told == sorted(told)
    assert told[-1] == spec.n_patterns

    monkeypatch.setenv("DIFSIMS_COMPUTE", "threads")
    other = open_store(tmp_path / "other")
    here = _begin(other, spec)
    compute.write_group(other.root, spec, here, range(here.n_blocks))
    assert build.finish(store, plan).content_sha256 == build.finish(other, here).content_sha256
    assert verify(store, plan.id, resimulate=1).ok


def test_groups_share_one_connection_which_is_closed_at_the_end(cluster, store, spec):
    plan = _begin(store, spec)
    clients = []

    def group(number):
        with cluster_module.cluster(cluster.address) as found:
            clients.append(found.client)
            compute.write_group(store.root, spec, plan, range(number, number + 1))

    with compute.reserve_compute(plan) as at_once:
        assert at_once == 64
        threads = [threading.Thread(target=group, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({client.id for client in clients}) == 1
    assert clients[0].status == "closed"
    assert build.finish(store, plan).n_blocks == 5


def test_an_unreachable_scheduler_is_named_with_the_remedy(store, spec, monkeypatch):
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    use(monkeypatch, address)
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1.0)
    plan = _begin(store, spec)
    with (
        pytest.raises(ClusterError, match=rf"{address} .*`dask scheduler`.*DIFSIMS_DASK_ADDRESS"),
        compute.reserve_compute(plan),
    ):
        pytest.fail("there is no cluster to compute on")


@pytest.mark.parametrize("address", ["nonsense://127.0.0.1:1", "tcp://127.0.0.1:port"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ClusterSetupError, match="tcp://host:8786"), cluster(address):
        pytest.fail("there is no cluster")


def test_another_engine_is_refused(store, spec, monkeypatch):
    order = block_order(spec, _begin(store, spec), store.root)
    monkeypatch.setattr("difsims_core.simulation.versions.SIMULATION_VERSION", "older")
    with pytest.raises(InputError, match="kinematical 2, simulation older") as refused:
        write_remote_block(0, **order)
    assert order["made_by"] in str(refused.value)
    assert platform.node() in str(refused.value)


def test_parameters_that_another_version_does_not_know_are_refused(store, spec):
    order = block_order(spec, _begin(store, spec), store.root)
    order["document"] = order["document"].replace('"seed"', '"seedling"')
    with pytest.raises(SpecError, match=rf"{platform.node()}.*'seedling'"):
        write_remote_block(0, **order)


def test_a_worker_without_difsims_is_refused(own_cluster, store, spec, tmp_path):
    preload = tmp_path / "without.py"
    preload.write_text("import sys\nsys.modules['difsims_core'] = None\n")
    own_cluster.start_worker(preload=preload)
    with pytest.raises(ClusterSetupError, match="difsims_core"):
        compute.write_group(store.root, spec, _begin(store, spec), range(2))


def test_a_folder_that_the_worker_does_not_see_is_named(store, spec):
    order = block_order(spec, _begin(store, spec), store.root) | {"store_url": "file:///nowhere/difsims"}
    with pytest.raises(MissingObjectError, match=rf"{platform.node()}.*/nowhere/difsims"):
        write_remote_block(0, **order)


def test_a_block_that_exists_is_no_work(store, spec, monkeypatch):
    plan = _begin(store, spec)
    order, prepare, prepared = block_order(spec, plan, store.root), Simulator.prepare, []
    monkeypatch.setattr(Simulator, "prepare", lambda *given: prepared.append(given) or prepare(*given))
    assert write_remote_block(4, **order)["written"]
    again = write_remote_block(4, **order)
    assert not again["written"]
    assert again["patterns"] == spec.n_patterns - 4 * ROWS
    assert len(prepared) == 1, "tables are built once a process"


def test_a_cluster_without_workers_is_waited_for_but_not_for_ever(own_cluster, store, spec, monkeypatch, caplog):
    monkeypatch.setattr(dask_executor, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(cluster_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(cluster_module, "NO_WORKERS_SECONDS", 0.5)
    caplog.set_level("INFO", "flows")
    plan = _begin(store, spec)
    with pytest.raises(ClusterError, match=f"`dask worker {own_cluster.address}`"):
        compute.write_group(store.root, spec, plan, range(plan.n_blocks))
    assert any(own_cluster.address in record.message for record in caplog.records)


def test_a_block_that_kills_its_workers_is_given_up(tmp_path, monkeypatch):
    once = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with (
        running_dask(tmp_path / "dask", workers=1, scheduler_environment=once) as frail,
        cluster(frail.address) as found,
        pytest.raises(ClusterError, match=rf" 1 .*{frail.address}"),
    ):
        list(dask_executor.map_blocks(found, "tests.dask.functions:die", [0], {"simulation_id": "sim"}, _nothing))


def _nothing():
    pass


def test_a_stop_request_cancels_what_waits(cluster, tmp_path):
    order = {"simulation_id": "sim", "folder": str(tmp_path), "seconds": 1.5}

    def stop():
        if any(tmp_path.iterdir()):
            raise Stopped("stopped")

    with cluster_module.cluster(cluster.address) as found:
        with pytest.raises(Stopped):
            list(dask_executor.map_blocks(found, "tests.dask.functions:touch", range(40), order, stop))
        assert len(list(tmp_path.iterdir())) < 10
        time.sleep(2)
        assert len(list(tmp_path.iterdir())) < 10


@pytest.mark.parametrize(
    ("kind", "error", "others"), [("for a while", StoreError, 6), ("for good", StoreAccessError, 0)]
)
def test_a_failure_that_may_go_away_leaves_the_other_blocks_alone(cluster, tmp_path, kind, error, others):
    order = {"simulation_id": "sim", "folder": str(tmp_path), "kind": kind}
    with cluster_module.cluster(cluster.address) as found, pytest.raises(error, match=kind):
        list(dask_executor.map_blocks(found, "tests.dask.functions:fail", range(7), order, _nothing))
    assert (len(list(tmp_path.iterdir())) == 6) == (kind == "for a while")


def test_a_lost_scheduler_is_an_error_and_what_was_written_is_kept(own_cluster, store, spec, monkeypatch):
    monkeypatch.setattr(dask_executor, "POLL_SECONDS", 0.2)
    own_cluster.start_worker()
    plan = _begin(store, spec)

    def lose_the_scheduler(patterns):
        if patterns:
            own_cluster.stop_scheduler()

    with pytest.raises(ClusterError, match=rf"{own_cluster.address} .*`dask scheduler`"):
        compute.write_group(store.root, spec, plan, range(plan.n_blocks), lose_the_scheduler)
    own_cluster.stop_workers()
    before = _receipts(store, plan)
    assert before
    monkeypatch.setenv("DIFSIMS_COMPUTE", "threads")
    compute.write_group(store.root, spec, plan, range(plan.n_blocks))
    assert before.items() <= _receipts(store, plan).items()
    assert build.finish(store, plan).n_blocks == 5


def _receipts(store, plan) -> dict[str, int]:
    folder = Path(store.root.removeprefix("file://")) / "simulations" / f"{plan.id}.zarr" / "receipts"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
