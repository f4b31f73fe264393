"""`difsims map --phases`: from a raw scan and crystals to a map, the model found or made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from difsims_core.families import CLASSIFIERS
from difsims_core.learn.bundle import load_bundle
from difsims_core.resources import crystal_folder
from difsims_core.storage.ids import list_models
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import open_store
from flows.cli.app import app
from tests.learn.nearest_mean import NearestMean

RECIPE = """
simulation:
  n_patterns: 400
  phases: [pbi2_2h, pb]
  output: {x_all: false, polar: {}}
training: {kind: nearest_mean, takes: reduced}
"""


@pytest.fixture(autouse=True)
def offered(monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)
    monkeypatch.setattr("flows.cli.session.server_address", lambda: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A scan of spots, one of an amorphous film, a recipe, and a crystal of the user's own."""
    folder = tmp_path_factory.mktemp("map")
    rng, (y, x) = np.random.default_rng(5), np.indices((64, 64)) - 31.5
    radius = np.hypot(y, x)
    halo = 20 * np.exp(-(((radius - 8) / 3) ** 2)) + 4 * np.exp(-radius / 20) + 4000 * (radius < 2.5)
    np.save(folder / "amorphous.npy", rng.poisson(halo, (8, 8, 64, 64)).astype(np.uint16))
    spots = np.zeros((8, 8, 64, 64))
    for iy, ix in np.ndindex(8, 8):
        for turn in rng.uniform(0, 2 * np.pi) + np.arange(6) * np.pi / 3:
            at = 31.5 + rng.uniform(8, 24) * np.array([np.sin(turn), np.cos(turn)])
            spots[iy, ix] += 300 * np.exp(-((y + 31.5 - at[0]) ** 2 + (x + 31.5 - at[1]) ** 2) / 2)
    np.save(folder / "film.npy", rng.poisson(halo / 5 + spots).astype(np.uint16))
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "mine.cif").write_bytes((crystal_folder() / "gratia_2h.cif").read_bytes())
    return folder


def run(folder: Path, scan: str, phases: str | None, *more: str, energy: str | None = "200") -> Result:
    said = [f"reading.beam_energy_kv={energy}"] if energy else []
    said += ["reading.calibration_per_angstrom=0.05", "integration.uncovered=flag"]
    options = [part for change in said for part in ("--set", change)]
    options += ["--phases", phases] if phases else []
    options += ["--recipe", str(folder / "recipe.yaml"), "--store", str(folder / "store")]
    return CliRunner().invoke(app, ["map", str(folder / scan), *options, *more])


def test_the_model_is_made_once_and_found_again(folder):
    first = run(folder, "film.npy", f"pb,{folder / 'mine.cif'}", "--json")
    assert first.exit_code == 0, first.output
    assert "there is no model of pb, mine at 200 kV by recipe.yaml" in first.stderr
    assert "400 patterns of 2 phases: less than a minute" in first.stderr
    (row,) = json.loads(first.stdout)
    prediction = read_prediction(row["prediction"])
    assert prediction.phases == ("pb", "mine")
    assert prediction.pred.shape == (8, 8, 2)
    again = run(folder, "film.npy", f"{folder / 'mine.cif'}, pb", "--json")
    assert f"the model of pb, mine at 200 kV: {row['model']}" in again.stderr
    assert "reused the predictions" in again.stderr
    assert json.loads(again.stdout)[0]["model"] == row["model"]
    store = open_store(folder / "store")
    other = json.loads(run(folder, "film.npy", f"pb,{folder / 'mine.cif'}", "--json", "--force", energy="300").stdout)
    assert len(list_models(store)) == 2
    assert load_bundle(other[0]["model"], store).id != row["model"]


def test_a_scan_without_crystals_is_mapped_and_not_to_be_trusted(folder):
    found = run(folder, "amorphous.npy", f"pb,{folder / 'mine.cif'}")
    assert found.exit_code == 0, found.output
    assert "do not trust this map" in found.stderr
    assert "Where there is no crystal a map of phases means nothing" in found.stderr
    report = found.stdout.rpartition("report: ")[2].strip()
    assert "Where there is no crystal" in Path(report).read_text()


def test_a_scan_that_cannot_be_preprocessed_does_not_stop_the_others(folder):
    np.save(folder / "dark.npy", np.zeros((8, 8, 64, 64), np.uint16))
    found = run(folder, "film.npy", f"pb,{folder / 'mine.cif'}", str(folder / "dark.npy"), "--json", "--force")
    assert found.exit_code == 1, found.output
    assert "1 of 2 scans cannot be preprocessed; the other 1 are" in found.stderr
    assert "dark.npy: no direct beam" in found.stderr
    (row,) = json.loads(found.stdout)
    assert row["name"] == "film_radial_crop"


@pytest.mark.parametrize(
    ("phases", "more", "energy", "words"),
    [
        ("pb", (), "200", "two phases or more"),
        ("pb,pb", (), "200", "more than once"),
        ("pb,,pbi2_2h", (), "200", "an empty one"),
        ("pb,pbi2_2h", (), None, "beam energy"),
        ("pb,pbi2_2h", ("--model", "cnn-1"), "200", "both"),
        ("pb,pbi2_2h", ("--set", "integration.polar=false"), "200", "no classifier of profile patterns"),
        ("pb,pbi2_2h", ("--set", "simulation.n_paterns=3"), "200", "n_patterns"),
        (None, ("--set", "training.seed=3"), "200", "--phases"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(folder, tmp_path, phases, more, energy, words):
    found = run(folder, "film.npy", phases, *more, "--store", str(tmp_path / "store"), energy=energy)
    assert found.exit_code == 2, found.output
    assert words in found.stderr
    assert not (tmp_path / "store" / "experiments").exists()
