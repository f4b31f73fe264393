"""What may go from a store, and that nothing else does, whatever happens meanwhile."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import CorruptDataError, InputError
from difsims_core.housekeeping.retention import apply_retention, plan_retention
from difsims_core.learn.bundle import ModelBundle
from difsims_core.models.registry import read_registry
from difsims_core.storage import layout
from difsims_core.storage.names import split_url
from tests.fake_datasets import build_fake
from tests.housekeeping.plans import NOW, YESTERDAY, going, plan_for, why
from tests.small_stores import (
    contents,
    fingerprint,
    names_in,
    put_dataset,
    put_model,
    put_prediction,
    put_report,
    write_registry,
)

STRANGE = (
    "experiments/profiles/roi_1_radial_crop.npz",
    "experiments/raw/roi_1.mib",
    "simulations/notes.txt",
    "simulations/mine.zarr/zarr.json",
    "models/readme.md",
    "models/mine/model.keras",
    "predictions/mine/a.npz",
    "reports/cover.png",
    "reports/posters/a.png",
    "cache/kernels/a",
    "exports/a.npz",
)

pytestmark = pytest.mark.usefixtures("later_clock")


def test_a_name_of_somebody_else_stops_no_plan(files):
    put_report(files, "run-0123", put_model(files, datasets=[put_dataset(files)], scans=["roi_1"]))
    for folder in ("reports/back\\slash", "predictions/new\nline", "reports/" + "x" * 250):
        place = Path(f"{split_url(files.root)[1]}/{folder}")
        place.mkdir(parents=True)
        (place / "a.npz").write_bytes(b"mine")
    assert len(plan_for(files).going) == 3


def test_what_goes_takes_everything_of_its_own_and_nothing_else(store):
    for key in STRANGE:
        store.write(key, b"mine")
    kept_data, lost_data = put_dataset(store), put_dataset(store)
    champion = put_model(store, datasets=[kept_data], scans=["roi_1"])
    former = put_model(store, datasets=[kept_data], scans=["roi_1"])
    lost = put_model(store, datasets=[lost_data, kept_data], scans=["roi_1", "roi_2"])
    report = put_report(store, "run-0123", lost, lost_data)
    write_registry(store, champion, [former, lost])
    before = contents(store)
    plan = plan_for(store)
    assert contents(store) == before
    assert [(item.kind, item.id) for item in plan.going] == [
        ("report", report),
        ("model", lost),
        ("dataset", lost_data),
    ]
    assert {item.id for item in plan.kept} == {champion, former, kept_data}
    mine = {key for key in before if lost in key or lost_data in key or report in key}
    indices = {layout.model_index(fingerprint(lost)), layout.simulation_index(fingerprint(lost_data))}
    assert plan.size == sum(len(before[key]) for key in mine)
    assert apply_retention(store, plan) == plan.going
    assert contents(store) == {key: data for key, data in before.items() if key not in mine | indices}
    assert plan_for(store).going == ()
    assert apply_retention(store, plan) == ()


def test_reasons_are_given(files):
    used, idle, young = put_dataset(files), put_dataset(files), put_dataset(files, created=YESTERDAY)
    champion, former = put_model(files, datasets=[used]), put_model(files)
    named, unused = put_model(files), put_model(files)
    write_registry(files, champion, [former, champion, unused])
    plan = plan_for(files, keep=(named[:16],))
    assert why(plan, champion) == "the champion since 2020-01-01T00:00:00+00:00"
    assert why(plan, former) == "one of the last 1 former champions"
    assert why(plan, used) == f"{champion} descends from it"
    assert why(plan, young) == f"made {YESTERDAY[:10]}, less than 30 days ago"
    assert why(plan, named) == "named to be kept"
    assert why(plan, unused) == "made 2020-01-01; no champion and in no kept report"
    assert why(plan, idle) == "made 2020-01-01; no kept model or report descends from it"
    assert going(plan) == {unused, idle}


def test_a_kept_report_keeps_what_it_shows(files):
    data = put_dataset(files)
    model = put_model(files, datasets=[data])
    old = put_report(files, "run-old", model)
    named = put_report(files, "run-named", f"s3://lab/predictions/{model}/roi_1.npz")
    assert going(plan_for(files)) == {old, named, model, data}
    plan = plan_for(files, keep=(named,))
    assert going(plan) == set()
    assert why(plan, model) == f"{named} shows it"
    assert why(plan, old) == "everything that it shows is kept"


def test_what_was_written_lately_is_young(files):
    data = put_dataset(files)
    model = put_model(files, datasets=[data], scans=["roi_1"])
    moment = (NOW - timedelta(days=2)).timestamp()
    os.utime(Path(files.root.removeprefix("file://")) / layout.prediction(model, "roi_1"), (moment, moment))
    plan = plan_for(files)
    assert why(plan, model).startswith("written to on ")
    assert going(plan) == set()
    assert going(plan_for(files, keep_days=1)) == {model, data}


def test_datasets_are_found_by_fingerprint_too(files):
    again = put_dataset(files)
    champion = put_model(files, datasets=[layout.new_simulation_id()], fingerprints=[fingerprint(again)])
    write_registry(files, champion)
    assert why(plan_for(files), again) == f"{champion} descends from it"


def test_a_dataset_that_is_being_written_stays(files):
    data = put_dataset(files, whole=False)
    piece = Path(files.root.removeprefix("file://")) / layout.simulation(data) / "1d/x_px/c/0/0"
    assert why(plan_for(files), data).startswith("never finished, last written ")
    moment = (NOW - timedelta(hours=1)).timestamp()
    os.utime(piece, (moment, moment))
    assert why(plan_for(files), data).startswith("written to on ")


def test_predictions_of_models_of_other_stores_keep_their_datasets(store):
    data, elsewhere = put_dataset(store), layout.new_model_id()
    put_prediction(store, elsewhere, "roi_1", [data])
    store.write(layout.prediction(elsewhere, "roi_2"), b"damaged")
    plan = plan_for(store)
    assert going(plan) == set()
    assert "another store descends from it" in why(plan, data)


def test_what_cannot_be_read_stays_with_what_it_names(files):
    data, lost = put_dataset(files), put_dataset(files)
    model = put_model(files, datasets=[data])
    damaged = put_dataset(files)
    key = f"{layout.model(model)}/bundle.json"
    files.write(key, files.read(key)[:-20])
    files.write(layout.completion(damaged), b"[]")
    plan = plan_for(files)
    assert going(plan) == {lost}
    assert "its record cannot be read: restore or delete it by hand" in why(plan, model)
    assert layout.completion(damaged) in why(plan, damaged)


def test_a_damaged_registry_stops_everything(files):
    put_model(files)
    files.write(layout.model_registry(), b"{")
    with pytest.raises(CorruptDataError):
        plan_for(files)


def test_what_is_to_be_kept_must_exist(files):
    model = put_model(files)
    with pytest.raises(InputError, match=f" {model}x, champion;"):
        plan_for(files, keep=(model, f"{model}x", "champion"))


@pytest.mark.parametrize(("days", "former"), [(0, 1), (-1, 1), (1, -1)])
def test_terms_without_sense_are_refused(files, days, former):
    with pytest.raises(InputError, match=f" {days} .* {former}"):
        plan_for(files, keep_days=days, keep_former=former)


def test_a_time_has_a_zone(files):
    with pytest.raises(InputError, match="2026-01-01"):
        plan_retention(files, now=datetime(2026, 1, 1), keep_days=1, keep_former=1)  # noqa: DTZ001


def test_real_records_are_understood(files):
    simulation = build_fake(files, SimulationSpec(n_patterns=1100, seed=3))
    idle = build_fake(files, SimulationSpec(n_patterns=1100, seed=4))
    bundle = ModelBundle(
        id=layout.new_model_id(),
        phases=("a", "b"),
        q_axis=np.arange(147.0),
        preprocessing=PostprocessingSpec(),
        sim_ids=(simulation.id,),
        sim_fingerprints=(simulation.fingerprint,),
        training=TrainingSpec(),
        training_fingerprint=fingerprint("training"),
        split={},
        metrics={},
        history=(),
        versions={},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    files.write_record(layout.model_record(bundle.id), bundle.to_document())
    write_registry(files, bundle.id)
    plan = plan_for(files)
    assert going(plan) == {idle.id}
    (item,) = plan.going
    assert item.size >= idle.completion.stored_bytes
    apply_retention(files, plan)
    assert names_in(files) == {bundle.id, simulation.id}
    assert read_registry(files).champion.model == bundle.id
    assert simulation["1d/x_px"][:].shape == (1100, 147)
    again = build_fake(files, SimulationSpec(n_patterns=1100, seed=4))
    assert again.id != idle.id
