"""Nothing that lies in a store or on the server names its own decoder: results planted for Prefect are never read."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.filesystems import LocalFileSystem
from prefect.flow_engine import run_flow
from prefect.results import ResultStore
from prefect.settings import (
    PREFECT_DEFAULT_RESULT_STORAGE_BLOCK,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_PERSIST_BY_DEFAULT,
    PREFECT_TASKS_DEFAULT_PERSIST_RESULT,
    temporary_settings,
)
from prefect.states import Scheduled, get_state_exception

from difsims_core.dataset import build
from difsims_core.simulation.simulator import Simulator
from difsims_core.simulation.versions import SIMULATION_VERSION
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.execution.no_persistence import PlantedResultError, flow
from flows.simulate import simulate
from tests.flows.prefect_records import latest_run, task_runs_of

MODULE = "planted_decoder"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that exists when a payload has run, be it unpickled or imported."""
    found = tmp_path / "payload-has-run"
    folder = tmp_path / "importable"
    folder.mkdir()
    source = f"from pathlib import Path\nPath({str(found)!r}).touch()\nfrom json import dumps, loads\n"
    (folder / f"{MODULE}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return found


SERIALIZERS = {
    "pickle": {"type": "pickle"},
    "pickle of another library": {"type": "pickle", "picklelib": MODULE},
    "no name": None,
    "json with a decoder": {"type": "json", "object_decoder": f"{MODULE}.loads"},
    "json of another library": {"type": "json", "jsonlib": MODULE},
    "compressed by another library": {"type": "compressed", "serializer": "json", "compressionlib": MODULE},
}


def planted(serializer: dict[str, Any] | None, key: str, marker: Path) -> tuple[dict[str, Any], str]:
    """Return the metadata and the whole record of a result that runs code when Prefect reads it."""
    metadata: dict[str, Any] = {"storage_key": key, "prefect_version": "3.8.8"}
    if serializer is not None:
        metadata["serializer"] = serializer
    pickled = serializer is None or serializer["type"] == "pickle"
    result = base64.encodebytes(pickle.dumps(Touch(marker))).decode() if pickled else "{}"
    return metadata, json.dumps({"metadata": metadata, "result": result})


@pytest.mark.parametrize("serializer", SERIALIZERS.values(), ids=SERIALIZERS)
def test_a_record_planted_in_the_store_is_not_read(store, tiny, marker, tmp_path, serializer):
    objects, local = open_store(store), tmp_path / "local"
    local.mkdir()
    plan = build.begin(objects, tiny)
    build.write_block(objects, plan, Simulator.prepare(tiny), 0)
    # The key that groups of blocks once had in Prefect's cache.
    named = (objects.root, plan.id, plan.fingerprint, SIMULATION_VERSION, 0, 0)
    key = "blocks-" + hashlib.sha256("\n".join(map(str, named)).encode()).hexdigest()
    _, record = planted(serializer, key, marker)
    objects.write(f"cache/results/{key}", record.encode())
    (local / key).write_text(record)
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: local}):
        assert simulate(tiny, store) == plan.id
    assert not marker.exists()
    assert MODULE not in sys.modules


@pytest.mark.parametrize("serializer", SERIALIZERS.values(), ids=SERIALIZERS)
def test_a_record_planted_on_the_server_is_not_read(marker, tmp_path, serializer):
    """A run that is started again asks the server what became of the runs that it had started."""
    calls: list[str] = []

    @flow("planted-child")
    def child() -> str:
        calls.append("child")
        return "made"

    @flow("planted-parent")
    def parent() -> str:
        return child()

    assert parent() == "made"
    record = tmp_path / "result"
    metadata, text = planted(serializer, str(record), marker)
    record.write_text(text)
    for name in ("planted-child", "planted-parent"):
        _set_state(latest_run(name), {"type": "COMPLETED", "data": metadata})
    run = latest_run("planted-parent")
    _set_state(run, Scheduled().model_dump(mode="json", include={"type", "name", "state_details"}))
    with get_client(sync_client=True) as client:
        assert run_flow(parent, flow_run=client.read_flow_run(run.id)) == "made"
    assert calls == ["child", "child"], "what the server says of an earlier run is not believed"
    assert not marker.exists()
    assert MODULE not in sys.modules


def test_a_run_whose_end_was_planted_is_refused(marker, tmp_path):
    """The server may say that a run has ended while its process starts."""

    @flow("planted-end")
    def ends() -> str:
        return "made"

    ends()
    record = tmp_path / "result"
    metadata, text = planted({"type": "pickle"}, str(record), marker)
    record.write_text(text)
    run = latest_run("planted-end")
    with get_client(sync_client=True) as client:
        _set_state(run, {"type": "COMPLETED", "data": metadata})
        with pytest.raises(PlantedResultError):
            run_flow(ends, flow_run=client.read_flow_run(run.id))
        _set_state(run, {"type": "FAILED", "data": metadata})
        with pytest.raises(PlantedResultError):
            get_state_exception(client.read_flow_run(run.id).state)
    assert not marker.exists()


def _set_state(run: FlowRun, state: dict[str, Any]) -> None:
    with get_client(sync_client=True) as client:
        body = {"state": state, "force": True}
        assert client.request("POST", f"/flow_runs/{run.id}/set_state", json=body).json()["status"] == "ACCEPT"


def test_no_setting_brings_results_back(store, tiny, tmp_path, monkeypatch):
    local = tmp_path / "local"
    block = LocalFileSystem(basepath=str(tmp_path / "block"))
    block.save("results-of-somebody", overwrite=True)
    asked: list[str] = []
    for name in ("_read", "_aread", "_persist_result_record", "_apersist_result_record"):
        monkeypatch.setattr(ResultStore, name, lambda *_, name=name, **__: asked.append(name))
    settings = {
        PREFECT_RESULTS_PERSIST_BY_DEFAULT: True,
        PREFECT_TASKS_DEFAULT_PERSIST_RESULT: True,
        PREFECT_DEFAULT_RESULT_STORAGE_BLOCK: "local-file-system/results-of-somebody",
        PREFECT_LOCAL_STORAGE_PATH: local,
    }
    with temporary_settings(settings):
        simulation = simulate(tiny, store)
        open_store(store).delete(layout.completion(simulation))
        assert simulate(tiny, store) == simulation
    assert not asked
    written = [path for folder in (local, tmp_path / "block") for path in folder.rglob("*")]
    assert not written
    assert not open_store(store).list("cache")
    for run in (latest_run("simulate"), *task_runs_of(latest_run("simulate"))):
        assert run.state is not None
        assert run.state.data is None, run.name
