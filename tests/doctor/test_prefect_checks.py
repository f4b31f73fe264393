"""Checks of Prefect's side against answers of servers in trouble; a healthy real one is looked at in tests/browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from flows.settings import quieten_prefect

quieten_prefect()

import prefect.settings  # noqa: E402 - Prefect reads its environment when imported
from prefect import __version__  # noqa: E402
from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: E402

from flows.doctor import prefect_access, prefect_client, prefect_server, prefect_work  # noqa: E402
from flows.doctor.checks import CheckResult, DoctorContext  # noqa: E402
from flows.execution.job import TEMPLATE  # noqa: E402
from flows.stack.deploy import Deployments  # noqa: E402

LONG_AGO = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
SCHEDULED = {"id": "d", "name": "retrain", "paused": False, "schedules": [{"active": True, "created": LONG_AGO}]}
AUTOMATION = {
    "name": "crash zombies", "enabled": True, "trigger": {"after": ["prefect.flow-run.heartbeat"], "within": 90},
    "actions": [{"type": "change-flow-run-state", "state": "CRASHED"}],
}  # fmt: skip


class Answers(BaseHTTPRequestHandler):
    """A Prefect API of canned answers: path → value, or a status."""

    canned: ClassVar[dict[str, Any]] = {}

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.canned.get(self.path.removeprefix("/api"), 404)
        body = json.dumps({} if isinstance(found, int) and found >= 400 else found).encode()
        self.send_response(found if isinstance(found, int) and found >= 400 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - named by http.server

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    thread.join()
    server.server_close()


Ask = Callable[..., CheckResult]


@pytest.fixture
def ask(address: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that asks one check a server with these answers."""

    def asked(
        check: Callable[[DoctorContext], CheckResult | None], canned: dict[str, Any], **settings: Any
    ) -> CheckResult:
        monkeypatch.setattr(Answers, "canned", {"/admin/version": __version__} | canned)
        updates = {getattr(prefect.settings, name): value for name, value in settings.items()}
        with temporary_settings(updates={PREFECT_API_URL: address, **updates}):
            answer = check(DoctorContext())
        assert answer is not None
        return answer

    return asked


def test_a_server_that_asks_for_a_login_is_told_from_one_that_is_away(ask):
    assert ask(prefect_server.reachable, {}).status == "ok"
    refused = ask(prefect_server.reachable, {"/admin/version": 401})
    assert refused.status == "fail"
    assert "PREFECT_API_AUTH_STRING" in refused.remedy
    elsewhere = ask(prefect_server.reachable, {"/admin/version": 403})
    assert elsewhere.status == "fail"
    assert "PREFECT_API_URL" in elsewhere.remedy
    strange = ask(prefect_server.reachable, {"/admin/version": 404})
    assert "ends in /api" in strange.remedy


def test_without_an_address_nothing_is_asked():
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert prefect_server.reachable(DoctorContext()).status == "warn"
        assert prefect_work.worker(DoctorContext()) is None
        assert prefect_server.leases(DoctorContext()) is None
        assert prefect_access.login(DoctorContext()) is None
        assert prefect_access.jobs(DoctorContext()) is None


@pytest.mark.parametrize(("server", "status"), [(__version__, "ok"), ("3.8.0", "warn"), ("3.7.1", "fail")])
def test_both_sides_need_the_same_version(server, status, ask):
    answer = ask(prefect_server.same_version, {"/admin/version": server})
    assert answer.status == status
    assert status == "ok" or f"prefect=={server}" in answer.remedy


@pytest.mark.parametrize(
    ("canned", "status", "words"),
    [
        ({}, "warn", "no work pool"),
        ({"/work_pools/difsims": {"is_paused": True}}, "fail", "paused"),
        ({"/work_pools/difsims": {}, "/work_pools/difsims/workers/filter": []}, "fail", "no worker"),
        (
            {"/work_pools/difsims": {}, "/work_pools/difsims/workers/filter": [{"name": "w", "status": "OFFLINE"}]},
            "fail",
            "no worker",
        ),
        (
            {"/work_pools/difsims": {}, "/work_pools/difsims/workers/filter": [{"name": "w", "status": "ONLINE"}]},
            "ok",
            "w is online",
        ),
    ],
)
def test_somebody_must_take_the_runs(canned, status, words, ask):
    answer = ask(prefect_work.worker, canned)
    assert answer.status == status
    assert words in answer.found


def test_missing_deployments_are_named(ask):
    names = Deployments.of(None).names
    flows = [{"id": str(number), "name": name.split("/")[0]} for number, name in enumerate(names)]
    there = [{"flow_id": flow["id"], "name": "local"} for flow in flows]

    def asked(deployments: list[dict[str, str]]) -> CheckResult:
        canned = {"/flows/filter": flows, "/deployments/filter": deployments}
        return ask(prefect_work.deployments, canned)

    assert asked([]).status == "warn"
    assert asked(there[1:]).found == f"missing: {names[0]}"
    assert asked(there).status == "ok"


@pytest.mark.parametrize(("ahead", "status"), [(0, "fail"), (3, "ok")])
def test_a_scheduler_that_plans_nothing_is_dead(ahead, status, ask):
    answer = ask(prefect_work.schedules, {"/deployments/filter": [SCHEDULED], "/flow_runs/count": ahead})
    assert answer.status == status


def test_a_new_or_paused_schedule_is_given_time(ask):
    new = SCHEDULED | {"schedules": [{"active": True, "created": datetime.now(UTC).isoformat()}]}
    for deployment in (new, SCHEDULED | {"paused": True}):
        assert ask(prefect_work.schedules, {"/deployments/filter": [deployment], "/flow_runs/count": 0}).status == "ok"


def test_runs_that_wait_are_counted(ask):
    assert ask(prefect_work.late_runs, {"/flow_runs/count": 0}).status == "ok"
    assert "7 runs" in ask(prefect_work.late_runs, {"/flow_runs/count": 7}).found


@pytest.mark.parametrize(
    ("automations", "heartbeat", "status"),
    [
        ([], 30, "warn"),
        ([AUTOMATION | {"actions": []}], 30, "warn"),
        ([AUTOMATION | {"enabled": False}], 30, "warn"),
        ([AUTOMATION], 30, "ok"),
        ([AUTOMATION], 180, "fail"),
        ([AUTOMATION], None, "fail"),
    ],
)
def test_dead_runs_are_ended_and_living_ones_are_not(automations, heartbeat, status, ask):
    canned = {"/automations/filter": automations}
    assert ask(prefect_work.dead_runs, canned, PREFECT_FLOWS_HEARTBEAT_FREQUENCY=heartbeat).status == status


def test_leases_in_memory_and_services_that_are_off(ask):
    memory = {"concurrency": {"lease_storage": "prefect.server.concurrency.lease_storage.memory"}}
    assert ask(prefect_server.leases, {"/admin/settings": {"server": memory}}).status == "warn"
    files = {"concurrency": {"lease_storage": "prefect.server.concurrency.lease_storage.filesystem"}}
    assert ask(prefect_server.leases, {"/admin/settings": {"server": files}}).status == "ok"
    off = {"server": {"services": {"scheduler": {"enabled": False}, "triggers": {"enabled": True}}}}
    answer = ask(prefect_server.services, {"/admin/settings": off})
    assert answer.status == "fail"
    assert "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED=true" in answer.remedy


def test_a_server_that_asks_nobody_who_he_is(ask):
    answer = ask(prefect_access.login, {})
    assert answer.status == "warn"
    assert "PREFECT_SERVER_API_AUTH_STRING" in answer.remedy
    assert ask(prefect_access.login, {"/admin/version": 401}).status == "ok"
    expected = ask(prefect_access.login, {}, PREFECT_API_AUTH_STRING="difsims:secret")
    assert expected.status == "fail", "somebody who trusts in a login has none, or another server listens there"


@pytest.mark.parametrize("check", [prefect_access.other_names, prefect_access.other_sites])
@pytest.mark.parametrize(("answers", "status"), [(__version__, "warn"), (401, "warn"), (403, "ok"), (421, "ok")])
def test_a_server_that_answers_to_strangers(check, answers, status, ask):
    """Asking for a login is no refusal: the name is good, and a page may know the login."""
    assert ask(check, {"/admin/version": answers, "/admin/settings": {}}).status == status


def test_a_server_whose_settings_let_other_sites_in(ask):
    closed = {"cors_allowed_origins": "http://127.0.0.1:4200", "csrf_protection_enabled": True}

    def canned(**changed: Any) -> dict[str, Any]:
        return {"/admin/version": 403, "/admin/settings": {"server": {"api": closed | changed}}}

    assert ask(prefect_access.other_sites, canned()).status == "ok"
    opened = ask(prefect_access.other_sites, canned(cors_allowed_origins="*"))
    assert opened.status == "warn"
    assert "CORS *" in opened.found
    assert ask(prefect_access.csrf, canned()).status == "ok"
    assert ask(prefect_access.csrf, canned(csrf_protection_enabled=False)).status == "warn"


@pytest.mark.parametrize(
    ("template", "status"),
    [
        (TEMPLATE, "ok"),
        ({}, "warn"),
        (TEMPLATE | {"job_configuration": {"command": "sh -c id"}}, "warn"),
        ({"variables": {"properties": {"command": {}, "hours": {}}}, "job_configuration": {}}, "warn"),
    ],
)
def test_a_pool_whose_runs_choose_their_command(template, status, ask):
    answer = ask(prefect_access.jobs, {"/work_pools/filter": [{"base_job_template": template}]})
    assert answer.status == status
    assert "prefect_worker" in answer.remedy or status == "ok"


def test_pages_that_ask_another_address_stay_empty(ask, address):
    place = address.removesuffix("/api")
    canned = {"/ui-settings": {"api_url": "http://127.0.0.1:1/api"}}
    assert ask(prefect_server.ui, canned).status == "warn"
    assert ask(prefect_server.ui, {"/ui-settings": {"api_url": f"{place}/api"}}).status == "ok"


def test_two_kinds_of_credentials_are_one_too_many():
    updates: dict[Any, Any] = {
        prefect.settings.PREFECT_API_KEY: "never-to-be-seen",
        prefect.settings.PREFECT_API_AUTH_STRING: "me:never-to-be-seen",
    }
    with temporary_settings(updates=updates):
        answer = prefect_client.credentials_of_prefect(DoctorContext())
    assert answer is not None
    assert answer.status == "fail"
    assert "never-to-be-seen" not in str(answer)
