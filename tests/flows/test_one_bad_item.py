"""Runs over many scans and maps with one that raises what nobody expects: the others have their results."""

from __future__ import annotations

import pytest

from difsims_core.errors import PartlyFailedError, StoreError
from difsims_core.learn import measured_scan as core
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from flows.commands import evaluate as evaluating
from flows.evaluate import evaluate
from flows.execution import steps
from flows.predict import predict
from tests.evaluated import evaluated_map
from tests.flows.prefect_records import latest_run
from tests.flows.test_watch import MODEL, put, states
from tests.learn.test_predict import bundle_of
from tests.uploads import crown

NAMES = ["a", "b", "c"]


@pytest.fixture
def objects(store: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A store with a champion and three scans."""
    monkeypatch.setattr(steps, "read_bundle", lambda _store, _model: bundle_of())
    opened = open_store(store)
    crown(opened, MODEL)
    for name in NAMES:
        put(opened, name)
    return opened


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the reading of the second scan end so."""
    original = core.read_profiles

    def read(url):
        if str(url).endswith("/b_radial_crop.npz"):
            raise error
        return original(url)

    monkeypatch.setattr(core, "read_profiles", read)


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("deep"), ValueError("$\\undefined{x}$"), OSError(40, "x")]
)
def test_a_scan_that_raises_anything_fails_alone(objects, monkeypatch, error):
    raising(monkeypatch, error)
    words = f"1 of 3 .*the other 2 are predicted: .*unexpected {type(error).__name__}"
    with pytest.raises(PartlyFailedError, match=words):
        predict(store=objects.root)
    assert latest_run("predict").state_name == "Failed"
    assert states(objects) == {"a": "pending", "b": "retry", "c": "pending"}, "maps without scores"


def test_a_store_that_fails_says_nothing_of_the_scan(objects, monkeypatch):
    raising(monkeypatch, StoreError("a request took too long"))
    monkeypatch.setattr(steps.predict_one.task, "retries", 0)
    with pytest.raises(PartlyFailedError, match=r"1 of 3 .*took too long"):
        predict(store=objects.root)
    assert states(objects) == {"a": "pending", "b": "pending", "c": "pending"}


def test_folders_in_the_places_of_results_stop_no_other(objects):
    for name in NAMES:
        objects.write(f"{layout.prediction(MODEL, f'{name}_radial_crop')}/inside", b"")
    put(objects, "d")
    with pytest.raises(PartlyFailedError, match=r"3 of 4 .* 1 .*a_radial_crop_probability_pred\.npz"):
        predict(store=objects.root)
    assert objects.exists(layout.prediction(MODEL, "d_radial_crop"))


def test_a_map_whose_scores_or_pictures_cannot_be_made_fails_alone(objects, monkeypatch):
    urls = predict(store=objects.root)
    shown, scored = [], []

    def evaluate_one(_root, url, _sources):
        if "/a_" in url:
            raise RecursionError("deep")
        scored.append(url)
        return evaluated_map("m", MODEL, f"{objects.root}/evaluations/m.json", prediction=url)

    def keep_pictures(_store, evaluated):
        if "/b_" in evaluated.scores.prediction:
            raise ValueError("Unknown symbol: \\undefined")
        shown.append(evaluated.scores.prediction)

    monkeypatch.setattr(evaluating, "evaluate_one", evaluate_one)
    monkeypatch.setattr("difsims_core.results.run_evaluation.keep_pictures", keep_pictures)
    monkeypatch.setattr(evaluating, "show_evaluation", lambda *_: None)
    monkeypatch.setattr(evaluating, "show_scores", lambda rows, failed: (len(rows), failed))
    with pytest.raises(PartlyFailedError, match=r"2 of 3 .*RecursionError: deep · .*Unknown symbol"):
        evaluate(urls, store=objects.root)
    assert latest_run("evaluate").state_name == "Failed"
    assert [url.rsplit("/", 1)[-1][:2] for url in (*scored, *shown)] == ["b_", "c_", "c_"]
