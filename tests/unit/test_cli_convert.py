"""``difsims convert``: the document on standard output or in a file, what changed its meaning on standard error."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from difsims_core.config.sweep import load_sweep
from flows.cli import app
from tests.old_form.documents import changed

RELROD = "! relrod_parameters.relrod_list: it was the precession angle in degrees"


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(changed({})))
    return path


def test_it_prints_a_document_and_warns_on_standard_error(old, tmp_path):
    result = invoke(old)
    assert result.exit_code == 0, result.output
    assert RELROD in result.stderr
    new = tmp_path / "new.yaml"
    new.write_text(result.stdout, encoding="utf-8")
    assert load_sweep(new).points[0].spec.class_names == ("gratia_2h", "pbi2_2h")


def test_it_writes_a_file_and_prints_its_name_last(old, tmp_path):
    new = tmp_path / "new.yaml"
    result = invoke(old, "-o", new)
    assert result.exit_code == 0
    assert result.stdout == f"{new}\n"
    assert load_sweep(new).points[0].spec.seed == 7


def test_an_existing_file_is_kept_unless_told(old, tmp_path):
    new = tmp_path / "new.yaml"
    new.write_text("mine")
    refused = invoke(old, "-o", new)
    assert refused.exit_code == 2
    assert "exists already; choose another name, or --overwrite" in refused.stderr
    assert new.read_text() == "mine"
    assert invoke(old, "-o", new, "--overwrite").exit_code == 0
    assert new.read_text() != "mine"


def test_the_old_document_is_never_overwritten(old, tmp_path):
    place = tmp_path / "old.yml"
    place.write_text(old.read_text())
    result = invoke(place, "-o", place, "--overwrite")
    assert result.exit_code == 2
    assert "choose another name" in result.stderr
    assert place.read_text() == old.read_text()


def test_json_holds_document_and_warnings(old, tmp_path):
    found = json.loads(invoke(old, "--json").stdout)
    assert found["file"] is None
    assert found["points"] == 1
    assert found["document"]["n_patterns"] == 200
    assert any(item["key"] == "relrod_parameters.relrod_list" for item in found["warnings"])


def test_a_document_that_cannot_be_used_ends_in_one_line(old, tmp_path):
    old.write_text(json.dumps(changed({"noise.add_noise": "often"})))
    new = tmp_path / "new.yaml"
    result = invoke(old, "-o", new)
    assert result.exit_code == 2
    key = "data_augmentation_parameters.noise_addition.add_noise"
    assert result.stderr == f"error: {old}: {key}: expected true, false or 'random', found 'often'\n"
    assert not new.exists()


def test_no_folder_to_write_in(old, tmp_path):
    result = invoke(old, "-o", tmp_path / "nowhere" / "new.yaml")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("error:")]) == 1
