"""Items whose records are strange, unreadable or elsewhere: they stay, and the others go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from difsims_core.errors import StoreError
from difsims_core.housekeeping import lineage
from difsims_core.housekeeping.retention import apply_retention, plan_retention
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import ObjectStore
from tests.housekeeping.plans import going, plan_for, why
from tests.housekeeping.test_retention_proof import refused
from tests.small_stores import (
    LONG_AGO,
    put_dataset,
    put_model,
    put_prediction,
    put_report,
    rewrite,
    write_registry,
)

pytestmark = pytest.mark.usefixtures("later_clock")


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00", LONG_AGO])
def test_a_record_that_says_it_is_old_makes_no_young_object_old(files, text):
    """The younger of record and object counts."""
    data, model = put_dataset(files, created=text), put_model(files, created=text)
    report = put_report(files, "run-1", model)
    write_registry(files, None)
    plan = plan_retention(files, now=datetime.now(UTC), keep_days=30, keep_former=0, most_percent=100)
    assert going(plan) == set()
    assert {item.id for item in plan.kept} == {data, model, report}
    assert "written to on" in why(plan, data)


def test_a_record_that_says_it_is_of_the_future_makes_no_old_object_old_either(files):
    data, model = put_dataset(files, created="2099-01-01"), put_model(files, created="2099-01-01T00:00:00Z")
    write_registry(files, None)
    plan = plan_for(files)
    assert going(plan) == set()
    assert why(plan, data) == "made 2099-01-01 as its record says, which is still to come"
    assert "still to come" in why(plan, model)


NO_TIMES = [None, 0, True, "", "yesterday", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", [], {}, 1e300]


@pytest.mark.parametrize("value", NO_TIMES)
def test_what_has_no_time_stays(files, value):
    data, model, lost = put_dataset(files), put_model(files), put_dataset(files)
    rewrite(files, layout.completion(data), completed=value)
    rewrite(files, layout.model_record(model), created=value)
    write_registry(files, None)
    plan = plan_for(files)
    assert going(plan) == {lost}
    for name in (data, model):
        assert "its record cannot be read: restore or delete it by hand" in why(plan, name)


STRANGE = [
    (layout.completion, "fingerprint", 7),
    (layout.completion, "id", "sim-00000000-0000-4000-8000-000000000000"),
    (layout.model_record, "id", "cnn-00000000-0000-4000-8000-000000000000"),
    (layout.model_record, "sim_ids", "sim"),
    (layout.model_record, "sim_ids", ["../../etc"]),
    (layout.model_record, "sim_ids", ["s3://other/x.zarr"]),
    (layout.model_record, "sim_fingerprints", [7]),
    (layout.model_record, "training_fingerprint", None),
]


@pytest.mark.parametrize(("record", "key", "value"), STRANGE)
def test_a_strange_record_stays_and_stops_nothing(files, record, key, value):
    item = put_dataset(files) if record is layout.completion else put_model(files)
    lost = put_dataset(files)
    rewrite(files, record(item), **{key: value})
    write_registry(files, None)
    plan = plan_for(files)
    assert going(plan) == {lost}
    assert "its record cannot be read" in why(plan, item)
    assert [decision.id for decision in apply_retention(files, plan)] == [lost]


def test_whatever_an_item_raises_it_stays_and_the_others_go(files, monkeypatch):
    bad, report = put_dataset(files), put_report(files, "run-1")
    lost = put_dataset(files)
    original = ObjectStore.read

    def read(self, key, *arguments):
        if bad in key or key == layout.report(report):
            raise RecursionError("deep")
        return original(self, key, *arguments)

    monkeypatch.setattr(ObjectStore, "read", read)
    plan = plan_for(files)
    assert going(plan) == {lost}
    for name in (bad, report):
        assert "RecursionError: deep" in why(plan, name)
    assert [decision.id for decision in apply_retention(files, plan)] == [lost]


def test_a_report_too_large_to_be_a_page_stays(files, monkeypatch):
    monkeypatch.setattr("difsims_core.housekeeping.lineage.LARGEST_REPORT_BYTES", 10)
    model = put_model(files)
    report = put_report(files, "run-1", model)
    write_registry(files, None)
    assert "expected a page of at most 10 bytes" in why(plan_for(files), report)


def test_links_stop_no_retention_and_lead_it_nowhere(files, tmp_path):
    """A link that leads to itself, one that leads out, and a folder that is a link."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("mine")
    lost = put_dataset(files)
    data = Path(files.root.removeprefix("file://"), layout.simulation(lost))
    (data / "loop").symlink_to(data / "loop")
    (data / "up").symlink_to(data)
    (data / "out").symlink_to(elsewhere)
    reports = Path(files.root.removeprefix("file://"), "reports")
    (reports / "run-9").symlink_to(elsewhere)
    (reports / "run-8").symlink_to(reports / "run-8")
    Path(files.root.removeprefix("file://"), f"models/{layout.new_model_id()}").parent.mkdir(exist_ok=True)
    Path(files.root.removeprefix("file://"), f"models/{layout.new_model_id()}").symlink_to(elsewhere)
    plan = plan_for(files)
    assert going(plan) == {lost}
    apply_retention(files, plan)
    assert not data.exists()
    assert (elsewhere / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("broken", ["damaged", "unanswered"])
def test_a_prediction_of_another_store_that_cannot_be_read_keeps_the_datasets(files, monkeypatch, broken):
    data, other = put_dataset(files), layout.new_model_id()
    put_prediction(files, other, "roi_1", [data])
    put_prediction(files, other, "roi_2", [put_dataset(files)])
    key = layout.prediction(other, "roi_1")
    files.write(f"{layout.PREDICTIONS}/{other}/notes.txt", b"no prediction")
    if broken == "damaged":
        files.write(key, files.read(key)[:-1])
    else:

        def fails(url):
            if url == files.url(key):
                raise StoreError(f"{url}: no answer")
            return read_prediction(url)

        monkeypatch.setattr(lineage, "read_prediction", fails)
    refused(files, "1 predictions")
    files.delete(key)
    assert going(plan_for(files)) == {data}
    assert plan_for(files).objections == ()
