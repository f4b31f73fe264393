"""What a command loads: no more than its work needs, and next to nothing where it only says that something is wrong.

Each is a process of its own that tells which modules it has loaded; how long it takes measures
`tests.benchmarks.startup`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLOTS_AND_TABLES = {"matplotlib", "pandas", "xarray", "dask", "orix", "diffsims"}
SERVICES = {"prefect", "tensorflow", "keras", "httpx", "botocore", "s3fs"}
COMPILED = {"numba", "zarr", "scipy"}
BEHIND_SPLINES_AND_TREES = {"scipy.interpolate", "scipy.optimize", "scipy.sparse", "scipy.spatial"}
MODEL = "cnn-00000000-0000-4000-8000-000000000000"

SIMULATE = """
from difsims_core.config.sweep import load_sweep
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.resources import specs_folder
from difsims_core.storage.objects import open_store
spec = load_sweep(specs_folder() / "reference.yaml", ["n_patterns=3"]).points[0].spec
reused = run_simulation(open_store(sys.argv[1]), spec).reused
"""
LOADED = """
import json, sys
try:
    {code}
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the modules that a process has loaded when it has run some code."""
    lines = "\n    ".join(code.strip().splitlines())
    command = [sys.executable, "-c", LOADED.format(code=lines), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return set(json.loads(done.stdout.splitlines()[-1]))


def loaded_by_command(*arguments: str) -> set[str]:
    return loaded_by("from flows.cli.app import app\napp(sys.argv[1:])", *arguments)


def test_a_simulation_loads_no_plots_and_no_tables(tmp_path):
    """The second process finds the dataset by the texts of document and crystals, without computing anything."""
    for reused in (False, True):
        loaded = loaded_by(f"{SIMULATE}assert reused is {reused}\nimport colorsys", str(tmp_path))
        assert "colorsys" in loaded, "the code did not run to its end"
        assert not loaded & (PLOTS_AND_TABLES | SERVICES | BEHIND_SPLINES_AND_TREES)
        assert loaded & COMPILED == (set() if reused else COMPILED)


def test_maps_and_their_report_are_made_without_what_computes_patterns():
    loaded = loaded_by("import flows.commands.predict, difsims_core.results.map_report, colorsys")
    assert "colorsys" in loaded, "the code did not run to its end"
    assert not loaded & {"numba", "scipy", "tensorflow", "prefect"}


def test_the_phases_that_come_along_are_read_without_anything_compiled():
    loaded = loaded_by_command("phases")
    assert "gemmi" in loaded
    assert not loaded & (PLOTS_AND_TABLES | SERVICES | COMPILED)


@pytest.mark.parametrize(
    ("arguments", "document"),
    [
        (["--help"], None),
        (["simulate", "--help"], None),
        (["simulate", "--set", "n_pattern=3"], "difsims_core.config.sweep"),
        (["train", "sim-0", "--set", "network=larg_filter"], "difsims_core.config.learning"),
        (["pipeline", "missing.yaml"], "difsims_core.config.documents"),
        (["retrain", "--set", "trainin.epochs=3"], "difsims_core.config.retraining"),
        (["convert", "missing.yaml"], "difsims_core.config.legacy.convert"),
        (["evaluate", "missing.npz"], "difsims_core.storage.objects"),
    ],
)
def test_what_is_wrong_with_names_and_documents_is_said_before_anything_is_loaded(arguments, document):
    loaded = loaded_by_command(*arguments)
    assert document is None or document in loaded
    assert not loaded & (PLOTS_AND_TABLES | SERVICES | COMPILED)


def test_a_model_that_is_not_there_is_missed_before_anything_heavy_is_loaded(tmp_path):
    loaded = loaded_by_command("predict", MODEL, "--store", str(tmp_path))
    assert "difsims_core.learn.bundle" in loaded
    assert not loaded & (PLOTS_AND_TABLES | SERVICES)
