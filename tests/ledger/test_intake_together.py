"""The intake among other people's names, broken files, and rounds and predictions at the same moment."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.errors import CorruptDataError, StoreError
from difsims_core.ledger import intake_record
from difsims_core.ledger.intake import look, read_entries, scans_to_predict
from difsims_core.ledger.scans import scan_key
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, expand_urls
from tests.ledger.uploads import (
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


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "scans": []}', '{"format": 1, "scans": [{"key": 1}]}', '{"format": 1}']
)
def test_a_damaged_record_says_what_to_do(home, text):
    home.write(layout.INTAKE, text.encode())
    with pytest.raises(CorruptDataError, match=r"intake\.json.*delete it: then every scan is looked at anew"):
        look(home, START, tries=TRIES)


def test_a_record_that_always_changes_is_given_up(home, monkeypatch):
    monkeypatch.setattr(intake_record, "_STEP_SECONDS", 0)
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    put(home, "roi_1")
    with pytest.raises(StoreError, match="changed it 50 times"):
        look(home, START, tries=TRIES)
