"""Raw scans that come in: taken once whole, each once; changed ones again, broken ones given up with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from difsims_core.errors import SpecError
from difsims_core.experiment.scan_files import scans_among
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import release
from difsims_core.scans.raw_document import read_raw_document
from difsims_core.scans.raw_intake import (
    PreprocessingRequest,
    preprocessing_requests,
    raw_states,
    record_preprocessing,
)
from difsims_core.scans.raw_listing import list_raw_scans
from difsims_core.scans.reconcile import RetryRules
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.uploads import FIRST, TRIES, one_round, put
from tests.uploads import names as mapped

QUIET = 300.0


def upload(store: ObjectStore, name: str, data: bytes = b"frames") -> None:
    store.write(f"{layout.RAW_SCANS}/{name}", data)


def profiles_of(store: ObjectStore) -> set[str]:
    return set(store.list(layout.PROFILES))


@pytest.fixture
def go(clock):
    """Rounds ten minutes apart."""

    def one(store: ObjectStore, **options) -> list[PreprocessingRequest]:
        clock.pass_by(minutes=10)
        options = {"quiet_seconds": QUIET, "runs": 100} | options
        return list(
            preprocessing_requests(
                store, list_raw_scans(store), profiles_of(store), RetryRules(clock.now, TRIES), **options
            )
        )

    return one


@pytest.fixture
def states(clock):
    def of(store: ObjectStore) -> dict[str, str]:
        rules = RetryRules(clock.now, TRIES)
        found = raw_states(list_raw_scans(store), read_attempts(store), profiles_of(store), rules, quiet_seconds=QUIET)
        return {state.name: state.state for state in found}

    return of


def names(requests: list[PreprocessingRequest]) -> list[str]:
    return sorted(request.scan.name for request in requests)


def preprocess(store: ObjectStore, requests: list[PreprocessingRequest]) -> None:
    for request in requests:
        put(store, request.scan.name)
        record_preprocessing(store, request.scan, None)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["a.mib", "a.hdr", "b.mib"], {"a.mib": ("a.hdr", "a.mib"), "b.mib": ("b.mib",)}),
        (["r_000.tvips", "r_001.tvips", "s_001.tvips"], {"r_000.tvips": ("r_000.tvips", "r_001.tvips")}),
        (
            ["r_master.h5", "r_data_000001.h5", "r.h5", "s_data_000001.h5", "t.h5"],
            {"r_master.h5": ("r.h5", "r_data_000001.h5", "r_master.h5"), "t.h5": ("t.h5",)},
        ),
        (["r.emi", "r_1.ser", "r_2.ser"], {"r_1.ser": ("r_1.ser",), "r_2.ser": ("r_2.ser",)}),
        (["acq.xml", "scan_x4_y4.raw"], {"acq.xml": ("acq.xml", "scan_x4_y4.raw")}),
        (["r.npy", "r_mask.npy", "dark.npy", "r_gain.npy"], {"r.npy": ("r.npy", "r_mask.npy")}),
        (["notes.txt", "r.npy.part", ".r.mib.Xy12"], {}),
    ],
)
def test_files_that_belong_together_are_one_scan(there, expected):
    assert scans_among(there) == expected
    assert scans_among(there[::-1]) == expected, "in any order"


def test_a_scan_is_taken_when_rounds_have_seen_it_unchanged_and_only_once(store, go, states):
    upload(store, "roi_1.mib")
    assert go(store) == []
    assert states(store) == {"roi_1": "waiting"}
    assert names(go(store, quiet_seconds=601)) == []
    (request,) = go(store)
    assert (request.scan.info.key, request.replaces, request.tries) == ("experiments/raw/roi_1.mib", False, 1)
    assert states(store) == {"roi_1": "started"}
    assert go(store, at_work=lambda _key: True) == []
    preprocess(store, [request])
    for _ in range(3):
        assert go(store) == []
    assert states(store) == {}, "what is there is seen by its profiles"


def test_one_that_grows_waits_and_so_does_one_whose_parts_still_come(store, go, states):
    for size in (1, 40, 100):
        upload(store, "slow.mib", bytes(size))
        upload(store, f"group.zspy/data/{size}", b"chunk")
        assert go(store) == []
    assert states(store) == {"slow": "waiting", "group": "waiting"}
    upload(store, "slow.hdr")
    assert names(go(store)) == ["group"]
    assert names(go(store, at_work=lambda key: "group" in key)) == ["slow"]


def test_what_fails_is_tried_again_after_the_others_and_given_up_with_its_reason(store, go, states):
    upload(store, "bad.mib")
    go(store)
    for number in range(TRIES):
        upload(store, f"good_{number}.mib")
        go(store, runs=0)
        requests = go(store)
        assert [request.scan.name for request in requests] == [f"good_{number}", "bad"][:: 1 if number else -1]
        for request in requests:
            record_preprocessing(store, request.scan, "no header" if request.scan.name == "bad" else None)
            put(store, request.scan.name)
        store.delete(layout.experiment_profiles("bad"))
    assert states(store) == {"bad": "quarantined"}
    assert go(store) == []
    assert [attempt.reason for attempt in release(store, "bad", tries=TRIES)] == ["no header"]
    assert names(go(store)) == ["bad"]
    upload(store, "bad.mib", b"repaired")
    go(store)
    assert names(go(store)) == ["bad"], "another content is another scan"


def test_one_whose_runs_were_all_ended_gets_another_chance_after_six_hours(store, go, states, clock):
    upload(store, "killer.mib")
    go(store)
    for _ in range(TRIES):
        assert names(go(store)) == ["killer"]
    assert go(store) == []
    assert states(store) == {"killer": "quarantined"}
    clock.pass_by(hours=6)
    assert names(go(store)) == ["killer"]


def test_one_that_changes_is_made_again_when_the_intake_made_it_and_replaces_nothing_else(store, go):
    upload(store, "roi_1.mib")
    upload(store, "preprocess.yaml", b"phases: [pb]")
    go(store)
    preprocess(store, go(store))
    for change in ({"preprocess.yaml": b"phases: [pbi2_2h]"}, {"roi_1.mib": b"others"}, {"roi_1_mask.npy": b"mask"}):
        for name, data in change.items():
            upload(store, name, data)
        assert go(store) == [], "it is seen, and may still be written"
        (request,) = go(store)
        assert request.replaces
        preprocess(store, [request])
        assert go(store) == []
    put(store, "of_somebody")
    upload(store, "of_somebody.mib")
    go(store)
    (request,) = go(store)
    assert not request.replaces


def test_an_experiment_that_was_removed_is_made_again(store, go):
    upload(store, "roi_1.mib")
    go(store)
    preprocess(store, go(store))
    store.delete(layout.experiment_profiles("roi_1"))
    (request,) = go(store)
    assert request.replaces, "what is left of it is its own"


def test_a_lost_record_costs_one_more_look(store, go):
    upload(store, "roi_1.mib")
    go(store)
    preprocess(store, go(store))
    store.delete(layout.INTAKE)
    assert go(store) == []
    (request,) = go(store)
    assert not request.replaces


def test_the_document_of_its_own_name_comes_before_that_of_the_folder_and_those_above(store, go):
    for name in ("a.mib", "day/b.mib", "day/c.mib", "day/deep/d.mib"):
        upload(store, name)
    for name, phase in {"preprocess": "pb", "day/preprocess": "pbi2_2h", "day/c": "gratia_2h"}.items():
        upload(store, f"{name}.yaml", f"phases: [{phase}]".encode())
    go(store)
    assert {request.scan.name: request.spec.phases for request in go(store)} == {
        "a": ("pb",), "day_b": ("pbi2_2h",), "day_c": ("gratia_2h",), "day_deep_d": ("pbi2_2h",),
    }  # fmt: skip


def test_a_document_that_cannot_be_read_is_the_scans_failure_and_starts_no_run(store, go, states):
    upload(store, "a.mib")
    upload(store, "a.yaml", b"phaces: [pb]")
    upload(store, "b.mib")
    go(store)
    assert names(go(store)) == ["b"]
    assert states(store)["a"] == "retry"
    (reason,) = (attempt.reason for attempt in read_attempts(store).values() if attempt.reason)
    assert "phases" in reason
    assert "a.yaml" in reason


@pytest.mark.parametrize(
    "text",
    [
        "pixels: {mask: /etc/passwd}", "pixels: {dark: ../models/x.npy}", "pixels: {gain: 's3://other/gain.npy'}",
        "phases: [../secret.cif]", "phases: [/etc/film.cif]", "phases: ['s3://other/film.cif']", "pixels: {mask: '..'}",
        "geometry: {standard: {location: /etc/passwd, phase: pb}}",
        "geometry: {standard: {location: 'http://somewhere/gold.mib', phase: pb}}",
        "geometry: {standard: {location: gold.mib, phase: /root/gold.cif}}",
    ],
)  # fmt: skip
def test_a_document_opens_nothing_but_what_lies_beside_it(home, text):
    upload(home, "day/preprocess.yaml", text.encode())
    with pytest.raises(SpecError, match="lies beside it"):
        read_raw_document(home, "experiments/raw/day/preprocess.yaml")


DOCUMENT = b"""
pixels: {mask: m.npy, find_bad: false}
phases: [pb, film.cif]
geometry: {standard: {location: gold.h5, phase: gold.cif, reading: {dataset_path: entry/data}}}
"""


def test_a_document_names_files_beside_it_and_phases_of_the_catalogue(home):
    upload(home, "day/preprocess.yaml", DOCUMENT)
    spec = read_raw_document(home, "experiments/raw/day/preprocess.yaml")
    folder = f"{home.root.removeprefix('file://')}/experiments/raw/day"
    assert (spec.pixels.mask, spec.pixels.find_bad) == (f"{folder}/m.npy", False)
    assert spec.phases == ("pb", f"{folder}/film.cif")
    standard = spec.geometry.standard
    assert (standard.location, standard.phase) == (f"{folder}/gold.h5", f"{folder}/gold.cif")
    assert standard.reading.dataset_path == "entry/data", "which is in a file, and none"


def test_two_that_would_be_one_experiment_wait_for_another_name(home, go, states):
    for name in ("day/roi.mib", "day_roi.hspy", "other.mib"):
        upload(home, name)
    go(home)
    assert names(go(home)) == ["other"]
    assert states(home) == {"day_roi": "quarantined", "other": "started"}
    home.delete(f"{layout.RAW_SCANS}/day_roi.hspy")
    go(home)
    assert names(go(home, at_work=lambda key: "other" in key)) == ["day_roi"]


def test_of_two_rounds_at_once_one_takes_a_scan(home, go, clock):
    upload(home, "roi_1.mib")
    go(home)
    clock.pass_by(minutes=10)
    rules = RetryRules(clock.now + timedelta(minutes=10), TRIES)
    first = preprocessing_requests(home, list_raw_scans(home), (), rules, quiet_seconds=QUIET, runs=9)
    second = preprocessing_requests(home, list_raw_scans(home), (), rules, quiet_seconds=QUIET, runs=9)
    assert next(first).scan.name == "roi_1"
    assert list(second) == []


def test_rounds_of_profiles_leave_raw_scans_alone(home, go, clock):
    upload(home, "roi_1.mib")
    go(home)
    put(home, "roi_2")
    requests = one_round(home, clock.now, (FIRST,))
    assert mapped(requests) == ["roi_2"]
    assert names(go(home)) == ["roi_1"], "what was seen is still known"
