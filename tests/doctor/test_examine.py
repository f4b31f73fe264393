"""How checks are asked: in order, each within its time, none stopping the others, no secret in what they say."""

from __future__ import annotations

import json
import threading

import pytest
from typer.testing import CliRunner

from difsims_core.errors import StoreError
from difsims_core.messages import without_secrets
from flows.cli.app import app
from flows.doctor import examine as examining
from flows.doctor.checks import Check, CheckResult, DoctorContext, fail, ok, warn
from flows.doctor.examine import all_checks, examine


def check(name, ask, *, seconds=10.0, after=""):
    return Check(name, ask, seconds, after, 0)


def found(*checks):
    return {item.name: item for item in examine(DoctorContext(), checks)}


def test_an_error_is_a_finding_and_stops_nothing():
    def broken(_context):
        raise ZeroDivisionError("by nothing")

    findings = found(check("first", broken), check("second", lambda _context: ok("fine")))
    assert findings["first"].status == "fail"
    assert findings["first"].found == "ZeroDivisionError: by nothing"
    assert findings["second"] == examining.Finding("second", "ok", "fine")


def test_an_error_of_ours_brings_its_own_remedy():
    def refused(_context):
        raise StoreError("s3://lab: the bucket does not exist", "create it, or correct DIFSIMS_STORE")

    finding = found(check("store", refused))["store"]
    assert finding.found == "s3://lab: the bucket does not exist"
    assert finding.remedy == "create it, or correct DIFSIMS_STORE"


def test_a_hanging_check_is_left_alone_after_its_time():
    ended = threading.Event()

    def hanging(_context):
        ended.wait()
        return ok("too late")

    try:
        findings = found(check("slow", hanging, seconds=0.05), check("next", lambda _context: ok("asked")))
    finally:
        ended.set()
    assert findings["slow"].status == "fail"
    assert "no answer within" in findings["slow"].found
    assert findings["next"].status == "ok"


def test_what_needs_a_failed_check_is_not_asked_but_named():
    def never(_context):
        raise AssertionError("asked")

    findings = found(
        check("server", lambda _context: fail("away", "start it")),
        check("worker", never, after="server"),
        check("late runs", never, after="worker"),
    )
    assert list(findings) == ["server", "others"]
    assert findings["others"].found == "skipped: worker, late runs"


def test_what_does_not_apply_is_not_shown_and_holds_up_nothing():
    assert list(found(check("a", lambda _context: None), check("b", lambda _context: ok(""), after="a"))) == ["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the key is s3cr3t-value here", "the key is … here"),
        ("difsims:pass-word is wrong, so is pass-word", "… is wrong, so is …"),
        ("http://user:other@host/api answers", "http://…@host/api answers"),
        ("sqlite:///x?y", "sqlite:///x?y"),
    ],
)
def test_secrets_of_the_environment_are_redacted(text, expected, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-value")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "difsims:pass-word")
    assert without_secrets(text) == expected


def test_every_check_needs_one_that_is_asked_before():
    seen: set[str] = set()
    for item in all_checks():
        assert item.after in seen | {""}, item.name
        assert item.ask.__doc__, item.name
        seen.add(item.name)
    assert {"settings", "store: conditional create", "Prefect: worker", "Dask", "S3: clock"} <= seen


@pytest.fixture
def only(monkeypatch):
    def put(*answers: CheckResult):
        checks = [check(f"check {n}", lambda _context, a=answer: a) for n, answer in enumerate(answers)]
        monkeypatch.setattr(examining, "all_checks", lambda: checks)

    return put


@pytest.mark.parametrize(("answers", "code"), [([ok("a"), warn("b", "c")], 0), ([ok("a"), fail("b", "c")], 1)])
def test_the_exit_code_says_whether_something_fails(answers, code, only):
    only(*answers)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == code
    assert json.loads(result.stdout) == [
        {"name": f"check {n}", "status": item.status, "found": item.found, "remedy": item.remedy}
        for n, item in enumerate(answers)
    ]


def test_the_table_shows_what_to_do(only):
    only(fail("no [server]", "start it"))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "no [server]" in result.stdout
    assert "start it" in result.stdout
    assert result.stdout.splitlines()[-1] == "0 ok, 0 warnings, 1 failure"
