"""What a run may choose of its process, and what a server's own site is, without starting either."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.execution.entrypoints import FlowError, entrypoint_of, read_entrypoints
from flows.execution.job import HOURS, TEMPLATE
from flows.stack.services.prefect_worker import JobError, command_of
from flows.stack.services.same_origin import SameOriginMiddleware, origins

LIMITED = [sys.executable, "-m", "flows.execution.time_limit", "--hours"]


@pytest.mark.parametrize(("values", "hours"), [({}, f"{HOURS}"), ({"hours": 0.5}, "0.5"), ({"hours": 336}, "336")])
def test_the_command_is_the_workers_own(values, hours, tmp_path):
    assert shlex.split(command_of(values)) == [*LIMITED, hours]
    other = tmp_path / "other flows.yaml"
    assert shlex.split(command_of(values, other)) == [*LIMITED, hours, "--deployments", str(other)]


@pytest.mark.parametrize(
    "values",
    [
        {"command": "sh -c id"}, {"env": {"LD_PRELOAD": "x.so"}}, {"env.LD_PRELOAD": "x"}, {"working_dir": "/"},
        {"stream_output": False}, {"hours": 1, "name": "x"}, {"hours": "1; id"}, {"hours": "1"}, {"hours": True},
        {"hours": None}, {"hours": 0}, {"hours": -1}, {"hours": float("nan")}, {"hours": float("inf")}, {"hours": 1e9},
        {"hours": [1]}, {"hours": 10**400},
    ],
)  # fmt: skip
def test_job_variables_of_another_job_are_refused(values):
    with pytest.raises(JobError, match="hours"):
        command_of(values)


def test_the_pools_template_leaves_a_time_limit_open():
    assert list(TEMPLATE["variables"]["properties"]) == ["hours"]
    assert TEMPLATE["variables"]["additionalProperties"] is False
    (command,) = TEMPLATE["job_configuration"].values()
    assert command.startswith("python -m flows.execution.time_limit ")


def test_what_a_flow_executes_is_known_here(tmp_path):
    known = read_entrypoints()
    assert entrypoint_of("simulate", known) == "flows.simulate.simulate"
    with pytest.raises(FlowError, match="'simulate'"):
        entrypoint_of("simulatte", known)
    other = tmp_path / "other.yaml"
    other.write_text("deployments: [{name: local, flow_name: mine, entrypoint: mine.flow}]\n")
    assert read_entrypoints(other) == {"mine": "mine.flow"}


def test_origins_are_read_from_addresses_and_lists():
    assert origins("https://lab.example/api", "http://a:1, http://b:2", None) == {
        "https://lab.example", "http://a:1", "http://b:2",
    }  # fmt: skip
    assert origins("*", "") == frozenset()


async def _nobody(_scope, _receive, _send):
    raise AssertionError("not to be asked")


@pytest.mark.parametrize(
    ("host", "origin", "refused"),
    [
        ("localhost:4200", None, False),
        ("LOCALHOST:4200", None, False),
        ("[::1]:4200", None, False),
        ("lab.example", None, False),
        ("lab.example", "https://lab.example", False),
        ("localhost:9000", "http://localhost:9000", False),  # through a tunnel
        ("lab.example", "https://lab.example.evil.example", True),
        ("lab.example", "https://user@lab.example", True),
        ("localhost:4200", "http://localhost:8888", True),
        ("localhost:4200", "null", True),
        ("localhost:4200", "", True),
        ("localhost.evil.example", None, True),
        ("evil.example:4200", "http://evil.example:4200", True),
        ("127.0.0.1@evil.example", None, True),
        ("127.0.0.1/evil.example", None, True),
        ("[::1", None, True),
        ("", None, True),
        (None, None, True),
    ],
)
def test_only_own_names_and_own_pages(host, origin, refused):
    site = SameOriginMiddleware(_nobody, origins("https://lab.example/api"))
    headers = [(b"host", host.encode())] if host is not None else []
    headers += [(b"origin", origin.encode())] if origin is not None else []
    assert (site.refusal(headers) is not None) is refused


def test_two_names_are_none():
    site = SameOriginMiddleware(_nobody, ())
    assert site.refusal([(b"host", b"localhost"), (b"host", b"evil.example")])


def test_the_template_for_kubernetes_leaves_size_and_time_open():
    path = Path(__file__).resolve().parents[2] / "deployments" / "kubernetes" / "worker-job-template.yaml"
    template = YAML(typ="safe", pure=True).load(path)
    names = set(re.findall(r"\{\{ *([\w.]+) *\}\}", str(template["job_configuration"])))
    assert names == set(template["variables"]["properties"]) == {"hours", "cpu", "memory_gib"}
    assert template["variables"]["additionalProperties"] is False
    assert {value["type"] for value in template["variables"]["properties"].values()} <= {"number", "integer"}
    assert template["job_configuration"]["command"] == TEMPLATE["job_configuration"]["command"]
