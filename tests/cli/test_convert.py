"""``difsims convert``: the document on standard output or in a file, what changed its meaning on standard error."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from difsims_core.config.sweep import load_sweep
from difsims_core.errors import CorruptDataError
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.cli.app import app
from tests.config.legacy.documents import changed

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
    assert str(new) in refused.stderr
    assert "--overwrite" in refused.stderr
    assert new.read_text() == "mine"
    assert invoke(old, "-o", new, "--overwrite").exit_code == 0
    assert new.read_text() != "mine"


def test_the_old_document_is_never_overwritten(old, tmp_path):
    place = tmp_path / "old.yml"
    place.write_text(old.read_text())
    result = invoke(place, "-o", place, "--overwrite")
    assert result.exit_code == 2
    assert str(place) in result.stderr
    assert "--overwrite" not in result.stderr, "it was given, and does not help"
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
    assert result.stderr.startswith(f"error: {old}: {key}: ")
    assert "'often'" in result.stderr
    assert not new.exists()


def test_no_folder_to_write_in(old, tmp_path):
    result = invoke(old, "-o", tmp_path / "nowhere" / "new.yaml")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("error:")]) == 1


@pytest.fixture
def converters(monkeypatch):
    """Stand-ins for what converts models, datasets and the other records; they write down what they were given."""
    seen = []

    def model(place, name):
        seen.append((place.root, name))
        if name.endswith("1"):
            raise CorruptDataError(f"{name}: damaged")
        if name.endswith("2"):
            raise ZeroDivisionError("a bug\nof two lines")
        return name.endswith("0")

    def dataset(place, name):
        seen.append((place.root, name))
        return True

    for name, function in (
        ("learn.convert.convert_model", model),
        ("dataset.convert.convert_dataset", dataset),
        (
            "housekeeping.convert.convert_records",
            lambda place: seen.append((place.root, "records")) or ["registry: fine"],
        ),
    ):
        module, _, attribute = f"difsims_core.{name}".rpartition(".")
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{attribute: function}))
    return seen


MODELS = [f"cnn-00000000-0000-4000-8000-00000000000{i}" for i in range(4)]
DATASET = "sim-00000000-0000-4000-8000-000000000000"


def put_store(folder):
    place = open_store(folder)
    for name in MODELS:
        place.write(layout.model_record(name), b"{}")
    place.write(f"{layout.simulation(DATASET)}/zarr.json", b"of a dataset that is whole, or can go on")
    place.write(f"models/{layout.new_model_id()}/weights.npz", b"of a training that was stopped")
    place.write(f"simulations/{layout.new_simulation_id()}.zarr/receipts/0.json", b"of a dataset that was never begun")
    return place


def test_every_item_of_a_store_is_converted_whatever_becomes_of_the_others(converters, tmp_path):
    root = put_store(tmp_path / "store").root
    result = invoke(tmp_path / "store")
    assert result.exit_code == 1
    assert converters == [(root, name) for name in (DATASET, *MODELS, "records")]
    done = [f"converted {DATASET}", f"converted {MODELS[0]}", f"{MODELS[3]}: is in today's form"]
    assert result.stdout.splitlines() == [*done, "registry: fine"]
    assert [line for line in result.stderr.splitlines() if line] == [
        f"error: {MODELS[1]}: {MODELS[1]}: damaged",
        f"error: {MODELS[2]}: unexpected ZeroDivisionError: a bug",
    ]


def test_ids_are_those_of_the_store_that_is_named(converters, tmp_path):
    root = put_store(tmp_path / "store").root
    result = invoke(MODELS[0], DATASET, "--store", tmp_path / "store", "--json")
    assert result.exit_code == 0, result.output
    assert converters == [(root, MODELS[0]), (root, DATASET)]
    found = json.loads(result.stdout)
    assert (len(found["converted"]), found["failed"]) == (2, {})


def test_a_document_stands_alone_and_a_store_has_no_output(converters, old, tmp_path):
    together = invoke(old, MODELS[0])
    assert (together.exit_code, str(old) in together.stderr) == (2, True)
    put_store(tmp_path / "store")
    into_file = invoke(tmp_path / "store", "-o", tmp_path / "x.yaml")
    assert (into_file.exit_code, "-o" in into_file.stderr) == (2, True)
    assert converters == []


def test_the_help_warns(converters):
    assert "that you yourself wrote" in " ".join(invoke("--help").stdout.split())
