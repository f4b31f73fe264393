"""Predictions in a store, evaluated against their experiments, crystals and truth maps."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difsims_core import evaluate_all
from difsims_core.errors import ExperimentError, InputError
from difsims_core.models.registry import promote, read_registry
from difsims_core.resources import crystal_folder, samples_folder
from difsims_core.results.evaluate_map import EvaluationSources, evaluate_map
from difsims_core.results.run_evaluation import predictions_of
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Prediction, experiment_name, read_profiles, read_truth, write_prediction
from difsims_core.storage.objects import ObjectStore, open_store

NAMES = ("roi_1", "roi_3")


def truthful(name: str, confidence: float = 0.94) -> Prediction:
    """What a model that knows the truth would say of a sample map."""
    truth = read_truth(samples_folder() / "truth" / f"{name}_truth.npz")
    url = samples_folder() / f"{name}_radial_crop.npz"
    k = len(truth.phases)
    pred = np.eye(k)[np.maximum(truth.label, 0)] * confidence + (1 - confidence) / k
    return Prediction(
        pred.astype(np.float32), truth.phases, "cnn-x", experiment=str(url), experiment_sha256=read_profiles(url).sha256
    )


@pytest.fixture
def predictions(store: ObjectStore) -> ObjectStore:
    for name in NAMES:
        write_prediction(store.url(f"predictions/{name}_probability_pred.npz"), truthful(name))
    return store


def test_maps_are_scored_with_and_without_labels(predictions: ObjectStore) -> None:
    for name in NAMES:
        predictions.upload(samples_folder() / f"{name}_radial_crop.npz", f"experiments/{name}_radial_crop.npz")
    predictions.upload(samples_folder() / "truth" / "roi_1_truth.npz", "truth/roi_1_truth.npz")
    seen: list[str] = []
    result = evaluate_all(
        predictions.url("predictions/*.npz"),
        predictions.url("experiments"),
        truth_folder=predictions.url("truth"),
        progress=lambda evaluation: seen.append(evaluation.name),
    )
    assert seen == list(NAMES) == [evaluation.name for evaluation in result.per_experiment]
    labelled, unlabelled = result.per_experiment
    assert labelled.scores is not None
    assert labelled.scores["accuracy"] == 1.0
    assert unlabelled.scores is None
    summary = result.summary
    assert (summary["accuracy"], summary["n_experiments"]) == (1.0, 2)
    distances = [evaluation.mean_distance_per_angstrom for evaluation in result.per_experiment]
    assert summary["mean_distance_per_angstrom"] == pytest.approx(np.mean([d for d in distances if d is not None]))
    assert all(d is not None and 0 < d < 0.0083 for d in distances)
    for name, phase in summary["phases"].items():
        matches = [p.match for e in result.per_experiment for p in e.phases if p.phase == name and p.match]
        assert phase["n_present"] == phase["n_scored"] == 2
        assert phase["precision"] == sum(m.n_matched for m in matches) / sum(m.n_peaks for m in matches)
    # maps that tell the truth fit their own lines better than those of the others, most of the time
    assert sum(phase["n_better_than_null"] for phase in summary["phases"].values()) >= 4
    document = result.to_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_shuffled_phases_do_not_stand_above_the_null_as_often(tmp_path: Path) -> None:
    def better(roll: int) -> int:
        for name in NAMES:
            true = truthful(name)
            told = replace(true, pred=np.roll(true.pred, roll, axis=-1))
            write_prediction(tmp_path / f"{roll}" / f"{name}_probability_pred.npz", told)
        result = evaluate_all(tmp_path / f"{roll}", samples_folder())
        return sum(phase["n_better_than_null"] for phase in result.summary["phases"].values())

    assert better(0) > max(better(1), better(2))


def test_a_folder_of_own_crystals_names_what_it_lacks(tmp_path: Path) -> None:
    told = replace(truthful("roi_1"), phases=("my_perovskite", "my_hexagonal", "film"))
    write_prediction(tmp_path / "p" / "roi_1_probability_pred.npz", told)
    own = tmp_path / "cif"
    own.mkdir()
    shutil.copy(crystal_folder() / "pbi2_2h.cif", own / "film.CIF")
    (evaluation,) = evaluate_all(tmp_path / "p" / "roi_1_probability_pred.npz", samples_folder(), own).per_experiment
    status = [phase.status for phase in evaluation.phases]
    assert status == ["no structure", "no structure", "scored"]
    assert "my_perovskite" in evaluation.phases[0].reason
    assert evaluation.phases[2].better_than_null is None


def test_a_historical_prediction_finds_its_experiment_by_its_own_name(tmp_path: Path) -> None:
    told = truthful("roi_3")
    path = tmp_path / "roi_3_probabilty_pred.npz"
    np.savez(path, pred=told.pred, phases=np.array(told.phases), cnn_id=np.array("old"))
    (evaluation,) = evaluate_all([path], samples_folder()).per_experiment
    assert (evaluation.name, evaluation.cnn_id) == ("roi_3", "old")


def test_a_prediction_of_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roi_1_probability_pred.npz"
    write_prediction(path, replace(truthful("roi_1"), experiment_sha256="0" * 64))
    with pytest.raises(ExperimentError, match=r"roi_1_probability_pred\.npz: .*roi_1_radial_crop"):
        evaluate_all(path, samples_folder())
    write_prediction(path, replace(truthful("roi_1"), pred=truthful("roi_1").pred[:5]))
    with pytest.raises(ExperimentError, match=r"\(5, 50\).*\(40, 50\)"):
        evaluate_all(path, samples_folder())


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (
            {"label": np.zeros((50, 40), int), "phases": ["gratia_2h"]},
            r"\(40, 50\).*{}.*\(50, 40\)",
        ),
        ({"label": np.zeros((40, 50), int), "phases": ["a", "b"]}, r"{} \(a\)"),
    ],
)
def test_a_truth_map_that_does_not_fit_is_named_with_its_scan(tmp_path: Path, truth: dict, words: str) -> None:
    path, known = tmp_path / "roi_1_probability_pred.npz", tmp_path / "truth" / "roi_1_truth.npz"
    write_prediction(path, truthful("roi_1"))
    known.parent.mkdir()
    np.savez(known, **truth)
    with pytest.raises(ExperimentError, match=words.format(f"(file://)?{known}")) as caught:
        evaluate_all(path, samples_folder(), truth_folder=tmp_path / "truth")
    assert "roi_1_probability_pred.npz: " in str(caught.value)


def test_a_prediction_that_is_none_is_named(tmp_path: Path) -> None:
    path, told = tmp_path / "roi_1_probability_pred.npz", truthful("roi_1")
    shutil.copytree(samples_folder() / "truth", tmp_path / "truth")
    np.savez(path, pred=told.pred * 2, phases=np.array(told.phases), cnn_id=np.array(told.cnn_id))
    with pytest.raises(ExperimentError, match=r"roi_1_probability_pred\.npz: .*\bpred\b.* 0"):
        evaluate_all(path, samples_folder(), truth_folder=tmp_path / "truth")


def test_a_missing_experiment_or_prediction_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roi_1_probability_pred.npz"
    write_prediction(path, truthful("roi_1"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExperimentError, match=r"/empty.*roi_1_radial_crop\.npz"):
        evaluate_all(path, tmp_path / "empty")
    with pytest.raises(InputError, match=str(tmp_path / "empty")):
        evaluate_all(tmp_path / "empty", samples_folder())


@pytest.mark.parametrize("scan", ["..%2F..%2Froi_1_radial_crop", "roi 1#2?[3]", "roi\\1"])
def test_a_scan_and_a_store_of_any_name_are_scored(tmp_path: Path, scan: str) -> None:
    place, scans = open_store(tmp_path / "st%20ore"), tmp_path / "sc%20ans [1]"
    for folder in (scans, scans / "truth"):
        folder.mkdir()
    shutil.copy(samples_folder() / "roi_1_radial_crop.npz", scans / f"{scan}.npz")
    stem = scan.removesuffix("_radial_crop")
    shutil.copy(samples_folder() / "truth" / "roi_1_truth.npz", scans / "truth" / f"{stem}_truth.npz")
    model = "cnn-00000000-0000-4000-8000-000000000000"
    told = replace(truthful("roi_1"), cnn_id=model, sim_ids=("sim-1",), experiment=str(scans / f"{scan}.npz"))
    name = experiment_name(scans / f"{scan}.npz")
    url = place.url(layout.prediction(model, name))
    write_prediction(url, told)
    with pytest.raises(ExperimentError, match="DIFSIMS_ALSO_READ"):
        evaluate_map(place, url, EvaluationSources(truth=str(scans / "truth")))
    sources = EvaluationSources(truth=str(scans / "truth"), also_read=(str(scans),))
    found = evaluate_map(place, url, sources).scores
    assert (found.name, found.accuracy, found.reused) == (name, 1.0, False)
    assert found.url == place.url(layout.evaluation(model, name))
    record = place.read_record(layout.evaluation(model, name))
    assert (record["cnn_id"], record["sim_ids"]) == (model, ["sim-1"])
    assert tuple(phase["phase"] for phase in record["phases"]) == told.phases
    for experiments in (None, str(scans), scans.as_uri()):
        named = EvaluationSources(experiments, str(scans / "truth"))
        assert evaluate_map(open_store(str(tmp_path / "st%20ore")), url, named).scores.reused
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"st%20ore", "sc%20ans [1]"}


def test_all_maps_of_the_champion_are_those_under_present_names_and_lonely_earlier_ones(store: ObjectStore) -> None:
    model = "cnn-00000000-0000-4000-8000-000000000000"
    store.write(layout.model_record(model), b"{}")
    promote(store, read_registry(store), model, why="", scores={}, by="hand")
    for name in ("roi_1", "roi_1_radial_crop", "roi_3"):
        write_prediction(store.url(layout.prediction(model, name)), truthful(name.removesuffix("_radial_crop")))
    historical = f"{layout.predictions(model)}/roi_2_probabilty_pred.npz"
    store.write(historical, b"")
    expected = [historical, *(layout.prediction(model, name) for name in ("roi_1_radial_crop", "roi_3"))]
    assert sorted(predictions_of(store, model)) == sorted(map(store.url, expected))
    own = replace(truthful("roi_1"), experiment="/scans/roi_1.npz")
    write_prediction(store.url(layout.prediction(model, "roi_1")), own)
    assert store.url(layout.prediction(model, "roi_1")) in predictions_of(store, model)
