"""The intake among other people's names, broken files, and rounds and predictions at the same moment."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.errors import CorruptDataError, StoreError
from difsims_core.scans import intake_record
from difsims_core.scans.intake import look, read_entries, scans_to_predict
from difsims_core.scans.listing import scan_key
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, expand_urls
from tests.uploads import (
    HALF,
    START,
    TRIES,
    WHOLE,
    ReaderHere,
    crown,
    names,
    outcome_of,
    put,
    states,
)  # fmt: skip

BAD_NAMES = [
    "scan.npz", "deeper/roi_radial_crop.npz", "_radial_crop.npz", "new\nline_radial_crop.npz",
    "back\\slash_radial_crop.npz", "x" * 190 + "_radial_crop.npz",
]  # fmt: skip


def entry_of(**changes: object) -> dict[str, object]:
    moment = START.isoformat()
    entry = {"key": "k", "name": "n", "size": 1, "etag": "e", "state": "done", "since": moment, "looked": moment}
    return entry | changes


DAMAGED = {
    "another format": {"format": 1, "scans": []},
    "no format": {"scans": []},
    "no scans": {"format": 2},
    "no list": {"format": 2, "scans": {}},
    "no object": {"format": 2, "scans": [1]},
    "fields missing": {"format": 2, "scans": [{"key": "k"}]},
    "one scan twice": {"format": 2, "scans": [entry_of(), entry_of()]},
} | {
    f"{name}={value!r}": {"format": 2, "scans": [entry_of(**{name: value})]}
    for name, value in [
        ("key", 1), ("name", None), ("size", -1), ("size", "1"), ("size", 1.5), ("size", True), ("etag", None),
        ("state", "odd"), ("state", ["done"]), ("since", ""), ("since", "yesterday"), ("since", "2026-01-01"),
        ("looked", "2026-01-01T00:00:00"), ("tries", -1), ("tries", 2.0), ("tries", 2**64),
        ("rounds", "0"), ("reason", None),
        ("model", 3), ("reading", "now"), ("reading", 0), ("alone", 1), ("alone", None), ("colour", "red"),
    ]
}  # fmt: skip


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


def test_signs_of_urls_and_globs_are_letters_in_the_name_of_a_scan(store, go):
    crown(store)
    odd = ["50%", "a%20b", "a b", "what?", "a[1]", "a1", "..%2F..%2Fx", "n#1", "ä·\u202f1"]
    for name in odd:
        put(store, name)
    announced = go(store).announce
    assert names(announced) == sorted(odd)
    assert not go(store).changed
    usable, left = scans_to_predict(store)
    assert expand_urls(usable) == usable
    assert sorted(usable) == sorted(expand_urls(store.url(entry.key) for entry in announced))
    assert {scan_key(store, url) for url in usable} == {entry.key for entry in announced}
    assert left == []


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
    original = ReaderHere.problem

    def problem(self, url):
        if "evil" in url:
            raise RecursionError("too deep")
        return original(self, url)

    monkeypatch.setattr(ReaderHere, "problem", problem)
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


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_record_says_what_to_do(home, case):
    home.write_record(layout.INTAKE, DAMAGED[case])
    with pytest.raises(CorruptDataError, match=r"intake\.json.*delete it: then every scan is looked at anew"):
        look(home, START, tries=TRIES)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format": 2, "scans": []}', b"\xff", b"[" * 200_000])
def test_a_record_without_its_checksum_is_none(home, data):
    home.write(layout.INTAKE, data)
    with pytest.raises(CorruptDataError, match=r"intake\.json.*delete it: then every scan is looked at anew"):
        look(home, START, tries=TRIES)


def test_every_changed_bit_of_the_record_is_noticed(home):
    put(home, "roi_1")
    look(home, START, tries=TRIES)
    data = home.read(layout.INTAKE)
    for bit in range(0, len(data) * 8, 5):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        home.write(layout.INTAKE, bytes(changed))
        with pytest.raises(CorruptDataError):
            read_entries(home)


def test_what_cannot_be_written_is_spelt_out_in_a_reason(home, monkeypatch):
    monkeypatch.setattr(ReaderHere, "problem", lambda *_: "half a character: \udc80")
    put(home, "odd")
    for number in range(2):
        look(home, START + timedelta(minutes=number), tries=TRIES)
    (entry,) = read_entries(home).values()
    assert entry.reason == r"half a character: \udc80"
    outcome_of(home, "odd", "\ud800")
    assert read_entries(home)[entry.key].reason == r"\ud800"


def test_a_record_of_an_earlier_version_is_converted(home):
    """It had no checksum, and nothing of what is being read."""
    scans = [entry_of(), entry_of(key="l", state="failed", tries=2, reason="no", rounds=1, model=None)]
    earlier = json.dumps({"format": 1, "scans": scans}).encode()
    home.write(layout.INTAKE, earlier)
    with pytest.raises(CorruptDataError, match="difsims convert"):
        read_entries(home)
    home.write(layout.INTAKE, intake_record.converted(earlier, "here"))
    found = read_entries(home)
    assert {key: (entry.state, entry.tries, entry.reading) for key, entry in found.items()} == {
        "k": ("done", 0, ""), "l": ("failed", 2, ""),
    }  # fmt: skip
    for wrong in (b"", b"{}", json.dumps({"format": 1, "scans": [entry_of(size=-1)]}).encode()):
        with pytest.raises(CorruptDataError, match="here: not the record"):
            intake_record.converted(wrong, "here")


def test_a_record_that_always_changes_is_given_up(home, monkeypatch):
    monkeypatch.setattr(intake_record, "_STEP_SECONDS", 0)
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    put(home, "roi_1")
    with pytest.raises(StoreError, match="changed it 50 times"):
        look(home, START, tries=TRIES)
