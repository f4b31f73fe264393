"""Commands that run flows: what they print last, and how they end when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from difsims_core.config.documents import dump_spec
from difsims_core.dataset import build
from difsims_core.errors import StoreAccessError
from flows.cli.app import app


@pytest.fixture
def document(tiny, tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_spec(tiny))
    return str(path)


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_simulate_prints_the_id_last_and_finds_it_again(document, store):
    first = invoke("simulate", document, "--store", store)
    assert first.exit_code == 0, first.output
    simulation = first.stdout.splitlines()[-1]
    assert simulation.startswith("sim-")
    assert first.stdout.strip() == simulation, "standard output holds the result alone"
    assert " 600 " in first.stderr

    again = invoke("simulate", document, "--store", store)
    assert again.stdout.splitlines()[-1] == simulation
    assert simulation in again.stderr
    assert "reused" in again.stderr

    other = invoke("simulate", document, "--set", "seed=4", "--set", "n_patterns=300", "--store", store, "--json")
    assert json.loads(other.stdout)["n_patterns"] == 300
    assert json.loads(other.stdout)["id"] != simulation


def test_verify_and_export_of_a_simulated_dataset(document, store, tmp_path):
    simulation = invoke("simulate", document, "--store", store).stdout.splitlines()[-1]
    verified = invoke("verify", simulation, "--store", store, "--resimulate", "1", "--json")
    assert verified.exit_code == 0
    (findings,) = json.loads(verified.stdout)
    assert (findings["ok"], findings["failures"], findings["resimulated"]) == (True, [], [0])
    exported = invoke("export", simulation, str(tmp_path / "out.npz"), "--store", store)
    assert exported.stdout.splitlines() == [str(tmp_path / "out.npz")]

    objects = Path(store.removeprefix("file://")).glob("simulations/*.zarr/1d/y_px/c/**/0")
    shard = next(path for path in objects if path.is_file())
    shard.write_bytes(b"\0" * shard.stat().st_size)
    damaged = invoke("verify", simulation, "--store", store)
    assert damaged.exit_code == 1
    assert "1d/y_px" in damaged.stderr


def test_train_of_an_unknown_dataset_fails_in_one_line(store):
    result = invoke("train", "sim-00000000-0000-4000-8000-000000000000", "--store", store)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "sim-00000000-0000-4000-8000-000000000000" in errors[0]
    assert "Traceback" not in result.stderr


def test_predict_without_scans_is_misuse(store, tmp_path):
    result = invoke("predict", "cnn-00000000-0000-4000-8000-000000000000", str(tmp_path / "*.npz"), "--store", store)
    assert result.exit_code == 2
    assert "*.npz" in result.stderr


def test_a_refusing_store_fails_and_says_what_to_set(document, store, monkeypatch):
    def refused(*args, **kwargs):
        raise StoreAccessError("s3://lab: refuses these credentials; check AWS_ACCESS_KEY_ID")

    monkeypatch.setattr(build, "begin", refused)
    result = invoke("simulate", document, "--store", store)
    assert result.exit_code == 1
    assert "AWS_ACCESS_KEY_ID" in result.stderr


def test_a_lost_server_is_named(document, store, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings(updates={PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        result = invoke("simulate", document, "--store", store)
    assert result.exit_code == 1
    assert "http://127.0.0.1:9/api" in result.stderr
    assert "PREFECT_API_URL" in result.stderr


@pytest.mark.parametrize("command", ["retrain", "watch"])
def test_a_command_that_is_always_a_flow_tells_of_its_page_where_a_server_is_set(command, store):
    result = invoke(command, "--store", store)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("/runs/flow-run/") == 1


def test_the_unit_of_the_scans_reaches_the_flows(store, tmp_path, monkeypatch):
    (tmp_path / "run.yaml").write_text("{}")
    (tmp_path / "scan.npz").touch()
    asked = []
    done = SimpleNamespace(report="there")
    run_flow = lambda _name, spec, _store, **_: asked.append(spec.q_unit) or done  # noqa: E731
    monkeypatch.setattr("flows.cli.session.run_flow", run_flow)
    run = lambda _ctx, _name, _model, _scans, _store, *reading: asked.append(reading) or []  # noqa: E731
    monkeypatch.setattr("flows.cli.session.run_command", run)
    monkeypatch.setattr("difsims_core.learn.bundle.load_bundle", lambda name, _store: SimpleNamespace(id=name))
    model = "cnn-00000000-0000-4000-8000-000000000000"
    for arguments in (
        ["pipeline", str(tmp_path / "run.yaml"), "--q-unit", "2pi/nm"],
        ["pipeline", str(tmp_path / "run.yaml")],
        ["predict", model, str(tmp_path / "scan.npz"), "--q-unit", "mrad", "--beam-energy", "300"],
        ["predict", model, str(tmp_path / "scan.npz")],
    ):
        result = invoke(*arguments, "--store", store)
        assert result.exit_code == 0, result.output
    assert asked == ["2pi/nm", None, ("mrad", 300.0), (None, None)]
    refused = invoke("predict", model, str(tmp_path / "scan.npz"), "--q-unit", "px", "--store", store)
    assert refused.exit_code == 2
    assert "'2pi/angstrom'" in refused.stderr
