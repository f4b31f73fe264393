"""Scans that come in: taken once when they are whole, tried again when they fail, given up with a reason."""

from __future__ import annotations

import os

import pytest

from difsims_core.errors import InputError
from difsims_core.scans.intake import Outcome, read_entries, record, release, scans_to_predict
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.uploads import (
    FIRST,
    HALF,
    SECOND,
    TRIES,
    WHOLE,
    crown,
    listed,
    names,
    outcome_of,
    put,
    scan_bytes,
    states,
)  # fmt: skip


def test_a_whole_scan_is_announced_once_and_read_once(store, go, reads):
    crown(store)
    put(store, "roi_1")
    assert names(go(store).announce) == ["roi_1"]
    assert reads == [store.url(layout.experiment_profiles("roi_1"))]
    outcome_of(store, "roi_1")
    for _ in range(5):
        quiet = go(store)
        assert (quiet.announce, quiet.changed, quiet.gone) == ((), (), ())
    assert len(reads) == 1
    (entry,) = quiet.entries
    assert (entry.state, entry.model, entry.size) == ("done", FIRST, len(WHOLE))


def test_a_scan_on_its_way_is_left_until_it_is_whole(store, go):
    crown(store)
    for size in (1, 40, len(WHOLE) // 2, len(WHOLE) - 1):
        put(store, "slow", WHOLE[:size])
        assert go(store).announce == ()
        assert states(store) == {"slow": ("arriving", 0)}
    put(store, "slow")
    assert names(go(store).announce) == ["slow"]


def test_a_scan_that_stays_broken_is_given_up_and_the_others_go_through(store, go, reads):
    crown(store)
    put(store, "broken", HALF)
    for number, expected in enumerate([("arriving", 0), ("failed", 1), ("failed", 2), ("quarantined", 3)]):
        put(store, f"good_{number}")
        found = go(store)
        assert names(found.announce) == [f"good_{number}"]
        outcome_of(store, f"good_{number}")
        assert states(store)["broken"] == expected
    assert "npz" in next(entry.reason for entry in found.changed if entry.name == "broken")
    before = reads.count(store.url(layout.experiment_profiles("broken")))
    assert go(store).changed == ()
    assert reads.count(store.url(layout.experiment_profiles("broken"))) == before == 4
    put(store, "broken", HALF[:-1])
    go(store)
    assert states(store)["broken"] == ("arriving", 0)
    put(store, "broken")
    assert names(go(store).announce) == ["broken"]


def test_another_content_starts_anew(store, go):
    crown(store)
    for rows in (2, 3):
        put(store, "roi_1", scan_bytes(rows))
        assert names(go(store).announce) == ["roi_1"]
        outcome_of(store, "roi_1")


def test_another_time_is_another_content_of_a_file(home, go):
    put(home, "roi_1")
    go(home)
    path = home.root.removeprefix("file://") + "/" + layout.experiment_profiles("roi_1")
    os.utime(path, (1e9, 1e9))
    assert names(go(home).announce) == ["roi_1"]


def test_a_scan_that_cannot_be_predicted_is_tried_again_and_given_up(home, go):
    put(home, "short_axis")
    for number in range(1, TRIES + 1):
        assert names(go(home).announce) == ["short_axis"]
        outcome_of(home, "short_axis", "its axis ends too early")
        assert states(home)["short_axis"] == ("failed" if number < TRIES else "quarantined", number)
    assert go(home).announce == ()
    (entry,) = read_entries(home).values()
    assert entry.reason == "its axis ends too early"
    outcome_of(home, "short_axis")
    assert states(home) == {"short_axis": ("done", 0)}


def test_an_announcement_without_an_answer_is_made_again(home, go):
    """The run was killed between the announcement and the prediction."""
    put(home, "killer")
    announced = [len(go(home).announce) for _ in range(12)]
    assert announced == [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]
    (entry,) = read_entries(home).values()
    assert (entry.state, entry.tries) == ("quarantined", TRIES)
    assert "no prediction came of it" in entry.reason


def test_a_scan_without_an_answer_gets_another_chance_in_the_end(home, go, clock):
    """Nothing predicted for a while: the scan is well, and nobody has to release it."""
    put(home, "patient")
    announced = [len(go(home).announce) for _ in range(12)]
    assert sum(announced) == TRIES
    clock.pass_by(hours=5)
    assert go(home).announce == ()
    clock.pass_by(hours=1)
    assert names(go(home).announce) == ["patient"]
    assert [len(go(home).announce) for _ in range(6)] == [0] * 6
    assert states(home)["patient"][0] == "quarantined"
    clock.pass_by(hours=6)
    assert names(go(home).announce) == ["patient"]
    outcome_of(home, "patient")
    assert states(home) == {"patient": ("done", 0)}


def test_a_run_that_waits_or_runs_is_waited_for(home, go):
    put(home, "long")
    urls = []

    def at_work(url):
        urls.append(url)
        return True

    assert [len(go(home, at_work=at_work).announce) for _ in range(20)] == [1] + [0] * 19
    assert set(urls) == {home.url(layout.experiment_profiles("long"))}
    assert [len(go(home).announce) for _ in range(3)] == [0, 0, 1]


def test_without_a_champion_scans_wait_unread(tmp_path, go, reads):
    store = open_store(tmp_path / "store")
    put(store, "early")
    for _ in range(5):
        assert go(store).announce == ()
        assert states(store) == {"early": ("waiting", 0)}
    crown(store)
    assert names(go(store).announce) == ["early"]
    assert len(reads) == 1


def test_a_new_champion_announces_itself_and_is_only_reminded(home, go):
    put(home, "roi_1")
    go(home)
    outcome_of(home, "roi_1")
    crown(home, SECOND)
    assert [len(go(home).announce) for _ in range(4)] == [0, 0, 0, 1]
    outcome_of(home, "roi_1", model=SECOND)
    assert read_entries(home)[layout.experiment_profiles("roi_1")].model == SECOND
    assert go(home).changed == ()


def test_only_the_champion_and_the_present_content_count(home, go):
    for name in ("roi_1", "roi_2"):
        put(home, name)
    go(home)
    outcome_of(home, "roi_1", "wrong axis", model=SECOND)
    old = listed(home, "roi_2")
    put(home, "roi_2", HALF)
    go(home)
    record(home, FIRST, [Outcome(old)], tries=TRIES)
    assert states(home) == {"roi_1": ("announced", 0), "roi_2": ("arriving", 0)}


def test_a_prediction_before_the_first_round_is_known_to_it(home, go):
    for name in ("fine", "short"):
        put(home, name)
    outcome_of(home, "fine")
    outcome_of(home, "short", "its axis ends too early")
    assert names(go(home).announce) == ["short"]
    assert states(home) == {"fine": ("done", 0), "short": ("announced", 1)}


def test_a_released_scan_is_taken_as_a_new_one(home, go):
    put(home, "broken", HALF)
    while not states(home) or states(home)["broken"][0] != "quarantined":
        go(home)
    put(home, "good")
    with pytest.raises(InputError, match=r"quarantined experiment \(broken\), found 'good'"):
        release(home, "good")
    assert release(home, "broken").tries == TRIES
    go(home)
    assert states(home) == {"broken": ("arriving", 0), "good": ("announced", 0)}


def test_a_scan_that_went_is_forgotten(home, go):
    put(home, "roi_1")
    go(home)
    home.delete(layout.experiment_profiles("roi_1"))
    assert names(go(home).gone) == ["roi_1"]
    assert read_entries(home) == {}


def test_what_cannot_be_read_is_not_predicted_with_the_rest(home, go):
    put(home, "half", HALF)
    put(home, "good")
    go(home)
    put(home, "new")
    urls, left = scans_to_predict(home)
    assert [url.rsplit("/", 1)[-1] for url in urls] == ["good_radial_crop.npz", "new_radial_crop.npz"]
    assert [(entry.name, entry.state) for entry in left] == [("half", "arriving")]
    put(home, "half")
    assert len(scans_to_predict(home)[0]) == 3, "it has changed since"


def test_entries_are_given_latest_first(home, go):
    for name in ("a", "c", "b"):
        put(home, name)
        found = go(home)
    assert [entry.name for entry in found.entries] == ["b", "c", "a"]
