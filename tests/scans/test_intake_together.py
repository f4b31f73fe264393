"""The intake among other people's names, broken files, and rounds and outcomes at the same moment."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.errors import CorruptDataError, StoreError
from difsims_core.retrying import Retry
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import scan_states, scans_to_predict
from difsims_core.scans.listing import scan_key
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout, update
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import ObjectStore, expand_urls
from tests.uploads import (
    FIRST,
    HALF,
    START,
    TRIES,
    WHOLE,
    ReaderHere,
    fail,
    map_scan,
    names,
    one_round,
    put,
    reasons,
    states,
)  # fmt: skip

BAD_NAMES = [
    "scan.npz", "deeper/roi_radial_crop.npz", "_radial_crop.npz", "new\nline_radial_crop.npz",
    "back\\slash_radial_crop.npz", "x" * 190 + "_radial_crop.npz",
]  # fmt: skip


def attempt_of(**changes: object) -> dict[str, object]:
    found = {"scan": "k", "model": FIRST, "size": 1, "etag": "e", "tries": 1, "at": START.isoformat(), "reason": ""}
    return found | changes


DAMAGED = {
    "another format": {"format": 2, "attempts": []},
    "no format": {"attempts": []},
    "no attempts": {"format": 3},
    "no list": {"format": 3, "attempts": {}},
    "no object": {"format": 3, "attempts": [1]},
    "fields missing": {"format": 3, "attempts": [{"scan": "k"}]},
    "one scan twice": {"format": 3, "attempts": [attempt_of(), attempt_of()]},
} | {
    f"{name}={value!r}": {"format": 3, "attempts": [attempt_of(**{name: value})]}
    for name, value in [
        ("scan", 1), ("scan", ""), ("size", -1), ("size", "1"), ("size", 1.5), ("size", True), ("etag", None),
        ("model", 3), ("model", "cnn-1"), ("at", ""), ("at", "yesterday"), ("at", "2026-01-01"), ("at", None),
        ("tries", -1), ("tries", 2.0), ("tries", 2**64), ("reason", None), ("colour", "red"),
    ]
}  # fmt: skip


def test_a_name_that_is_not_allowed_blocks_nobody(store):
    put(store, "good")
    for name in BAD_NAMES:
        put_anything(store, f"{layout.PROFILES}/{name}")
    for name in ("raw/a_radial_crop.npz", "profiles/notes.txt", "profiles/b_radial_crop.npz.part"):
        put_anything(store, f"experiments/{name}")
    assert names(one_round(store, START)) == ["good"]
    found = scan_states(Inventory.listed(store, [FIRST]), read_attempts(store), tries=TRIES)
    given_up = [state for state in found if state.state == "quarantined"]
    assert len(given_up) == len(BAD_NAMES) == len(found) - 1
    assert all(state.reason for state in given_up)
    assert all(state.name.isprintable() and state.key.isprintable() for state in found)
    assert scans_to_predict(store)[0] == expand_urls([store.url(layout.experiment_profiles("good"))])


def test_signs_of_urls_and_globs_are_letters_in_the_name_of_a_scan(store):
    odd = ["50%", "a%20b", "a b", "what?", "a[1]", "a1", "..%2F..%2Fx", "n#1", "ä·\u202f1"]
    for name in odd:
        put(store, name)
    (request,) = one_round(store, START)
    assert len(request.scans) == len(odd)
    usable, left = scans_to_predict(store)
    assert expand_urls(usable) == usable
    assert sorted(usable) == sorted(expand_urls(store.url(scan.key) for scan in request.scans))
    assert {scan_key(store, url) for url in usable} == {scan.key for scan in request.scans}
    assert sorted(experiment_name(url) for url in usable) == sorted(experiment_name(scan.key) for scan in request.scans)
    assert left == {}
    for name in odd:
        map_scan(store, name)
    assert one_round(store, START + timedelta(hours=1)) == []


def put_anything(store: ObjectStore, key: str) -> None:
    """Write under a name that the store itself refuses."""
    store._backend.write(f"{store._path()}/{key}", WHOLE)


def test_a_file_name_that_is_no_text_is_quarantined(home):
    put(home, "good")
    folder = os.fsencode(home.root.removeprefix("file://")) + b"/experiments/profiles/"
    Path(os.fsdecode(folder + b"\xff\xfe_radial_crop.npz")).write_bytes(WHOLE)
    assert names(one_round(home, START)) == ["good"]
    assert states(home)[r"\udcff\udcfe"] == ("quarantined", 0)


def test_whatever_a_file_does_to_its_reader_the_others_go_on(home, monkeypatch):
    original = ReaderHere.problem

    def problem(self, url):
        if "evil" in url:
            raise RecursionError("too deep")
        return original(self, url)

    monkeypatch.setattr(ReaderHere, "problem", problem)
    for name in ("before", "evil", "later"):
        put(home, name)
    assert names(one_round(home, START)) == ["before", "later"]
    assert "RecursionError: too deep" in reasons(home)["evil"]


@pytest.mark.parametrize("rounds", [2, 6])
def test_rounds_at_once_start_nothing_twice(store, monkeypatch, rounds):
    """All of them have read the record before the first of them writes it."""
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
        found = list(pool.map(lambda _: one_round(store, START), range(rounds)))
    assert sorted(name for one in found for name in names(one)) == scans
    assert sorted(len(names(one)) for one in found) == [0] * (rounds - 1) + [len(scans)]


def test_rounds_that_were_late_and_start_all_at_once_count_as_one(home):
    put(home, "broken", HALF)
    put(home, "whole")
    found = [one_round(home, START + timedelta(seconds=second)) for second in range(8)]
    assert [names(one) for one in found] == [["whole"]] + [[]] * 7
    assert states(home) == {"broken": ("retry", 1), "whole": ("started", 1)}
    one_round(home, START - timedelta(days=1))
    assert states(home)["broken"] == ("retry", 2), "a clock that was set back stops nothing"


def test_what_a_run_says_is_kept_while_rounds_go_on(home):
    for number in range(20):
        put(home, f"roi_{number}")
    one_round(home, START)
    running = {layout.experiment_profiles(f"roi_{number}") for number in range(0, 20, 5)}
    with ThreadPoolExecutor(8) as pool:
        rounds = [pool.submit(one_round, home, START, at_work=lambda _, scan: scan in running) for _ in range(8)]
        kept = [pool.submit(fail, home, f"roi_{number}", "bad") for number in range(0, 20, 5)]
        mapped = [pool.submit(map_scan, home, f"roi_{number}") for number in range(20) if number % 5]
        for one in (*rounds, *kept, *mapped):
            one.result()
    found = states(home)
    assert [found[f"roi_{number}"][0] for number in range(20) if number % 5] == ["complete"] * 16
    assert {found[f"roi_{number}"] for number in range(0, 20, 5)} == {("retry", 1)}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_record_says_what_to_do(home, case):
    home.write_record(layout.INTAKE, DAMAGED[case])
    with pytest.raises(CorruptDataError, match=r"intake\.json: "):
        one_round(home, START)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": 3, "attempts": []}', b"\xff", b"[" * 200_000])
def test_a_record_without_its_checksum_is_none(home, data):
    home.write(layout.INTAKE, data)
    with pytest.raises(CorruptDataError, match=r"intake\.json.*`difsims convert`"):
        one_round(home, START)


def test_every_changed_bit_of_the_record_is_noticed(home):
    put(home, "roi_1")
    one_round(home, START)
    data = home.read(layout.INTAKE)
    for bit in range(0, len(data) * 8, 5):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        home.write(layout.INTAKE, bytes(changed))
        with pytest.raises(CorruptDataError):
            read_attempts(home)


def test_what_cannot_be_written_is_spelt_out_in_a_reason(home, monkeypatch):
    monkeypatch.setattr(ReaderHere, "problem", lambda *_: "half a character: \udc80")
    put(home, "odd")
    one_round(home, START)
    assert reasons(home) == {"odd": r"half a character: \udc80"}
    fail(home, "odd", "\ud800")
    assert read_attempts(home)[layout.experiment_profiles("odd"), FIRST].reason == r"\ud800"


def test_a_record_that_always_changes_is_given_up(home, monkeypatch):
    monkeypatch.setattr(update, "CONFLICTS", Retry(tries=3, pause=0.0))
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    put(home, "roi_1")
    with pytest.raises(StoreError, match=r"intake\.json: .* 3 "):
        one_round(home, START)
