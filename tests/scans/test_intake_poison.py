"""A scan that kills whoever reads it: given up after its tries, and every other scan is announced."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from difsims_core.errors import InputError
from difsims_core.scans import intake, isolated_reader
from difsims_core.scans.intake import ReadingLimits, look, read_entries, rounds, scans_to_predict
from difsims_core.scans.isolated_reader import ScanReader, ScanReaderError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.scans.test_isolated_reader import MISBEHAVING
from tests.uploads import START, TRIES, WHOLE, ReaderHere, crown, names, outcome_of, put, states

OTHERS = ["alpha", "beta", "omega", "zeta"]
LONG = timedelta(hours=1)


class PowerCutError(BaseException):
    """The end of the process in the middle of a round."""


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a scan called killer ends."""
    original = ReaderHere.problem

    def problem(self: ReaderHere, url: str) -> str | None:
        if "killer" in url:
            raise PowerCutError
        return original(self, url)

    monkeypatch.setattr(ReaderHere, "problem", problem)


def run(store: ObjectStore, number: int) -> tuple[list[str], bool]:
    """Run the rounds of one start of the watch; return what was announced, and whether it came to its end."""
    announced = []
    try:
        for found in rounds(store, START + number * LONG, tries=TRIES):
            announced += names(found.announce)
    except PowerCutError:
        return announced, False
    return announced, True


def test_the_intent_to_read_is_written_before_reading(home, deadly):
    put(home, "killer")
    put(home, "other")
    assert run(home, 0) == ([], False)
    for entry in read_entries(home).values():
        assert (entry.state, entry.reading, entry.alone) == ("arriving", START.isoformat(), False)


def test_a_scan_that_ends_every_round_is_given_up_and_all_others_are_announced(home, deadly):
    for name in (*OTHERS, "killer"):
        put(home, name)
    announced, ended = zip(*(run(home, number) for number in range(2 * TRIES + 3)), strict=True)
    assert sorted(name for some in announced[:3] for name in some) == OTHERS, "each once, within two rounds more"
    assert ended.count(False) == 1 + TRIES, "once with the others, then as often as it may fail"
    assert ended[-2:] == (True, True)
    (killer,) = (entry for entry in read_entries(home).values() if entry.name == "killer")
    assert (killer.state, killer.tries) == ("quarantined", TRIES)
    assert "ended before it could say anything" in killer.reason
    put(home, "late")
    assert run(home, 2 * TRIES + 3) == (["late"], True)


def test_scans_that_come_later_are_announced_before_a_suspect_is_read(home, deadly):
    put(home, "killer")
    run(home, 0)
    for number in range(1, TRIES + 1):
        put(home, f"new_{number}")
        assert run(home, number)[0] == [f"new_{number}"]


def test_a_suspect_that_reads_well_is_announced_and_no_longer_one(home, monkeypatch):
    put(home, "innocent")
    with monkeypatch.context() as patch:
        patch.setattr(ReaderHere, "problem", lambda *_: (_ for _ in ()).throw(PowerCutError))
        assert run(home, 0) == ([], False)
    first, second = rounds(home, START + LONG, tries=TRIES)
    assert (names(first.suspects), names(first.announce)) == (["innocent"], [])
    assert names(second.announce) == ["innocent"]
    (entry,) = read_entries(home).values()
    assert (entry.state, entry.tries, entry.reading, entry.alone) == ("announced", 0, "", False)
    assert [found.changed for found in rounds(home, START + LONG, tries=TRIES)] == [()]


def test_a_suspect_that_does_not_read_fails_as_any_other(home, monkeypatch):
    put(home, "half", WHOLE[:99])
    with monkeypatch.context() as patch:
        patch.setattr(ReaderHere, "problem", lambda *_: (_ for _ in ()).throw(PowerCutError))
        run(home, 0)
    for number, expected in enumerate([("arriving", 0), ("failed", 1), ("failed", 2), ("quarantined", 3)], start=1):
        assert run(home, number) == ([], True)
        assert states(home)["half"] == expected


def test_a_new_content_is_a_new_scan(home, deadly):
    put(home, "killer")
    for number in range(TRIES):
        run(home, number)
    home.delete(layout.experiment_profiles("killer"))
    put(home, "healed")
    assert run(home, TRIES) == (["healed"], True)


def test_what_may_kill_is_not_predicted_with_the_rest(home, deadly):
    for name in ("good", "killer"):
        put(home, name)
    for number in range(3):
        run(home, number)
    assert states(home)["killer"] == ("failed", 1)
    usable, left = scans_to_predict(home)
    assert [url.rsplit("/", 1)[-1] for url in usable] == ["good_radial_crop.npz"]
    assert names(left) == ["killer"]
    outcome_of(home, "killer")
    assert states(home)["killer"] == ("done", 0)
    assert len(scans_to_predict(home)[0]) == 2


def test_many_new_scans_are_two_writes(home, monkeypatch):
    for number in range(50):
        put(home, f"roi_{number}")
    written, original = [], ObjectStore.replace

    def replace(self, key, data, version):
        written.append(key)
        return original(self, key, data, version)

    monkeypatch.setattr(ObjectStore, "replace", replace)
    assert len(look(home, START, tries=TRIES).announce) == 50
    assert written == [layout.INTAKE] * 2


def test_a_scan_that_another_round_is_reading_is_left_to_it(home, monkeypatch):
    """Also alone: no try is counted before its time to read has passed."""
    put(home, "slow")
    inner, original = [], ReaderHere.problem

    def problem(self, url):
        inner.append(look(home, START + timedelta(seconds=5), tries=TRIES))
        return original(self, url)

    monkeypatch.setattr(ReaderHere, "problem", problem)
    assert names(look(home, START, tries=TRIES).announce) == ["slow"]
    assert [(found.announce, found.changed, found.suspects) for found in inner] == [((), (), ())]


def test_a_reading_alone_is_over_when_its_time_has_passed(home, deadly):
    put(home, "killer")
    for number in range(2):
        assert run(home, number) == ([], False)
    reading = ReadingLimits(seconds=300)
    soon = look(home, START + LONG + timedelta(seconds=299), tries=TRIES, reading=reading)
    assert (soon.changed, soon.suspects) == ((), ())
    look(home, START + LONG + timedelta(seconds=300), tries=TRIES, reading=reading)
    assert states(home)["killer"] == ("failed", 1)


def test_a_reader_that_does_not_start_is_no_failure_of_the_scans(home, monkeypatch):
    monkeypatch.setattr(intake, "ScanReader", ScanReader)
    put(home, "good")
    with monkeypatch.context() as patch:
        patch.setattr(isolated_reader, "_COMMAND", (sys.executable, "-c", ""))
        with pytest.raises(ScanReaderError):
            look(home, START, tries=TRIES)
        assert read_entries(home) == {}
    assert names(look(home, START, tries=TRIES).announce) == ["good"]


def test_a_setting_that_cannot_be_used_is_no_failure_of_the_scans(home, monkeypatch):
    put(home, "good")
    monkeypatch.setenv("DIFSIMS_NPZ_RATIO", "some")
    with pytest.raises(InputError, match="DIFSIMS_NPZ_RATIO"):
        look(home, START, tries=TRIES)
    assert read_entries(home) == {}


def test_an_object_that_is_too_large_is_not_even_fetched(home, monkeypatch, reads):
    put(home, "huge", bytes(1_000_001))
    put(home, "good")
    monkeypatch.setenv("DIFSIMS_NPZ_TOTAL_MB", "1")
    assert names(look(home, START, tries=TRIES).announce) == ["good"]
    assert reads == [home.url(layout.experiment_profiles("good"))]
    assert "DIFSIMS_NPZ_TOTAL_MB" in read_entries(home)[layout.experiment_profiles("huge")].reason


def test_scans_that_kill_their_reader_are_given_up_in_a_store_as_it_is(store, monkeypatch):
    """The reader is a process of its own: no round ends, and none of the others waits."""
    crown(store)
    monkeypatch.setattr(intake, "ScanReader", ScanReader)
    monkeypatch.setattr(isolated_reader, "_COMMAND", (sys.executable, "-c", MISBEHAVING))
    for name in ("a", "killer_1", "leaver", "z"):
        put(store, name)
    assert names(look(store, START, tries=TRIES).announce) == ["a", "z"]
    for number in range(1, TRIES + 1):
        look(store, START + number * LONG, tries=TRIES, at_work=lambda _url: True)
    found = states(store)
    assert found["killer_1"] == found["leaver"] == ("quarantined", TRIES)
    assert "SIGKILL" in read_entries(store)[layout.experiment_profiles("killer_1")].reason
