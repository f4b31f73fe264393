"""What a store's records name outside of it is not opened: seen by an audit hook in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difsims_core import evaluate_all
from difsims_core.config.documents import make_spec
from difsims_core.errors import ExperimentError
from difsims_core.resources import crystal_folder, samples_folder
from difsims_core.results.evaluate_map import EvaluationSources, evaluate_map
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Prediction, read_profiles, read_truth, write_prediction
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.trusted_locations import may_be_read
from tests.fake_datasets import build_fake

MODEL = "cnn-00000000-0000-4000-8000-000000000000"
SCAN = samples_folder() / "roi_1_radial_crop.npz"

WATCHED = """
import json, os, sys

root, elsewhere, urls = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
from difsims_core.results.evaluate_map import evaluate_map  # everything is imported before anybody looks
from difsims_core.errors import DifsimsError
from difsims_core.crystal.phases import load_phase
from difsims_core.storage.objects import open_store
load_phase("pb")
seen = []

def watch(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(elsewhere) or path.startswith("/etc/pass"):
            seen.append(f"{event} {path}")
    if event in ("socket.connect", "socket.getaddrinfo"):
        seen.append(f"{event} {arguments}")

sys.addaudithook(watch)
told = {}
for url in urls:
    try:
        told[url] = evaluate_map(open_store(root), url).scores.name
    except DifsimsError as error:
        told[url] = f"refused: {error}"
print(json.dumps([told, seen]))
"""


@pytest.fixture
def files(tmp_path: Path) -> ObjectStore:
    """A store with one scan."""
    store = open_store(tmp_path / "store")
    store.upload(SCAN, layout.experiment_profiles("roi_1"))
    return store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder outside the store, with what a record could wish to read."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(SCAN, folder / "roi_1_radial_crop.npz")
    for name in ("secret.cif", "film.CIF"):
        shutil.copy(crystal_folder() / "pb.cif", folder / name)
    (folder / "plain").write_text("root:x:0:0")
    return folder


def told(store: ObjectStore, **changes) -> Prediction:
    """What a model that knows the truth would say of the scan in the store."""
    truth = read_truth(samples_folder() / "truth" / "roi_1_truth.npz")
    pred = np.eye(len(truth.phases))[np.maximum(truth.label, 0)].astype(np.float32)
    url = store.url(layout.experiment_profiles("roi_1"))
    prediction = Prediction(pred, truth.phases, MODEL, experiment=url, experiment_sha256=read_profiles(url).sha256)
    return replace(prediction, **changes)


def put(store: ObjectStore, name: str, prediction: Prediction) -> str:
    url = store.url(layout.prediction(MODEL, name))
    write_prediction(url, prediction)
    return url


def watched(store: ObjectStore, elsewhere: Path, urls: list[str]) -> tuple[dict[str, str], list[str]]:
    environment = {name: value for name, value in os.environ.items() if name != "DIFSIMS_ALSO_READ"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, store.root, str(elsewhere), json.dumps(urls)],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
        cwd=elsewhere,
    )
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def test_phases_that_are_places_open_nothing(files, elsewhere):
    names = ["/etc/passwd", f"{elsewhere}/secret.cif", f"file://{elsewhere}/secret.cif", "s3://other/secret.cif",
             "../elsewhere/secret.cif", "secret.cif", "film", "./film.CIF", "~/x.cif"]  # fmt: skip
    urls = {}
    for number, name in enumerate(names):
        phases = (*told(files).phases[:2], name)
        urls[put(files, f"roi_{number}", told(files, phases=phases))] = name
    good = put(files, "roi_good", told(files))
    results, seen = watched(files, elsewhere, [*urls, good])
    assert seen == []
    assert results[good] == "roi_good"
    for url, name in urls.items():
        assert results[url].startswith("roi_"), results[url]  # the others of its phases are scored
        document = files.read_record(layout.evaluation(MODEL, results[url]))
        phase = next(entry for entry in document["phases"] if entry["phase"] == name)
        assert phase["status"] == "no structure"
        assert "root:" not in json.dumps(document)
        scored = [entry["status"] for entry in document["phases"] if entry["phase"] != name]
        assert scored == ["scored", "scored"]


def test_experiments_outside_are_refused_and_the_others_scored(files, elsewhere):
    name = SCAN.name
    also_read = [str(elsewhere / name), (elsewhere / name).as_uri(), f"s3://other/{name}",
              f"{files.root}/../elsewhere/{name}", f"../elsewhere/{name}", name, "/etc/passwd"]  # fmt: skip
    urls = [put(files, f"roi_{number}", told(files, experiment=place)) for number, place in enumerate(also_read)]
    good = put(files, "roi_good", told(files))
    results, seen = watched(files, elsewhere, [*urls, good])
    assert seen == []
    assert results[good] == "roi_good"
    for url in urls:
        assert results[url].startswith("refused: "), results[url]
    assert files.list(layout.EVALUATIONS) == [layout.evaluation(MODEL, "roi_good")]


def test_datasets_are_named_by_id_and_their_crystals_lie_inside(files, elsewhere):
    """A dataset may say that its crystal is any file; a prediction may call any folder a dataset."""
    spec = make_spec({"n_patterns": 1100, "phases": [{"name": "film", "cif": str(elsewhere / "film.CIF")}]})
    inside = build_fake(files, spec)
    other = build_fake(open_store(elsewhere / "other"), make_spec({"n_patterns": 1100}))
    sims = (inside.id, other.id, other.url, f"{elsewhere}/other/simulations/{other.id}.zarr", "../x.zarr", "sim-")
    phases = (*told(files).phases[:2], "film")
    url = put(files, "roi_2", told(files, sim_ids=sims, phases=phases))
    results, seen = watched(files, elsewhere, [url])
    assert seen == []
    assert results[url] == "roi_2"
    document = files.read_record(layout.evaluation(MODEL, "roi_2"))
    assert [phase["status"] for phase in document["phases"]] == ["scored", "scored", "no structure"]
    found = evaluate_map(open_store(files.root), url, EvaluationSources(also_read=(str(elsewhere),))).scores
    assert not found.reused
    document = files.read_record(layout.evaluation(MODEL, "roi_2"))
    assert document["phases"][2]["status"] == "scored"


def test_a_prediction_speaks_for_no_other_model(files):
    other = MODEL.replace("4000", "4001")
    url = files.url(layout.prediction(other, "roi_1"))
    write_prediction(url, told(files))
    with pytest.raises(ExperimentError, match=other):
        evaluate_map(open_store(files.root), url)
    assert files.list(layout.EVALUATIONS) == []


def test_one_prediction_that_is_none_does_not_stop_the_others(files):
    good = put(files, "roi_1", told(files))
    bad = files.url(layout.prediction(MODEL, "roi_2"))
    files.write(layout.prediction(MODEL, "roi_2"), b"PK\x03\x04 damaged")
    result = evaluate_all([bad, good], files.url(layout.PROFILES))
    assert [evaluation.name for evaluation in result.per_experiment] == ["roi_1"]
    assert list(result.failures) == [bad.removeprefix("file://")]
    assert json.loads(json.dumps(result.to_document()))["failures"] == dict(result.failures)
    with pytest.raises(ExperimentError, match=" 2 "):
        evaluate_all([bad, _copy(files, bad, "roi_3")], files.root)


def _copy(store: ObjectStore, url: str, name: str) -> str:
    store.write(layout.prediction(MODEL, name), store.read(store.key_of(url)))
    return store.url(layout.prediction(MODEL, name))


@pytest.mark.parametrize("damage", [b"", b"{", b'{"phases": 7}', b"[" * 100_000])
def test_a_damaged_evaluation_is_made_again(files, damage):
    url = put(files, "roi_1", told(files))
    first = evaluate_map(files, url).scores
    assert evaluate_map(files, url).scores.reused
    key = layout.evaluation(MODEL, "roi_1")
    document = files.read_record(key)
    files.write(key, damage)
    assert evaluate_map(open_store(files.root), url).scores == first
    for changes in ({"phases": [{"phase": "a"}]}, {"experiment": "roi_2"}, {"cnn_id": 7}, {"truth": 7}):
        files.write_record(key, document | changes)
        assert evaluate_map(open_store(files.root), url).scores == first
    assert files.read_record(key) == document


@pytest.mark.parametrize(
    ("url", "also_read", "allowed"),
    [
        ("/a/b", ["/a"], True),
        ("/a", ["/a"], True),
        ("/a/", ["/a/"], True),
        ("/ab", ["/a"], False),
        ("/a/../b", ["/a"], False),
        ("/a/./b", ["/a"], True),
        ("file:///a%20b/c", ["/a b"], True),
        ("file:///a/%2e%2e/b", ["/a"], False),
        ("s3://bucket/a/b", ["s3://bucket/a"], True),
        ("s3://bucket/a", ["s3://bucket"], True),
        ("s3://bucket2/a", ["s3://bucket"], False),
        ("s3://bucket/a/../../other/b", ["s3://bucket/a"], False),
        ("s3://bucket//b", ["s3://bucket"], False),
        ("/bucket/a", ["s3://bucket"], False),
        ("http://host/a", ["/"], False),
        ("", ["/"], False),
        ("/a\0b", ["/"], False),
        ("/a", [], False),
    ],
)
def test_what_lies_in_a_place(url, also_read, allowed, monkeypatch):
    monkeypatch.delenv("DIFSIMS_ALSO_READ", raising=False)
    assert may_be_read(url, also_read) == allowed
    monkeypatch.setenv("DIFSIMS_ALSO_READ", ", ".join(["s3://never/used", *also_read]))
    assert may_be_read(url, []) == allowed
