"""Scans that come in: mapped by every wanted model once whole, tried again when they fail, given up with a reason."""

from __future__ import annotations

import os
import time

import pytest

from difsims_core.errors import InputError
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import evaluation_failures, release, scans_to_predict
from difsims_core.storage import layout
from tests.uploads import (
    FIRST,
    HALF,
    SECOND,
    TRIES,
    WHOLE,
    fail,
    listed,
    map_scan,
    names,
    put,
    reasons,
    scan_bytes,
    states,
)  # fmt: skip

BOTH = (FIRST, SECOND)


def work_done(_model: str, _scan: str) -> bool:
    return True


def test_a_whole_scan_is_started_once_and_read_once(store, go, reads):
    put(store, "roi_1")
    (request,) = go(store)
    assert (request.model, names([request]), request.predicted) == (FIRST, ["roi_1"], False)
    assert [scan.key for scan in request.new] == [layout.experiment_profiles("roi_1")]
    assert reads == [store.url(layout.experiment_profiles("roi_1"))]
    assert go(store, at_work=work_done) == []
    map_scan(store, "roi_1")
    for _ in range(5):
        assert go(store) == []
    assert len(reads) == 1
    assert states(store) == {"roi_1": ("complete", 0)}
    assert read_attempts(store) == {}, "what the listings tell is written down nowhere"


def test_every_wanted_model_maps_every_scan_the_first_model_first(store, go, reads):
    for name in ("b", "a"):
        put(store, name)
    assert [(request.model, names([request])) for request in go(store, BOTH)] == [(model, ["a", "b"]) for model in BOTH]
    assert len(reads) == 2
    map_scan(store, "a", SECOND)
    assert states(store, BOTH) == {"a": ("started", 1), "b": ("started", 1)}
    (request,) = go(store, BOTH, at_work=lambda model, _scan: model == FIRST)
    assert (request.model, names([request]), request.tries) == (SECOND, ["b"], 2)
    for model in BOTH:
        for name in ("a", "b"):
            map_scan(store, name, model)
    assert go(store, BOTH) == []


def test_a_model_that_is_wanted_later_maps_what_is_there_unread(home, go, reads):
    put(home, "roi_1")
    go(home)
    map_scan(home, "roi_1")
    assert [request.model for request in go(home, BOTH)] == [SECOND]
    assert len(reads) == 1, "that the other model has mapped it shows that it can be read"


def test_a_map_without_scores_is_evaluated_and_nothing_else(home, go, reads):
    put(home, "roi_1")
    map_scan(home, "roi_1", evaluated=False)
    (request,) = go(home)
    assert (names([request]), request.predicted, request.new) == (["roi_1"], True, ())
    assert reads == []
    map_scan(home, "roi_1")
    assert go(home) == []


def test_a_run_takes_at_most_fifty_scans_and_a_round_starts_no_more_runs_than_it_may(home, go):
    for number in range(120):
        put(home, f"roi_{number:03d}")
    found = go(home, BOTH, runs=4)
    assert [(request.model, len(request.scans)) for request in found] == [
        (FIRST, 50), (FIRST, 50), (FIRST, 20), (SECOND, 50),
    ]  # fmt: skip
    assert go(home, BOTH, runs=0) == []


def test_a_scan_on_its_way_is_left_until_it_is_whole(store, go):
    for size in (1, 40, len(WHOLE) // 2, len(WHOLE) - 1):
        put(store, "slow", WHOLE[:size])
        assert go(store) == []
        assert states(store) == {"slow": ("retry", 1)}
    put(store, "slow")
    assert names(go(store)) == ["slow"]


def test_a_scan_that_stays_broken_is_given_up_and_the_others_go_through(store, go, reads):
    put(store, "broken", HALF)
    for number, expected in enumerate([("retry", 1), ("retry", 2), ("quarantined", 3), ("quarantined", 3)]):
        put(store, f"good_{number}")
        assert names(go(store)) == [f"good_{number}"]
        map_scan(store, f"good_{number}")
        assert states(store)["broken"] == expected
    assert "npz" in reasons(store)["broken"]
    assert reads.count(store.url(layout.experiment_profiles("broken"))) == TRIES
    put(store, "broken", HALF[:-1])
    go(store)
    assert states(store)["broken"] == ("retry", 1)
    put(store, "broken")
    assert names(go(store)) == ["broken"]


@pytest.mark.parametrize("mapped", [True, False])
def test_another_content_starts_anew(home, go, mapped):
    for rows in (2, 3):
        put(home, "roi_1", scan_bytes(rows))
        assert [(names([request]), request.tries) for request in go(home)] == [(["roi_1"], 1)]
        if mapped:
            map_scan(home, "roi_1")
        time.sleep(0.02)  # times of files are not finer


def test_another_time_is_another_content_of_a_file_even_one_of_long_ago(home, go):
    put(home, "roi_1")
    go(home)
    map_scan(home, "roi_1")
    time.sleep(0.02)
    path = home.root.removeprefix("file://") + "/" + layout.experiment_profiles("roi_1")
    os.utime(path, (1e9, 1e9))
    assert names(go(home)) == ["roi_1"]


def test_a_scan_that_changes_while_it_is_mapped_is_mapped_again(home, go):
    """The map is younger than the scan, and of what the scan was before."""
    put(home, "roi_1")
    go(home)
    put(home, "roi_1", scan_bytes(3))
    map_scan(home, "roi_1")
    assert names(go(home)) == ["roi_1"]
    assert go(home) == []


def test_a_scan_that_cannot_be_predicted_is_tried_again_and_given_up(home, go):
    put(home, "short_axis")
    for number in range(1, TRIES + 1):
        assert names(go(home)) == ["short_axis"]
        fail(home, "short_axis", "its axis ends too early")
        assert states(home)["short_axis"] == ("retry" if number < TRIES else "quarantined", number)
    assert go(home) == []
    assert reasons(home) == {"short_axis": "its axis ends too early"}
    map_scan(home, "short_axis")
    assert states(home) == {"short_axis": ("complete", 0)}


def test_a_model_that_fails_on_a_scan_stops_no_other(home, go):
    put(home, "short_axis")
    for _ in range(TRIES):
        go(home, BOTH, at_work=lambda model, _scan: model == SECOND)
        fail(home, "short_axis", "its axis ends too early")
    assert [request.model for request in go(home, BOTH)] == [SECOND]


def test_a_map_that_cannot_be_evaluated_is_given_up_too(home, go):
    put(home, "odd")
    map_scan(home, "odd", evaluated=False)
    url = home.url(layout.prediction(FIRST, "odd_radial_crop"))
    elsewhere = f"file:///elsewhere/{url.rpartition('/')[2]}"
    for _ in range(TRIES):
        (request,) = go(home)
        assert request.predicted
        failures = evaluation_failures(home, {url: "no crystal", elsewhere: "gone"})
        assert [(model, len(failed)) for model, failed in failures.items()] == [(FIRST, 1)]
        fail(home, "odd", failures[FIRST][0].reason)
    assert go(home) == []
    assert states(home) == {"odd": ("quarantined", TRIES)}


def test_a_run_that_is_gone_without_a_word_is_started_again(home, go):
    """The run was killed before it could map anything."""
    put(home, "killer")
    assert [len(go(home)) for _ in range(8)] == [1, 1, 1, 0, 0, 0, 0, 0]
    assert states(home) == {"killer": ("quarantined", TRIES)}
    assert "ended before it could say anything" in reasons(home)["killer"]


def test_of_a_run_that_was_killed_each_scan_is_tried_alone(home, go):
    for name in ("a", "killer", "z"):
        put(home, name)
    assert [names([request]) for request in go(home)] == [["a", "killer", "z"]]
    put(home, "new")
    assert [names([request]) for request in go(home)] == [["new"], ["a"], ["killer"], ["z"]]


def test_a_scan_without_an_answer_gets_another_chance_in_the_end(home, go, clock):
    """Nothing predicted for a while: the scan is well, and nobody has to release it."""
    put(home, "patient")
    assert sum(len(go(home)) for _ in range(6)) == TRIES
    clock.pass_by(hours=5)
    assert go(home) == []
    clock.pass_by(hours=1)
    assert names(go(home)) == ["patient"]
    assert [len(go(home)) for _ in range(6)] == [0] * 6
    assert states(home)["patient"][0] == "quarantined"
    clock.pass_by(hours=6)
    assert names(go(home)) == ["patient"]
    map_scan(home, "patient")
    assert states(home) == {"patient": ("complete", 0)}


def test_a_run_that_waits_or_goes_on_is_waited_for(home, go):
    put(home, "long")
    asked = set()

    def at_work(model, scan):
        asked.add((model, scan))
        return True

    assert names(go(home)) == ["long"]
    assert [go(home, at_work=at_work) for _ in range(20)] == [[]] * 20
    assert asked == {(FIRST, layout.experiment_profiles("long"))}
    assert names(go(home)) == ["long"]


def test_without_a_wanted_model_scans_wait_unread(store, go, reads):
    put(store, "early")
    for _ in range(5):
        assert go(store, ()) == []
        assert states(store, ()) == {"early": ("waiting", 0)}
    assert reads == []
    assert names(go(store)) == ["early"]


def test_a_scan_that_went_and_a_model_that_is_not_wanted_are_forgotten(home, go):
    for name in ("roi_1", "roi_2"):
        put(home, name)
    go(home, BOTH)
    home.delete(layout.experiment_profiles("roi_1"))
    go(home, at_work=work_done)
    assert set(read_attempts(home)) == {(layout.experiment_profiles("roi_2"), FIRST)}


def test_scans_without_their_maps_after_a_store_came_back_are_mapped(home, go):
    for name in ("a", "b"):
        put(home, name)
    go(home)
    for name in ("a", "b"):
        map_scan(home, name)
    assert go(home) == []
    home.delete_tree(layout.predictions(FIRST))
    home.delete(layout.INTAKE)
    assert names(go(home)) == ["a", "b"]


def test_a_released_scan_is_taken_as_a_new_one(home, go):
    put(home, "broken", HALF)
    for _ in range(TRIES):
        go(home)
    put(home, "good")
    with pytest.raises(InputError, match=r"\(broken\).*'good'"):
        release(home, "good", tries=TRIES)
    assert [attempt.tries for attempt in release(home, "broken", tries=TRIES)] == [TRIES]
    go(home)
    assert states(home) == {"broken": ("retry", 1), "good": ("started", 1)}


def test_what_cannot_be_read_or_was_given_up_is_not_predicted_with_the_rest(home, go):
    put(home, "half", HALF)
    for name in ("good", "short"):
        put(home, name)
    go(home)
    put(home, "new")
    for _ in range(TRIES):
        fail(home, "short", "its axis ends too early")
    urls, left = scans_to_predict(home, FIRST, tries=TRIES)
    assert [url.rsplit("/", 1)[-1] for url in urls] == ["good_radial_crop.npz", "new_radial_crop.npz"]
    assert left.keys() == {"half", "short"}
    assert left["short"] == "its axis ends too early"
    assert scans_to_predict(home, SECOND, tries=TRIES)[1].keys() == {"half"}
    put(home, "half")
    assert len(scans_to_predict(home)[0]) == 4, "it has changed since"


def test_a_failure_that_no_round_has_started_is_counted_as_well(home, go):
    put(home, "short")
    for number in range(1, TRIES + 1):
        fail(home, "short", "no")
        assert read_attempts(home)[listed(home, "short").key, FIRST].tries == number
    assert go(home) == []
