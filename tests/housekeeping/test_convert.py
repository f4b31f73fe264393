"""The records of an earlier version in today's form."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError
from difsims_core.housekeeping.convert import convert_records
from difsims_core.models.registry import read_registry
from difsims_core.scans.attempts import read_attempts
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.npz.members import is_sealed
from difsims_core.storage.objects import ObjectStore
from tests.small_stores import LONG_AGO, contents, put_model

REGISTRY = layout.model_registry()


def write_earlier(store: ObjectStore, key: str, document: object) -> None:
    store.write(key, json.dumps(document, indent=1).encode())


def earlier_registry(*models: str) -> dict[str, object]:
    entries = [
        {"model": model, "since": LONG_AGO, "why": "w", "scores": {"f1": 1}, "by": "retrain"} for model in models
    ]
    decision = {"ingredients": "a" * 64, "model": models[0], "promoted": True, "why": "w", "when": LONG_AGO}
    return {"format": 1, "champion": entries[0], "former": entries[1:], "considered": [decision]}


EVALUATION = {"experiment": "roi_1", "phases": [{"phase": "a", "match": {"f1": 0.7}, "null_f1": 0.4}], "truth": None}


@pytest.fixture
def models(files: ObjectStore) -> tuple[str, str]:
    """A store of the earlier form and its champion and former one."""
    first, second = put_model(files), put_model(files)
    write_earlier(files, REGISTRY, earlier_registry(second, first))
    write_earlier(files, layout.INTAKE, {"format": 1, "scans": []})
    write_earlier(files, layout.evaluation(first, "roi_1"), EVALUATION)
    return second, first


def test_everything_is_brought_over(files, models):
    second, first = models
    with pytest.raises(CorruptDataError, match="`difsims convert`"):
        read_registry(files)
    lines = convert_records(files)
    scored = layout.evaluation(first, "roi_1")
    assert [line.split(",")[0] for line in lines] == [
        f"converted {scored}", f"dropped {layout.INTAKE}", f"converted {REGISTRY}",
    ]  # fmt: skip
    registry = read_registry(files)
    assert [champion.model for champion in registry.champions] == [second, first]
    assert registry.champion.scores == {"f1": 1.0}
    assert (registry.serial, len(registry.considered)) == (1, 1)
    assert files.list(layout.CHAMPION_NOTES) == sorted(map(layout.champion_note, models))
    assert read_attempts(files) == {}
    assert files.read_record(scored) == EVALUATION


def test_again_is_no_change(files, models):
    convert_records(files)
    before = contents(files)
    assert convert_records(files) == []
    assert contents(files) == before


def test_predictions_are_sealed_where_they_belong(files, models):
    second, first = models
    arrays = {"pred": np.array([[0.5, 0.5]], np.float32), "phases": np.array(["a", "b"]), "cnn_id": np.array(first)}
    for model in models:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        files.write(layout.prediction(model, "roi_1"), buffer.getvalue())
    lines = convert_records(files)
    assert f"sealed {layout.prediction(first, 'roi_1')}" in lines
    assert any(line.startswith(f"left {layout.prediction(second, 'roi_1')} as it is, delete it") for line in lines)
    assert is_sealed(files.url(layout.prediction(first, "roi_1")))
    assert not is_sealed(files.url(layout.prediction(second, "roi_1")))
    assert read_prediction(files.url(layout.prediction(first, "roi_1"))).phases == ("a", "b")


def test_an_empty_store_has_nothing_to_bring_over(files):
    assert convert_records(files) == []
    assert files.list() == []


def test_what_cannot_be_brought_over_does_not_stop_the_others(files, models):
    _, first = models
    write_earlier(files, layout.evaluation(first, "roi_1"), {"phases": "none"})
    write_earlier(files, layout.evaluation(first, "roi_2"), EVALUATION)
    write_earlier(files, layout.INTAKE, {"format": 0, "scans": []})
    lines = convert_records(files)
    assert [line.split()[0] for line in lines] == ["left", "converted", "dropped", "converted"]
    assert not files.exists(layout.INTAKE)
    assert read_registry(files).champion is not None


DAMAGE = [b"{", b"[]", b"NaN", b'{"format": 1}', b"[" * 100_000, b'{"format": 1, "format": 1}', b"\xff"]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_registry_is_refused_and_left(files, models, content):
    files.write(REGISTRY, content)
    with pytest.raises(CorruptDataError, match="restore"):
        convert_records(files)
    assert files.read(REGISTRY) == content
    assert files.read_record(layout.evaluation(models[1], "roi_1")) == EVALUATION, "the others are brought over by then"


def test_a_damaged_record_of_today_is_not_taken_for_one_of_earlier(files, models):
    convert_records(files)
    content = files.read(REGISTRY).replace(b'"retrain"', b'"hand"', 1)
    files.write(REGISTRY, content)
    with pytest.raises(CorruptDataError, match=REGISTRY):
        convert_records(files)
    assert files.read(REGISTRY) == content
