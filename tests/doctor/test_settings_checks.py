"""Checks of our own variables and of the machine."""

from __future__ import annotations

import os
import tempfile

import pytest

from flows.doctor import machine, settings
from flows.doctor.checks import DoctorContext
from flows.doctor.examine import all_checks, examine


def look(name: str):
    (check,) = [item for item in all_checks() if item.name == name]
    return next(examine(DoctorContext(), [check]), None)


def test_a_setting_that_cannot_be_used_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setenv("DIFSIMS_LINK_DAYS", "30")
    finding = look("settings")
    assert finding.status == "fail"
    assert "DIFSIMS_LINK_DAYS='30'" in finding.found
    assert finding.remedy


def test_an_address_that_cannot_be_one_stops_the_other_questions_about_the_store():
    wanted = [item for item in all_checks() if item.name.split(":")[0] in ("S3", "store") or "store" in item.name]
    findings = list(examine(DoctorContext("ftp://lab/x"), wanted))
    assert [(item.name, item.status) for item in findings] == [("settings: store", "fail"), ("others", "warn")]
    assert "ftp" in findings[0].found


def test_a_slip_of_the_pen_is_found(monkeypatch):
    for name in [name for name in os.environ if name.startswith("DIFSIMS_TESTS")]:
        monkeypatch.delenv(name)  # which tests run
    monkeypatch.setenv("DIFSIMS_ALSO_READ", "/scans")
    assert look("settings: spelling") is None
    monkeypatch.setenv("DIFSIMS_STOER", "/somewhere")
    assert "did you mean 'DIFSIMS_STORE'" in look("settings: spelling").remedy


@pytest.mark.parametrize(
    ("variables", "store", "status"),
    [
        ({}, "folder", "ok"),
        ({"FIGURE_LINKS": "public"}, "folder", "warn"),
        ({"FIGURE_LINKS": "signed"}, "folder", "warn"),
        ({"FIGURE_LINKS": "signed"}, "s3://lab/x", "ok"),
        ({"PUBLIC_URL": "files.lab/x"}, "s3://lab/x", "warn"),
        ({"PUBLIC_URL": "https://files.lab/x"}, "s3://lab/x", "ok"),
    ],
)
def test_ways_to_figures_must_fit_the_store(variables, store, status, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(f"DIFSIMS_{name}", value)
    assert settings.links_to_figures(DoctorContext(store)).status == status


@pytest.mark.parametrize(("free", "status"), [(8 * 2**30, "ok"), (2**30, "warn")])
def test_little_memory_is_a_warning(free, status, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: free)
    answer = machine.memory(DoctorContext())
    assert answer is not None
    assert answer.status == status


def test_a_temporary_folder_must_be_writable(monkeypatch, tmp_path):
    assert machine.temporary_folder(DoctorContext()).status == "ok"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = machine.temporary_folder(DoctorContext())
    assert answer.status == "fail"
    assert "TMPDIR" in answer.remedy
