"""What the server says of a run may name a decoder: neither the worker nor the run's own process imports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import prefect
import pytest

MODULE = "planted_decoder"
PARSED = """\
from prefect.client.schemas.objects import FlowRun
FlowRun.model_validate_json({run!r})
"""
WORKER = f"""\
from flows.stack.services.prefect_worker import execute_our_flows_alone
execute_our_flows_alone()
{PARSED}"""


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Return the file that exists when the module that a state names has been imported."""
    found = tmp_path / "payload-has-run"
    (tmp_path / f"{MODULE}.py").write_text(f"from pathlib import Path\nPath({str(found)!r}).touch()\n")
    return found


@pytest.fixture
def run() -> dict[str, Any]:
    """A flow run as the server tells it, whose state holds a result with a decoder of the planter's."""
    data = {"storage_key": "x", "serializer": {"type": "pickle", "picklelib": MODULE}, "prefect_version": "3.8.8"}
    return {
        "id": str(uuid4()),
        "flow_id": str(uuid4()),
        "name": "planted",
        "state": {"type": "PENDING", "name": "Pending", "data": data},
    }


@pytest.fixture
def server(run: dict[str, Any]) -> Iterator[str]:
    """The address of a server that has this run, of a flow that is none of ours."""
    flow = {"id": run["flow_id"], "name": "of somebody else", "labels": {}}

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {"flow_runs": run, "flows": flow, "admin": prefect.__version__}
            text = json.dumps(next(value for name, value in answers.items() if f"/{name}/" in self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the interface
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/api"
        listening.shutdown()


def python(place: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    found = os.pathsep.join([str(place), *sys.path])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PYTHONPATH": found, "PREFECT_HOME": str(place / "prefect"), **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_the_worker_imports_nothing_that_a_state_names(marker, run, tmp_path):
    text = json.dumps(run)
    plain = python(tmp_path, "-c", PARSED.format(run=text))
    assert marker.exists(), f"Prefect does not import it by itself any more: {plain.stderr}"
    marker.unlink()
    ours = python(tmp_path, "-c", WORKER.format(run=text))
    assert ours.returncode == 0, ours.stderr
    assert not marker.exists()


def test_the_process_of_a_run_imports_nothing_that_its_state_names(marker, run, server, tmp_path):
    variables = {"PREFECT_API_URL": server, "PREFECT__FLOW_RUN_ID": run["id"]}
    done = python(tmp_path, "-m", "flows.execution.time_limit", "--hours", "1", **variables)
    assert "'of somebody else'" in done.stderr
    assert done.returncode == 1
    assert not marker.exists()
