"""Checks of the store: a folder, a real S3 server, and stores that break their promises."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from difsims_core.storage.local import LocalFiles
from difsims_core.storage.objects import open_store
from flows.doctor import machine, s3, store
from flows.doctor.checks import DoctorContext
from flows.doctor.examine import all_checks, examine
from tests.services import free_ports

FAMILIES = ("S3", "store")


def look(url: str) -> dict[str, tuple[str, str, str]]:
    """Return what the checks of store and S3 find: name → (status, found, remedy)."""
    wanted = [item for item in all_checks() if item.name.split(":")[0] in FAMILIES]
    return {item.name: (item.status, item.found, item.remedy) for item in examine(DoctorContext(url), wanted)}


def test_a_folder_keeps_all_promises_and_nothing_stays_behind(tmp_path):
    findings = look(str(tmp_path / "store"))
    assert {status for status, _, _ in findings.values()} == {"ok"}
    assert set(findings) == {
        "store", "store: writing", "store: conditional create", "store: conditional replace", "store: latency",
        "store: space",
    }  # fmt: skip
    assert open_store(tmp_path / "store").list() == []


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    findings = look(str(tmp_path / "file" / "store"))
    assert findings["store: writing"][0] == "fail"
    assert str(tmp_path / "file") in findings["store: writing"][1]
    assert "store: conditional create" in findings["others"][1]


def test_conditions_that_are_not_enforced_are_found(tmp_path, monkeypatch):
    def create(self, path, data):
        self.write(path, data)
        return True

    monkeypatch.setattr(LocalFiles, "create", create)
    monkeypatch.setattr(LocalFiles, "replace", lambda self, path, data, _version: create(self, path, data))
    findings = look(str(tmp_path))
    for name in ("store: conditional create", "store: conditional replace"):
        status, found, remedy = findings[name]
        assert status == "fail", name
        assert "16 of 16 racing writers won" in found
        assert "If-" in found
        assert "SeaweedFS" in remedy


@pytest.mark.parametrize(("free", "status"), [(10 * 2**30, "ok"), (2**30, "warn"), (2**20, "fail")])
def test_the_space_that_is_left_decides(free, status, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    answer = store.space(DoctorContext(str(tmp_path / "not" / "there" / "yet")))
    assert answer is not None
    assert answer.status == status
    assert str(tmp_path) in answer.found


@pytest.mark.service
def test_a_real_s3_server_passes(s3_store_url):
    findings = look(s3_store_url)
    assert {name: status for name, (status, _, _) in findings.items() if status != "ok"} == {}
    assert {"S3", "S3: credentials", "S3: clock", "store: signed links"} <= set(findings)
    assert open_store(s3_store_url).list("cache") == []


@pytest.mark.service
def test_wrong_credentials_and_a_missing_bucket_are_told_apart(s3_store_url, s3_service, monkeypatch):
    absent = look("s3://no-such-bucket/x")["store"]
    assert absent[0] == "fail"
    assert "'no-such-bucket' does not exist" in absent[1]
    assert "create it" in absent[2]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-to-be-seen")
    findings = look(s3_store_url)
    assert findings["store"][0] == "fail"
    assert "refuses these credentials" in findings["store"][1]
    assert "AWS_SECRET_ACCESS_KEY" in findings["store"][2]
    assert "never-to-be-seen" not in str(findings)
    assert s3_service.secret_key not in str(findings)


def test_an_unreachable_server_is_found_before_the_store_is_asked(monkeypatch):
    (port,) = free_ports(1)
    for name, value in {"ENDPOINT_URL": f"http://127.0.0.1:{port}", "ACCESS_KEY_ID": "a"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    findings = look("s3://lab/difsims")
    assert findings["S3"][0] == "fail"
    assert "AWS_ENDPOINT_URL" in findings["S3"][2]
    assert findings["S3: credentials"][:2] == ("fail", "AWS_SECRET_ACCESS_KEY is not set, AWS_ACCESS_KEY_ID is")
    assert "store: writing" in findings["others"][1]


class Clock(BaseHTTPRequestHandler):
    """Answers with a time of its own."""

    ahead = 0.0

    def do_HEAD(self):
        self.send_response_only(403)
        self.send_header("Date", formatdate(time.time() + self.ahead, usegmt=True))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def clock() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Clock)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("ahead", "status", "words"),
    [(0, "ok", "agrees"), (-20, "ok", "ahead"), (300, "warn", "behind"), (-3600, "fail", "ahead")],
)
def test_a_wrong_clock_is_measured(ahead, status, words, clock, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", clock)
    monkeypatch.setattr(Clock, "ahead", ahead)
    answer = s3.clock(DoctorContext("s3://lab/difsims"))
    assert answer is not None
    assert answer.status == status
    assert words in answer.found
    for seconds in re.findall(r"\d+", answer.found):
        assert int(seconds) == pytest.approx(abs(ahead), abs=2)
