"""Scans that come in: taken once when they are whole, tried again when they fail, given up with a reason."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError, InputError, StoreError
from difsims_core.ledger import intake, intake_record, registry
from difsims_core.ledger.intake import Outcome, Round, look, read_entries, record, release, scans_to_predict
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectInfo, ObjectStore, expand_urls, open_store

TRIES = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = (f"cnn-0000000{i}-0000-4000-8000-000000000000" for i in (1, 2))


def scan_bytes(rows: int = 2) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(5) / 10, y=np.random.default_rng(rows).random((rows, 2, 5), np.float32))
    return buffer.getvalue()


WHOLE = scan_bytes()
HALF = WHOLE[: len(WHOLE) // 2]


def put(store: ObjectStore, name: str, data: bytes = WHOLE) -> None:
    store.write(layout.experiment_profiles(name), data)


def crown(store: ObjectStore, model: str = FIRST) -> None:
    store.write(f"{layout.model(model)}/bundle.json", b"{}")
    registry.promote(store, registry.read_registry(store), model, why="better", scores={}, by="hand")


def names(entries) -> list[str]:
    return sorted(entry.name for entry in entries)


def states(store: ObjectStore) -> dict[str, tuple[str, int]]:
    return {entry.name: (entry.state, entry.tries) for entry in read_entries(store).values()}


def listed(store: ObjectStore, name: str) -> ObjectInfo:
    (info,) = (info for info in store.describe(layout.PROFILES) if info.key == layout.experiment_profiles(name))
    return info


def outcome_of(store: ObjectStore, name: str, reason: str | None = None, model: str = FIRST) -> None:
    record(store, model, [Outcome(listed(store, name), reason)], tries=TRIES)


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return open_store(store_url)


@pytest.fixture
def home(tmp_path: Path) -> ObjectStore:
    """A store on this machine that has a champion."""
    place = open_store(tmp_path / "store")
    crown(place)
    return place


@pytest.fixture
def go() -> Callable[..., Round]:
    """Rounds a minute apart."""
    minutes = iter(range(10**6))

    def one(store: ObjectStore, **options) -> Round:
        return look(store, START + timedelta(minutes=next(minutes)), tries=TRIES, **options)

    return one


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of scans that were read."""
    seen: list[str] = []
    original = intake.read_profiles

    def read(url):
        seen.append(url)
        return original(url)

    monkeypatch.setattr(intake, "read_profiles", read)
    return seen


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


BAD_NAMES = [
    "scan.npz", "deeper/roi_radial_crop.npz", "_radial_crop.npz", "a[1]_radial_crop.npz", "50%_radial_crop.npz",
    "what?_radial_crop.npz", "new\nline_radial_crop.npz", "back\\slash_radial_crop.npz",
    "x" * 190 + "_radial_crop.npz",
]  # fmt: skip


def test_a_name_that_is_not_allowed_blocks_nobody(store, go, tmp_path):
    crown(store)
    put(store, "good")
    for name in BAD_NAMES:
        put_anything(store, f"{layout.PROFILES}/{name}")
    for name in ("raw/a_radial_crop.npz", "profiles/notes.txt", "profiles/b_radial_crop.npz.part"):
        put_anything(store, f"experiments/{name}")
    found = go(store)
    assert names(found.announce) == ["good"]
    given_up = [entry for entry in found.entries if entry.state == "quarantined"]
    assert len(given_up) == len(BAD_NAMES) == len(found.entries) - 1
    assert all("rename" in entry.reason or "longer than" in entry.reason for entry in given_up)
    assert go(store).changed == ()
    assert scans_to_predict(store)[0] == expand_urls([store.url(layout.experiment_profiles("good"))])


def put_anything(store: ObjectStore, key: str) -> None:
    """Write under a name that the store itself refuses."""
    scheme = store._scheme
    scheme.write(f"{store._path()}/{key}", WHOLE)


def test_a_file_name_that_is_no_text_is_quarantined(home, go):
    put(home, "good")
    folder = os.fsencode(home.root.removeprefix("file://")) + b"/experiments/profiles/"
    Path(os.fsdecode(folder + b"\xff\xfe_radial_crop.npz")).write_bytes(WHOLE)
    assert names(go(home).announce) == ["good"]
    assert states(home)[r"\udcff\udcfe"] == ("quarantined", 0)
    assert go(home).changed == ()


def test_whatever_a_file_does_to_its_reader_the_others_go_on(home, go, monkeypatch):
    original = intake.read_profiles

    def read(url):
        if "evil" in url:
            raise RecursionError("too deep")
        return original(url)

    monkeypatch.setattr(intake, "read_profiles", read)
    for name in ("before", "evil", "later"):
        put(home, name)
    assert names(go(home).announce) == ["before", "later"]
    (entry,) = (entry for entry in read_entries(home).values() if entry.name == "evil")
    assert "RecursionError: too deep" in entry.reason


@pytest.mark.parametrize("rounds", [2, 6])
def test_rounds_at_once_announce_nothing_twice(store, monkeypatch, rounds):
    """All of them have read the record before the first of them writes it."""
    crown(store)
    scans = [f"roi_{number}" for number in range(6)]
    for name in scans:
        put(store, name)
    put(store, "broken", HALF)
    ready, met, original = threading.Barrier(rounds), threading.local(), ObjectStore.replace

    def replace(self, key, data, version):
        if not getattr(met, "yes", False):
            met.yes = True
            ready.wait(60)
        return original(self, key, data, version)

    monkeypatch.setattr(ObjectStore, "replace", replace)
    with ThreadPoolExecutor(rounds) as pool:
        found = list(pool.map(lambda _: look(store, START, tries=TRIES), range(rounds)))
    assert sorted(name for one in found for name in names(one.announce)) == scans
    assert sorted(len(one.announce) for one in found) == [0] * (rounds - 1) + [len(scans)]


def test_rounds_that_were_late_and_start_all_at_once_count_as_one(home):
    put(home, "broken", HALF)
    put(home, "whole")
    found = [look(home, START + timedelta(seconds=second), tries=TRIES) for second in range(8)]
    assert [len(one.announce) for one in found] == [1] + [0] * 7
    assert states(home) == {"broken": ("arriving", 0), "whole": ("announced", 0)}
    look(home, START - timedelta(days=1), tries=TRIES)
    assert states(home)["broken"] == ("failed", 1), "a clock that was set back stops nothing"


def test_what_a_prediction_says_is_kept_while_rounds_go_on(home):
    for number in range(20):
        put(home, f"roi_{number}")
    look(home, START, tries=TRIES)
    with ThreadPoolExecutor(8) as pool:
        rounds = [pool.submit(look, home, START, tries=TRIES, at_work=lambda _url: True) for _ in range(8)]
        kept = [
            pool.submit(outcome_of, home, f"roi_{number}", "bad" if number % 5 == 0 else None) for number in range(20)
        ]
        for one in (*rounds, *kept):
            one.result()
    found = states(home)
    assert [found[f"roi_{number}"][0] for number in range(20) if number % 5] == ["done"] * 16
    assert {found[f"roi_{number}"][0] for number in range(0, 20, 5)} <= {"failed", "announced"}


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


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "scans": []}', '{"format": 1, "scans": [{"key": 1}]}', '{"format": 1}']
)
def test_a_damaged_record_says_what_to_do(home, text):
    home.write(intake_record.RECORD, text.encode())
    with pytest.raises(CorruptDataError, match=r"intake\.json.*delete it: then every scan is looked at anew"):
        look(home, START, tries=TRIES)


def test_a_record_that_always_changes_is_given_up(home, monkeypatch):
    monkeypatch.setattr(intake_record, "_STEP_SECONDS", 0)
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    put(home, "roi_1")
    with pytest.raises(StoreError, match="changed it 50 times"):
        look(home, START, tries=TRIES)


def test_entries_are_given_latest_first(home, go):
    for name in ("a", "c", "b"):
        put(home, name)
        found = go(home)
    assert [entry.name for entry in found.entries] == ["b", "c", "a"]
