"""Who may use a stack's Prefect server, and what its worker executes for those who may: attacks on real ones.

One server, with the environment and by the command of `difsims up`, serves all tests; one worker takes the runs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import prefect.settings
import pytest
from prefect.settings import temporary_settings
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from flows.doctor import prefect_access
from flows.doctor.checks import DoctorContext
from flows.execution.job import TEMPLATE
from flows.stack.api import PrefectApi
from flows.stack.deploy import make_pool
from flows.stack.errors import StackError
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import Services, program_environment
from flows.stack.records.folder import StackFolder
from flows.stack.services.programs import POOL, PREFECT_SERVER
from tests.browser.prefect_site import running_prefect
from tests.stack.guarded_site import SECONDS, SHELL, Site, await_end, deploy, kill_once, submit, worker
from tests.stack_service import wait_until

pytestmark = [pytest.mark.service, pytest.mark.slow]

OPEN_TEMPLATE = {
    "variables": {"type": "object", "properties": {"command": {"type": "string"}, "env": {"type": "object"}}},
    "job_configuration": {"command": "{{ command }}", "env": "{{ env }}"},
}
SOCKETS = (
    "events/in",
    "events/out",
    "logs/out",
    "task_runs/subscriptions/scheduled",
    f"work_pools/{POOL}/workers/connect",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("access")
    folder = StackFolder(place / "stack")
    folder.prepare()
    credentials = keep_credentials(folder, auth=None)
    (place / "store").mkdir()

    def services(port: int) -> Services:
        return Services(credentials, prefect_port=port, s3=f"file://{place / 'store'}")

    def environment(port: int) -> dict[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in SHELL.items():
                patch.setenv(name, value)
            return program_environment(folder, "access", services(port))

    with running_prefect(place / "server", PREFECT_SERVER, environment) as address:
        yield Site(address, folder, services(int(address.rpartition(":")[2])))


@pytest.fixture
def pool(site: Site) -> None:
    make_pool(site.api)


def version_asked(site: Site, *, login: bool = True, **headers: str) -> httpx.Response:
    auth = site.login if login else None
    return httpx.get(f"{site.address}/api/admin/version", auth=auth, headers=headers, timeout=30)


def test_a_new_stack_asks_who_somebody_is(site):
    assert version_asked(site).status_code == 200
    assert version_asked(site, login=False).status_code == 401
    stranger = PrefectApi(site.services.api, "difsims:guessed")
    assert "PREFECT_API_AUTH_STRING" in str(stranger.problem())
    with pytest.raises(StackError, match=r"answers 40[13]"):
        stranger.post("/flows/", {"name": "mine"})
    assert httpx.get(f"{site.address}/api/health", timeout=30).status_code == 200


def test_changes_need_a_token_even_of_those_who_may(site):
    url, wanted = f"{site.address}/api/flows/", {"name": "without a token"}
    assert httpx.post(url, json=wanted, auth=site.login, timeout=30).status_code == 403
    api = site.api
    assert api.post("/flows/", wanted)["name"] == wanted["name"]
    api.csrf["Prefect-Csrf-Token"] = "forgotten by the server"
    assert api.post("/flows/", wanted)["name"] == wanted["name"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_pages_of_other_sites_are_refused_with_the_login_too(site, origin, kind):
    client = "of-the-page"
    token = httpx.get(f"{site.address}/api/csrf-token?client={client}", auth=site.login, timeout=30).json()["token"]
    headers = {
        "Origin": origin, "Content-Type": kind, "Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token,
    }  # fmt: skip
    answers = [
        version_asked(site, Origin=origin),
        httpx.post(f"{site.address}/api/flows/", content=b'{"name": "x"}', headers=headers, auth=site.login),
        httpx.options(
            f"{site.address}/api/flows/", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        ),
    ]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert not [answer for answer in answers if "access-control-allow-origin" in answer.headers]


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "a@127.0.0.1", "10.0.0.1:{port}", ""]
)
def test_the_server_has_no_other_names(site, name):
    assert version_asked(site, Host=name.format(port=site.port)).status_code in {400, 403}


def test_who_asks_by_another_name_is_told_so(site):
    api = PrefectApi(f"http://0.0.0.0:{site.port}/api", site.services.login)
    assert api.problem() is not None
    assert PrefectApi(site.services.api, site.services.login).problem() is None


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_pages_may_ask_under_both_names_and_are_shown_in_no_frame(site, name):
    origin = f"http://{name}:{site.port}"
    answer = version_asked(site, Origin=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
    page = httpx.get(f"{site.address}/", headers={"Host": f"{name}:{site.port}"}, follow_redirects=True, timeout=30)
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize("path", SOCKETS)
def test_websockets_of_other_sites_and_without_login_are_refused(site, pool, path):
    own, other = Origin(site.services.pages[0]), Origin("http://evil.example")
    with pytest.raises(InvalidStatus, match="403"), socket_of(site, path, other):
        pass
    with pytest.raises(InvalidStatus, match="403"), socket_of(site, path, None, host="evil.example"):
        pass
    with socket_of(site, path, own) as guessing:
        guessing.send('{"type": "auth", "token": "difsims:guessed"}')
        with pytest.raises(ConnectionClosed, match="1008"):
            guessing.recv(timeout=30)
    with socket_of(site, path, own) as known:
        known.send(f'{{"type": "auth", "token": "{site.services.login}"}}')
        assert "auth_success" in str(known.recv(timeout=30))


def socket_of(site: Site, path: str, origin: Origin | None, host: str = "127.0.0.1") -> Any:
    there = socket.create_connection(("127.0.0.1", site.port), timeout=30)
    url = f"ws://{host}:{site.port}/api/{path}"
    return connect(url, sock=there, subprotocols=[Subprotocol("prefect")], origin=origin)


def test_the_doctor_finds_all_of_it_closed_and_an_open_pool(site, pool):
    checks = (
        prefect_access.login, prefect_access.other_names, prefect_access.other_sites, prefect_access.csrf,
        prefect_access.jobs,
    )  # fmt: skip
    updates: dict[Any, Any] = {
        prefect.settings.PREFECT_API_URL: site.services.api,
        prefect.settings.PREFECT_API_AUTH_STRING: site.services.login,
    }
    with temporary_settings(updates=updates):
        answers = [check(DoctorContext()) for check in checks]
        assert [answer and answer.status for answer in answers] == ["ok"] * 5, answers
        site.api.patch(f"/work_pools/{POOL}", {"base_job_template": OPEN_TEMPLATE})
        opened = prefect_access.jobs(DoctorContext())
    assert opened is not None
    assert opened.status == "warn"
    assert "command, env" in opened.found


def test_the_pool_is_made_closed_and_closed_again(site, pool):
    assert make_pool(site.api) is False
    site.api.patch(f"/work_pools/{POOL}", {"base_job_template": OPEN_TEMPLATE})
    assert make_pool(site.api) is True
    assert site.api.get(f"/work_pools/{POOL}")["base_job_template"] == TEMPLATE


@pytest.mark.parametrize("variables", [{"command": "touch x"}, {"env": {"A": "b"}}, {"working_dir": "/"}, {"hours": 0}])
def test_the_server_refuses_job_variables_of_another_job(site, pool, variables):
    deployment = deploy(site, "watch-experiments", {})
    with pytest.raises(StackError, match="422"):
        submit(site, deployment, variables)
    assert submit(site, deployment, {"hours": 0.5})


def test_the_server_itself_still_starts_runs_for_events(site, pool):
    """Its services ask it from within, by another name and with a login and a token of their own."""
    deployment, event = deploy(site, "watch-experiments", {"paused": False}), f"test.{os.urandom(4).hex()}"
    trigger = {"type": "event", "posture": "Reactive", "expect": [event], "threshold": 1, "within": 0}
    action = {"type": "run-deployment", "source": "selected", "deployment_id": deployment, "parameters": {}}
    site.api.post("/automations/", {"name": event, "trigger": trigger, "actions": [action], "enabled": True})
    resource = {"prefect.resource.id": "test"}

    def started() -> bool:
        moment = datetime.now(UTC).isoformat()
        site.api.post("/events", [{"id": str(uuid4()), "occurred": moment, "event": event, "resource": resource}])
        return bool(site.api.all("/flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}}))

    wait_until(started, SECONDS, lambda: "no run was started for an event")


def test_the_worker_executes_no_command_of_the_server(site, pool, tmp_path):
    """Job variables, template, code to pull, another function, another flow: five ways to a command of one's own."""
    marks, code = tmp_path / "marks", tmp_path / "evil.py"
    marks.mkdir()
    code.write_text(f"from pathlib import Path\nPath({str(marks)!r}, 'entrypoint').touch()\ndef evil(): ...\n")

    def touch(mark: str) -> str:
        return f"touch {marks / mark}"

    pulled = {
        "pull_steps": [{"prefect.deployments.steps.run_shell_script": {"script": touch("pull")}}],
        "entrypoint": f"{code}:evil",
        "path": str(tmp_path),
    }
    runs = {
        "pulled": submit(site, deploy(site, "watch-experiments", pulled), {}),
        "killed": submit(site, deploy(site, "watch-experiments", pulled), {}),
        "other flow": submit(site, deploy(site, "evil", pulled), {}),
    }
    site.api.patch(f"/work_pools/{POOL}", {"base_job_template": OPEN_TEMPLATE})
    plain = deploy(site, "watch-experiments", {})
    runs["command"] = submit(site, plain, {"command": touch("command")})
    runs["environment"] = submit(site, plain, {"env": {"PYTHONSTARTUP": str(code), "PYTHONPATH": str(tmp_path)}})
    by_default = {"command": {"type": "string", "default": touch("template")}}
    template = {"variables": {"properties": by_default}, "job_configuration": {"command": touch("template")}}
    site.api.patch(f"/work_pools/{POOL}", {"base_job_template": template})
    runs["template"] = submit(site, plain, {})
    with worker(site) as log:
        kill_once(runs["killed"])
        ended = {name: await_end(site, run, log) for name, run in runs.items()}
        story = log.read_text(errors="replace")
    assert [path.name for path in marks.iterdir()] == [], story
    assert {name: state["type"] for name, state in ended.items()} == {
        "pulled": "COMPLETED", "killed": "CRASHED", "other flow": "CRASHED", "command": "CRASHED",
        "environment": "CRASHED", "template": "COMPLETED",
    }, story  # fmt: skip
    assert "'command'" in ended["command"]["message"]
    assert "'env'" in ended["environment"]["message"]
    assert "'evil'" in ended["other flow"]["message"]
