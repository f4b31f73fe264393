"""What people see of a run in Prefect's UI, in a real browser: its summary, its maps, its scores, its log.

One server, which asks for a login and protects changes as that of a stack does, one browser and two small pipelines
serve all tests: one into a folder, whose figures lie within the artifacts, and one into a real S3 store, whose figures
are signed links.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.doctor.checks import DoctorContext
from flows.doctor.examine import all_checks, examine
from flows.settings import quieten_prefect
from flows.stack.api import PrefectApi
from tests.browser.chromium import Page, browsing, chromium_binary
from tests.browser.prefect_site import running_prefect
from tests.services import S3Service

quieten_prefect()
pytestmark = [pytest.mark.browser, pytest.mark.service]

ROOT = Path(__file__).resolve().parents[2]
MAPS = ("roi_1_radial_crop", "roi_2_radial_crop")
LOGIN = f"difsims:{secrets.token_urlsafe(12)}"
FOLDER, S3 = 0, 1  # the order in which the pipelines run
IMAGE = "Array.from(document.images).find(image => image.src.includes('phase-map') && image.naturalWidth > 0)"


@dataclass(frozen=True)
class Run:
    """A pipeline run: where its pages are and what it returned."""

    site: str
    id: str
    artifacts: dict[str, str]
    outcome: dict[str, Any]

    def page_of(self, key: str, ui: str = "/v2") -> str:
        return f"{self.site}{ui}/artifacts/artifact/{self.artifacts[key]}"

    def tab(self, name: str) -> str:
        return f"{self.site}/v2/runs/flow-run/{self.id}?tab={name}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    chromium_binary()  # before anything is started for nothing
    settings = {"PREFECT_SERVER_API_AUTH_STRING": LOGIN, "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true"}
    with running_prefect(tmp_path_factory.mktemp("prefect"), settings=lambda _port: settings) as address:
        yield address


@pytest.fixture(scope="module")
def page(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("chromium")) as tab:
        sign_in(tab, site)
        yield tab


def sign_in(page: Page, site: str) -> None:
    """Type user and password, as one text, into the form that the pages show to strangers."""
    page.open(f"{site}/v2/dashboard")
    page.await_value("document.querySelector('input').focus() === undefined")
    page.ask("Input.insertText", text=LOGIN)
    page.await_value("document.querySelector('button[type=submit]').click() === undefined")
    page.await_value("localStorage.getItem('prefect-password') !== null && !location.pathname.includes('login')")


def api_of(site: str) -> PrefectApi:
    return PrefectApi(f"{site}/api", LOGIN)


@pytest.fixture(scope="module")
def runs(site: str, s3_service: S3Service, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    home = tmp_path_factory.mktemp("client")
    stores = [f"file://{home / 'store'}", f"s3://{s3_service.bucket}/{os.urandom(4).hex()}"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DIFSIMS_"))},
        **s3_service.environment,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"{site}/api",
        "PREFECT_API_AUTH_STRING": LOGIN,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.browser.two_pipelines", *stores]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert s3_service.secret_key not in done.stdout + done.stderr
    return [_run(site, outcome) for outcome in json.loads(done.stdout.splitlines()[-1])]


def _run(site: str, outcome: dict[str, Any]) -> Run:
    tagged = {"flow_runs": {"tags": {"all_": [outcome["model"]]}}, "flows": {"name": {"any_": ["pipeline"]}}}
    (run,) = api_of(site).all("/flow_runs/filter", tagged)
    found = api_of(site).all("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    return Run(site, run["id"], {item["key"]: item["id"] for item in found}, outcome)


@pytest.mark.parametrize("ui", ["/v2", ""])
@pytest.mark.parametrize(("which", "scheme"), [(FOLDER, "data:image/webp"), (S3, "http://127.0.0.1")])
def test_the_phase_map_is_really_loaded(which, scheme, ui, runs, page, tmp_path):
    page.open(runs[which].page_of("roi-1-radial-crop-phase-map", ui))
    width, height, source = page.await_value(f"({IMAGE}) && [{IMAGE}.naturalWidth, {IMAGE}.naturalHeight, {IMAGE}.src]")
    page.screenshot(tmp_path / "phase_map.png")
    assert source.startswith(scheme)
    assert width > height > 150
    if which == S3:
        assert width > 1000, "the figure itself, not a thumbnail"
    assert "Phases and confidence of roi_1_radial_crop" in page.text()
    assert "roi_1_radial_crop-phase-map.png" in page.text()


@pytest.mark.parametrize("which", [FOLDER, S3])
def test_the_evaluation_table_names_the_maps(which, runs, page, tmp_path):
    page.open(runs[which].page_of("evaluation"))
    cells = page.await_value("Array.from(document.querySelectorAll('td')).map(cell => cell.innerText.trim())")
    page.screenshot(tmp_path / "evaluation.png")
    headings = page.value("Array.from(document.querySelectorAll('th')).map(cell => cell.innerText.trim())")
    rows = [dict(zip(headings, cells[i : i + len(headings)], strict=True)) for i in range(0, len(cells), len(headings))]
    assert [row["map"] for row in rows] == list(MAPS)
    for row, scores in zip(rows, runs[which].outcome["scores"], strict=True):
        assert float(row["accuracy"]) == pytest.approx(scores["accuracy"], rel=1e-3)


@pytest.mark.parametrize("which", [FOLDER, S3])
def test_the_page_of_the_run_leads_to_all_of_it(which, runs, page, tmp_path):
    page.open(runs[which].tab("Artifacts"))
    page.await_text("roi-2-radial-crop-phase-map")
    page.screenshot(tmp_path / "run.png")
    for key in (
        "summary",
        "progress",
        "evaluation",
        "roi-1-radial-crop-phase-map",
        "roi-2-radial-crop-phase-map",
        "report",
    ):
        assert page.value(f"document.querySelector('a[href$=\"/artifacts/key/{key}\"]') !== null"), key


def test_clicks_lead_from_the_run_to_its_map(runs, page, tmp_path):
    page.open(runs[S3].tab("Artifacts"))
    for place in (
        "/artifacts/key/roi-1-radial-crop-phase-map",
        f"/artifacts/artifact/{runs[S3].artifacts['roi-1-radial-crop-phase-map']}",
    ):
        page.await_value(f"document.querySelector('a[href*=\"{place}\"]').click() === undefined")
    page.await_value(f"({IMAGE}) !== undefined")
    page.screenshot(tmp_path / "clicked.png")


def test_the_summary_answers_what_people_ask(runs, page, tmp_path):
    run = runs[S3]
    page.open(run.page_of("summary"))
    page.await_text("Where:")
    page.screenshot(tmp_path / "summary.png")
    text = page.text()
    for expected in ("What ran:", "On what:", "How far: complete", "How good: right on", "roi_1"):
        assert expected in text
    for made in (run.outcome["simulation"], run.outcome["model"], *run.outcome["predictions"], run.outcome["report"]):
        assert made in text.replace("\n", "")
    assert page.value("Array.from(document.links).some(link => link.innerText === 'open the report')")


def test_the_report_in_the_store_opens_as_a_page(runs, page, tmp_path):
    page.open(runs[S3].page_of("report"))
    link = page.await_value("(Array.from(document.links).find(link => link.innerText.startsWith('open')) || {}).href")
    page.open(link)
    page.await_value("document.title === 'Maps in s3' && document.images.length > 3")
    page.screenshot(tmp_path / "report.png")
    assert page.value("Array.from(document.images).every(image => image.naturalWidth > 0)")
    assert runs[S3].outcome["model"] in page.text()


def test_progress_and_log_tell_the_story_in_ten_lines(runs, page, tmp_path):
    page.open(runs[FOLDER].page_of("progress"))
    page.await_text("Progress: 100%")
    page.open(runs[FOLDER].tab("Logs"))
    page.await_text("5 of 5")
    page.screenshot(tmp_path / "log.png")
    logged = {"logs": {"flow_run_id": {"any_": [runs[FOLDER].id]}}, "sort": "TIMESTAMP_ASC"}
    lines = [item["message"] for item in api_of(runs[FOLDER].site).all("/logs/filter", logged)]
    assert 5 <= len(lines) <= 10, lines
    for number, word in enumerate(("dataset", "model", "phase maps", "scores", "report"), start=1):
        assert any(line.startswith(f"{number} of 5") and word in line for line in lines), word


def test_the_doctor_finds_a_bare_server_well_and_without_workers(site):
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    updates: dict[Any, Any] = {PREFECT_API_URL: f"{site}/api", PREFECT_API_AUTH_STRING: LOGIN}
    with temporary_settings(updates=updates):
        wanted = [check for check in all_checks() if check.name.split(":")[0] == "Prefect"]
        found = {item.name.removeprefix("Prefect: "): item.status for item in examine(DoctorContext(), wanted)}
    assert {name for name, status in found.items() if status == "warn"} >= {"deployments", "worker", "dead runs"}
    assert [found[name] for name in ("Prefect", "version", "clock", "UI", "services", "schedules")] == ["ok"] * 6
    assert [found[name] for name in ("login", "CSRF", "other names")] == ["ok"] * 3
    assert found["other sites"] == "warn", "this server leaves CORS as Prefect has it"
    assert "fail" not in found.values()
