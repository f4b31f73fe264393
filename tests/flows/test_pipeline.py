"""The whole way on a small scan: what is made, what Prefect shows of it, and that a second run makes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.errors import ExperimentError, InputError, PartlyFailedError
from difsims_core.evaluate import peak_positions
from difsims_core.learn import predict
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.resources import crystal_folder, samples_folder
from difsims_core.results.evaluate_map import crystals_of
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.ids import list_simulations
from difsims_core.storage.npz.contracts import (
    read_prediction,
    read_profiles,
    read_truth,
    write_prediction,
    write_profiles,
)
from difsims_core.storage.objects import open_store, read_url
from flows.evaluate import evaluate
from flows.pipeline import PipelineResult, pipeline
from flows.predict import predict as predict_flow
from tests.flows.prefect_records import artifacts_of, latest_run, runs_tagged

ROWS, COLUMNS = slice(10, 14), slice(20, 25)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corners of two sample scans with their truth; one pixel of the first holds nothing."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "truth").mkdir()
    for name in ("roi_1", "roi_2"):
        profiles = read_profiles(samples_folder() / f"{name}_radial_crop.npz")
        y = profiles.y[ROWS, COLUMNS].copy()
        if name == "roi_1":
            y[1, 2] = np.nan
        write_profiles(folder / f"{name}_radial_crop.npz", profiles.x, y)
        write_truth(folder / "truth" / f"{name}_truth.npz", name)
    return folder


def write_truth(path: Path, name: str, *, wrong: int = 0) -> None:
    truth = read_truth(samples_folder() / "truth" / f"{name}_truth.npz")
    label = truth.label[ROWS, COLUMNS].copy()
    label[0, :wrong] = (label[0, :wrong] + 1) % 3
    np.savez(path, label=label, phases=np.array(truth.phases))


@pytest.fixture(scope="module")
def spec(scans: Path) -> PipelineSpec:
    return make_spec(
        {
            "simulation": {"n_patterns": 1500, "seed": 5, "output": {"x_all": False}},
            "training": {"epochs": 1},
            "experiments": [str(scans / "*.npz")],
            "truth_folder": str(scans / "truth"),
        },
        PipelineSpec,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"file://{tmp_path_factory.mktemp('pipeline') / 'store'}"


@pytest.fixture(scope="module")
def outcome(spec: PipelineSpec, root: str) -> PipelineResult:
    return pipeline(spec, root)


def test_every_stage_leaves_what_the_next_one_needs(outcome, root):
    objects = open_store(root)
    bundle = load_bundle(outcome.model, objects)
    assert bundle.sim_ids == (outcome.simulation,)
    predictions = [read_prediction(url) for url in outcome.predictions]
    names = [f"{name}_radial_crop_probability_pred.npz" for name in ("roi_1", "roi_2")]
    assert [url.rpartition("/")[2] for url in outcome.predictions] == names
    assert [item.pred.shape for item in predictions] == [(4, 5, 3), (4, 5, 3)]
    np.testing.assert_allclose(predictions[0].pred[1, 2], 1 / 3, atol=1e-6)
    assert predictions[0].invalid is not None
    assert predictions[0].invalid.sum() == 1
    rows = outcome.scores
    assert [row.name for row in rows] == ["roi_1_radial_crop", "roi_2_radial_crop"]
    assert all(0 <= row.accuracy <= 1 for row in rows)
    assert rows[0].n_invalid == 1


def test_the_report_stands_alone_and_names_its_lineage(outcome):
    page = read_url(outcome.report).decode()
    for expected in (outcome.simulation, outcome.model, "roi_1", "roi_2", "p4mbm_scaled_mixed_halide"):
        assert expected in page
    assert "data:image/png;base64," in page
    assert 'src="http' not in page


def test_runs_carry_names_tags_and_artifacts(outcome, spec):
    run = latest_run("pipeline")
    assert run.name == "pipeline 1.5k × 3 phases, large_filter, *.npz"
    assert {outcome.simulation, outcome.model} <= set(run.tags)
    assert "report" in artifacts_of(run)
    tagged = {item.name.split()[0] for item in runs_tagged(outcome.model)}
    assert tagged == {"pipeline", "train", "predict", "evaluate"}
    trained = artifacts_of(latest_run("train"))
    assert {"model-scores", "model-classes", "learning-curves", "confusion", "progress"} <= set(trained)
    scored = artifacts_of(latest_run("evaluate"))
    assert {"evaluation", "peaks-roi-1-radial-crop", "roi-1-radial-crop-truth"} <= set(scored)
    assert {f"{name}-radial-crop-phase-map" for name in ("roi-1", "roi-2")} <= set(scored)
    assert "predictions" in artifacts_of(latest_run("predict"))


def test_a_second_run_makes_nothing_and_says_so(outcome, spec, root, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("work was done again")

    monkeypatch.setattr(Simulator, "block", never)
    monkeypatch.setattr(KerasNetwork, "fit", never)
    monkeypatch.setattr(predict, "classify", never)
    monkeypatch.setattr(peak_positions, "evaluate_experiment", never)
    again = pipeline(spec, root)
    assert again == replace(outcome, scores=tuple(replace(row, reused=True) for row in outcome.scores))
    for name in ("simulate", "train", "predict", "evaluate"):
        assert latest_run(name).state_name == "Reused", name


def test_another_truth_is_scored_again(outcome, scans, root, tmp_path):
    write_truth(tmp_path / "roi_2_truth.npz", "roi_2", wrong=5)
    (row,) = evaluate([outcome.predictions[1]], str(scans), truth=str(tmp_path), store=root)
    assert not row.reused
    assert row.accuracy != outcome.scores[1].accuracy
    (row,) = evaluate([outcome.predictions[1]], str(scans), truth=str(scans / "truth"), store=root)
    assert row.accuracy == outcome.scores[1].accuracy


def test_a_changed_scan_is_predicted_again(outcome, scans, root, tmp_path):
    profiles = read_profiles(scans / "roi_2_radial_crop.npz")
    scan = tmp_path / "changing_radial_crop.npz"
    for rows in (3, 2):
        write_profiles(scan, profiles.x, profiles.y[:rows])
        (url,) = predict_flow(outcome.model, [str(scan)], root)
        assert read_prediction(url).pred.shape == (rows, 5, 3)
        assert latest_run("predict").state_name == "Completed"


def test_another_scan_of_the_same_name_overwrites_no_prediction(outcome, scans, root, tmp_path):
    profiles = read_profiles(scans / "roi_2_radial_crop.npz")
    other = tmp_path / "roi_2_radial_crop.npz"
    write_profiles(other, profiles.x, profiles.y[:2])
    with pytest.raises(ExperimentError, match=str(other)):
        predict_flow(outcome.model, [str(other)], root)
    with pytest.raises(InputError, match=f"{other} .*{scans}"):
        predict_flow(outcome.model, [str(other), str(scans / "roi_2_radial_crop.npz")], root)


def test_a_scan_that_moved_is_not_predicted_again_but_found(outcome, scans, root, tmp_path):
    moved = tmp_path / "roi_2_radial_crop.npz"
    moved.write_bytes((scans / "roi_2_radial_crop.npz").read_bytes())
    (url,) = predict_flow(outcome.model, [str(moved)], root)
    assert latest_run("predict").state_name == "Reused"
    assert read_prediction(url).experiment == str(moved)
    predict_flow(outcome.model, [str(scans / "roi_2_radial_crop.npz")], root)


def test_one_bad_scan_does_not_stop_the_others(outcome, scans, root, tmp_path):
    profiles = read_profiles(scans / "roi_2_radial_crop.npz")
    for name in ("first", "third"):
        write_profiles(tmp_path / f"{name}.npz", profiles.x, profiles.y[:2])
    (tmp_path / "second.npz").write_bytes(b"PK nothing")
    with pytest.raises(PartlyFailedError, match=r"1 of 3 .* 2 .*second"):
        predict_flow(outcome.model, [str(tmp_path)], root)
    store = open_store(root)
    for name in ("first", "third"):
        assert store.exists(layout.prediction(outcome.model, name))


def test_scans_that_broke_their_reader_do_not_stop_the_others(outcome, scans, root, tmp_path):
    damaged = sorted((Path(__file__).parents[1] / "contracts" / "damaged_npz").glob("profiles_*.npz"))
    for number, path in enumerate(damaged):
        (tmp_path / f"broken_{number}.npz").write_bytes(path.read_bytes())
    profiles = read_profiles(scans / "roi_2_radial_crop.npz")
    write_profiles(tmp_path / "whole.npz", profiles.x, profiles.y[:2])
    with pytest.raises(PartlyFailedError, match=r"3 of 4 .* 1 ") as caught:
        predict_flow(outcome.model, [str(tmp_path)], root)
    assert all(f"broken_{number}.npz" in str(caught.value) for number in range(len(damaged)))
    assert open_store(root).exists(layout.prediction(outcome.model, "whole"))


def test_predictions_that_are_none_do_not_stop_the_evaluation_of_others(outcome, scans, root, tmp_path):
    whole = read_prediction(outcome.predictions[0])
    wrong = {
        "id": {"cnn_id": "../../x"},
        "place": {"experiment": "gopher://x/roi_1_radial_crop.npz"},
        "dataset": {"sim_ids": ("../../x",)},
    }
    for name, changes in wrong.items():
        write_prediction(tmp_path / name / "roi_1_probability_pred.npz", replace(whole, **changes))
    (tmp_path / "sum").mkdir()
    arrays = {"pred": whole.pred * 2, "phases": whole.phases, "cnn_id": whole.cnn_id}
    np.savez(tmp_path / "sum" / "roi_1_probability_pred.npz", **arrays)
    urls = [outcome.predictions[0], *(str(tmp_path / name) for name in (*wrong, "sum"))]
    truth = str(scans / "truth")
    with pytest.raises(PartlyFailedError, match=" of 5 ") as caught:
        evaluate(urls, truth=truth, store=root, also_read=[str(scans)])
    assert all(f"{name}/roi_1_probability_pred.npz" in str(caught.value) for name in ("sum", "id", "place"))


def test_a_scan_in_another_unit_is_mapped_and_scored_when_the_unit_is_stated(outcome, scans, root, tmp_path):
    profiles = read_profiles(scans / "roi_2_radial_crop.npz")
    path = tmp_path / "in_nm_radial_crop.npz"
    write_profiles(path, profiles.x * 10, profiles.y)
    with pytest.raises(ExperimentError, match=r"in_nm_radial_crop\.npz: .*--q-unit 1/nm"):
        predict_flow(outcome.model, [str(path)], root)
    (url,) = predict_flow(outcome.model, [str(path)], root, q_unit="1/nm")
    np.testing.assert_allclose(read_prediction(url).pred, read_prediction(outcome.predictions[1]).pred, atol=1e-5)
    with pytest.raises(ExperimentError, match="DIFSIMS_ALSO_READ"):
        evaluate([url], store=root)
    (row,) = evaluate([url], store=root, also_read=[str(tmp_path)])
    assert row.mean_distance_per_angstrom == pytest.approx(outcome.scores[1].mean_distance_per_angstrom, abs=1e-5)


def test_inputs_are_checked_before_any_work(root, tmp_path):
    for changes, words in [
        ({"experiments": [str(tmp_path / "*.npz")]}, "nothing found"),
        ({"truth_folder": str(tmp_path / "trooth")}, "nothing found"),
        ({"training": {"network": "large"}}, "large_filter"),
    ]:
        document = {"simulation": {"n_patterns": 333, "seed": 77}, **changes}
        before = list_simulations(open_store(root))
        with pytest.raises(InputError, match=words):
            pipeline(make_spec(document, PipelineSpec), root)
        assert list_simulations(open_store(root)) == before


def test_a_phase_with_its_own_file_is_scored_against_that_file(root, scans, tmp_path):
    """Named as a shipped phase, but another crystal: the scores must use the dataset's file."""
    own = tmp_path / "film_b.cif"
    own.write_bytes((crystal_folder() / "pb.cif").read_bytes())
    phases = [{"name": "pbi2_2h", "cif": str(own)}, "gratia_2h"]
    spec = make_spec(
        {
            "simulation": {"n_patterns": 700, "phases": phases, "output": {"x_all": False}},
            "training": {"epochs": 1},
            "experiments": [str(scans / "roi_2_radial_crop.npz")],
        },
        PipelineSpec,
    )
    result = pipeline(spec, root)
    prediction = read_prediction(result.predictions[0])
    assert crystals_of(root, prediction.sim_ids)["pbi2_2h"] is None, "on the word of a record alone it is not opened"
    assert crystals_of(root, prediction.sim_ids, [str(own)])["pbi2_2h"] == str(own)
    (row,) = result.scores
    objects = open_store(root)
    scored = {phase["phase"]: phase for phase in objects.read_record(objects.key_of(row.url))["phases"]}
    assert scored["pbi2_2h"]["visible_lines"] is not None, "the document of the run has named it"


def test_nothing_to_predict_is_the_users_mistake(outcome, root, tmp_path):
    with pytest.raises(InputError, match=r"\*\.npz"):
        predict_flow(outcome.model, [str(tmp_path / "*.npz")], root)
