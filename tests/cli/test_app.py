"""The command line without flows: help, misuse, errors of one line, what is loaded, and Ctrl-C."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app

COMMANDS = (
    "demo", "simulate", "convert", "train", "predict", "evaluate", "pipeline", "export", "verify", "phases",
    "orientations", "up", "doctor", "compile", "champion", "promote", "rollback", "retention", "backup",
    "restore", "intake", "retrain", "watch", "preprocess", "map",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: difsims {command}" in " ".join(result.stdout.split())


def test_an_example_is_shown_with_its_brackets():
    assert "--set phases=[pb,pbi2_2h]" in invoke("preprocess", "--help").stdout


def test_two_scans_do_not_become_one_experiment(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "roi.npy").write_bytes(b"x")
    result = invoke("preprocess", f"{tmp_path}/a/roi.npy", f"{tmp_path}/b/roi.npy", "--store", f"{tmp_path}/store")
    assert result.exit_code == 2
    assert "--name" in result.stderr
    assert not (tmp_path / "store").exists()


def test_phases_lists_the_catalogue():
    entries = json.loads(invoke("phases", "--json").stdout)
    assert len(entries) == 13
    assert {"name": "pbi2_2h", "space_group": "P-3m1"}.items() <= next(
        e for e in entries if e["name"] == "pbi2_2h"
    ).items()
    assert "p4mbm_scaled_mixed_halide" in invoke("phases").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["simulate", "missing.yaml"], "missing.yaml"),
        (["simulate", "--set", "n_pattern=3"], "'n_patterns'"),
        (["simulate", "--set", "n_patterns"], "key=value"),
        (["simulate", "--set", "n_patterns=-1"], "n_patterns"),
        (["simulate", "--set", "sweep.sed=[1]"], "'seed'"),
        (["simulate", "--set", "sweep.seed=[]"], "seed: "),
        (["convert", "missing.yml"], "missing.yml"),
        (["convert", "missing.yml", "-o", "new.json"], ".yaml"),
        (["train", "sim-x", "--set", "epoch=3"], "'epochs'"),
        (["train", "reference.yaml", "sim-x"], "reference.yaml, sim-x"),
        (["train", "reference.yaml", "--set", "simulation.n_pattern=3"], "'n_patterns'"),
        (["train", "sim-x", "--set", "simulation.seed=3"], "simulation.seed=3"),
        (["train", "missing.yaml"], "missing.yaml"),
        (["predict", "cnn-x", "*.npz"], "*.npz"),
        (["evaluate", "*.npz"], "*.npz"),
        (["predict", "cnn-x"], "experiments/profiles"),
        (["pipeline", "pipeline.yaml", "--set", "truth=x"], "'truth_folder'"),
        (["train", "x"], "'x'"),
        (["preprocess", "missing.mib"], "missing.mib"),
        (["preprocess", "scan.mib", "--set", "geometry.elipse=fit"], "'ellipse'"),
        (["preprocess", "a/*.mib", "--name", "roi"], "a/*.mib"),
        (["map", "scan.mib", "--set", "beam.methd=disc"], "'method'"),
        (["export", "foo", "out.npz"], "'foo'"),
        (["verify", "sim-x", "--store", "ftp://host/x"], "ftp"),
        (["simulate", "bulk.yaml", "--set", "n_pattern=3"], "'n_patterns'"),
        (["simulate", "--store", "s3://key:SECRET@bucket/x"], "AWS_"),
        (["simulate", "--set", "crystal_folder=s3://key:SECRET@bucket/x"], "crystal_folder"),
        (["evaluate", "*.npz", "--truth", "s3://key:SECRET@bucket/x"], "AWS_"),
        (["verify"], "DIFSIMS_STORE"),
        (["verify", "--resimulate", "1"], "--resimulate"),
        (["export"], "SIM|CNN"),
        (["simulat"], "'simulat'"),
        (["phases", "--colour"], "--colour"),
    ],
)
def test_misuse_ends_with_two_and_names_the_remedy(arguments, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_failing_store_ends_with_one(tmp_path):
    result = invoke("verify", "sim-00000000-0000-4000-8000-000000000000", "--store", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", [["--debug", "train"], ["train", "--debug"]])
def test_debug_shows_where(place, tmp_path):
    arguments = ["sim-00000000-0000-4000-8000-000000000000", "--store", str(tmp_path)]
    result = invoke(*place, *arguments)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "open_simulation" in result.stderr


def test_an_unexpected_error_is_one_line_too(monkeypatch):
    def broken():
        raise ZeroDivisionError("by nothing\nsecond line")

    monkeypatch.setattr("difsims_core.crystal.catalogue.list_catalogue", broken)
    result = invoke("phases")
    assert result.exit_code == 1
    assert result.stderr == "error: unexpected ZeroDivisionError: by nothing (--debug shows where)\n"


def test_markup_in_names_is_printed_as_it_is(tmp_path):
    result = invoke("simulate", str(tmp_path / "[red]x.yaml"))
    assert "[red]x.yaml" in result.stderr


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


def test_light_commands_load_nothing_heavy():
    heavy = ("prefect", "tensorflow", "keras", "matplotlib", "numba", "orix", "zarr")
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom flows.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['phases']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = python(code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
