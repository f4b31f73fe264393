"""What a page of another site can do to a stack's Prefect server, in a real browser; the worst case: without login."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.stack.api import PrefectApi
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import Services, program_environment
from flows.stack.records.folder import StackFolder
from tests.browser.chromium import Page, browsing, chromium_binary
from tests.browser.prefect_site import running_prefect

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.slow]


class Elsewhere(BaseHTTPRequestHandler):
    """A page of another site."""

    timeout = 5

    def do_GET(self):
        body = b"<title>elsewhere</title><body>elsewhere"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    chromium_binary()  # before anything is started for nothing
    place = tmp_path_factory.mktemp("other-sites")
    folder = StackFolder(place / "stack")
    folder.prepare()
    credentials = keep_credentials(folder, auth=False)

    def settings(port: int) -> dict[str, str]:
        services = Services(credentials, prefect_port=port, s3=f"file://{place / 'store'}")
        return program_environment(folder, "other-sites", services)

    with running_prefect(place / "server", settings=settings) as address:
        yield address


@pytest.fixture(scope="module")
def page(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(params=["127.0.0.1", "localhost"])
def elsewhere(page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of another port of this machine, the nearest that another site can come."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)  # browsers open connections in advance
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    page.open(f"http://{request.param}:{server.server_port}/")
    page.await_value("document.title === 'elsewhere'")
    yield page
    server.shutdown()
    thread.join()
    server.server_close()


def flows_of(site: str) -> set[str]:
    return {item["name"] for item in PrefectApi(f"{site}/api", None).all("/flows/filter", {})}


SENT = {
    "as a program would": "headers: {'Content-Type': 'application/json'}, body: JSON.stringify({name: 'theirs'})",
    "without asking first": "mode: 'no-cors', body: JSON.stringify({name: 'theirs'})",
    "as a beacon": "mode: 'no-cors', keepalive: true, body: new Blob([JSON.stringify({name: 'theirs'})])",
}


@pytest.mark.parametrize("how", SENT)
def test_it_changes_nothing(elsewhere, site, how):
    sent = f"fetch('{site}/api/flows/', {{method: 'POST', {SENT[how]}}}).then(a => a.type + a.status, e => 'failed')"
    assert elsewhere.value(sent) in {"failed", "opaque0"}
    assert flows_of(site) == set()


def test_it_reads_nothing_and_gets_no_token(elsewhere, site):
    for path in ("admin/version", "csrf-token?client=theirs", "health"):
        assert elsewhere.value(f"fetch('{site}/api/{path}').then(a => a.text(), e => 'failed')") == "failed", path


@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out"])
def test_it_opens_no_socket(elsewhere, site, path):
    url = f"{site.replace('http', 'ws', 1)}/api/{path}"
    opened = (
        f"new Promise(told => {{ const socket = new WebSocket('{url}', 'prefect');"
        "socket.onopen = () => told('open'); socket.onclose = () => told('closed'); })"
    )
    assert elsewhere.value(opened) == "closed"


def test_it_shows_no_page_of_the_server_in_a_frame(elsewhere, site):
    url = f"{site.replace('127.0.0.1', elsewhere.value('location.hostname'))}/v2/dashboard"
    elsewhere.value(
        f"new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = '{url}';"
        "frame.onload = done; document.body.append(frame); }).then(() => null)"
    )
    shown = elsewhere.ask("Page.getFrameTree")["frameTree"]["childFrames"]
    assert [frame["frame"].get("unreachableUrl", "") for frame in shown] == [url]


def test_a_name_of_its_own_leads_it_nowhere(page, site):
    page.open(site.replace("127.0.0.1", "evil.localhost"))
    page.await_text("asked by a name that is not this server's")


def test_the_servers_own_pages_work_under_both_names(page, site, tmp_path: Path):
    for name in ("127.0.0.1", "localhost"):
        page.open(f"{site.replace('127.0.0.1', name)}/v2/dashboard")
        page.await_text("Runs store the state history")
        page.screenshot(tmp_path / f"{name}.png")
