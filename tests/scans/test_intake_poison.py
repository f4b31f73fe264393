"""A scan that kills whoever reads it: given up after its tries, and every other scan is started."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from difsims_core.errors import InputError
from difsims_core.scans import isolated_reader, reconcile
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import scans_to_predict
from difsims_core.scans.isolated_reader import ReadingLimits, ScanReader, ScanReaderError
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.scans.test_isolated_reader import MISBEHAVING
from tests.uploads import FIRST, START, TRIES, WHOLE, ReaderHere, map_scan, names, one_round, put, reasons, states

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
    """Run one start of the watch; return what it started, and whether it came to its end.

    What is started is mapped at once.
    """
    started = []
    try:
        inventory = Inventory.listed(store, [FIRST])
        for request in reconcile.reconcile(store, inventory, START + number * LONG, tries=TRIES, runs=100):
            started += names([request])
            for name in names([request]):
                map_scan(store, name)
    except PowerCutError:
        return started, False
    return started, True


def test_the_attempt_to_read_is_written_before_reading(home, deadly):
    put(home, "killer")
    put(home, "other")
    assert run(home, 0) == ([], False)
    assert {attempt.model for attempt in read_attempts(home).values()} == {None}
    assert states(home) == {"killer": ("started", 1), "other": ("started", 1)}


def test_a_scan_that_ends_every_round_is_given_up_and_all_others_are_started(home, deadly):
    for name in (*OTHERS, "killer"):
        put(home, name)
    started, ended = zip(*(run(home, number) for number in range(2 * TRIES)), strict=True)
    assert sorted(name for some in started[:3] for name in some) == OTHERS, "each once, within two rounds more"
    assert ended.count(False) == TRIES, "as often as it may fail, once of these with the others"
    assert ended[-2:] == (True, True)
    assert states(home)["killer"] == ("quarantined", TRIES)
    assert "ended before it could say anything" in reasons(home)["killer"]
    put(home, "late")
    assert run(home, 2 * TRIES) == (["late"], True)


def test_scans_that_come_later_are_started_before_a_suspect_is_read(home, deadly):
    put(home, "killer")
    run(home, 0)
    for number in range(1, TRIES + 1):
        put(home, f"new_{number}")
        assert run(home, number)[0] == [f"new_{number}"]


def test_a_suspect_that_reads_well_is_started_and_no_longer_one(home, monkeypatch):
    put(home, "innocent")
    with monkeypatch.context() as patch:
        patch.setattr(ReaderHere, "problem", lambda *_: (_ for _ in ()).throw(PowerCutError))
        assert run(home, 0) == ([], False)
    assert run(home, 1) == (["innocent"], True)
    assert states(home) == {"innocent": ("complete", 0)}
    assert run(home, 2) == ([], True)
    assert read_attempts(home) == {}


def test_a_suspect_that_does_not_read_fails_as_any_other(home, monkeypatch):
    put(home, "half", WHOLE[:99])
    with monkeypatch.context() as patch:
        patch.setattr(ReaderHere, "problem", lambda *_: (_ for _ in ()).throw(PowerCutError))
        run(home, 0)
    for number, expected in enumerate([("retry", 2), ("quarantined", 3), ("quarantined", 3)], start=1):
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
    for number in range(2):
        run(home, number)
    usable, left = scans_to_predict(home)
    assert [url.rsplit("/", 1)[-1] for url in usable] == ["good_radial_crop.npz"]
    assert left.keys() == {"killer"}


def test_fifty_new_scans_are_two_writes(home, monkeypatch):
    for number in range(50):
        put(home, f"roi_{number}")
    written, original = [], ObjectStore.replace

    def replace(self, key, data, version):
        written.append(key)
        return original(self, key, data, version)

    monkeypatch.setattr(ObjectStore, "replace", replace)
    assert len(names(one_round(home, START))) == 50
    assert written == [layout.INTAKE] * 2


def test_a_scan_that_another_round_is_reading_is_left_to_it(home, monkeypatch):
    """Also alone: no try is counted before its time to read has passed."""
    put(home, "slow")
    inner, original = [], ReaderHere.problem

    def problem(self, url):
        inner.append(one_round(home, START + timedelta(seconds=5)))
        return original(self, url)

    monkeypatch.setattr(ReaderHere, "problem", problem)
    assert names(one_round(home, START)) == ["slow"]
    assert inner == [[]]


def test_a_reading_is_over_when_its_time_has_passed(home, deadly):
    put(home, "killer")
    assert run(home, 0) == ([], False)
    reading = ReadingLimits(seconds=300)
    assert one_round(home, START + timedelta(seconds=299), reading=reading) == []
    assert states(home)["killer"] == ("started", 1)
    with pytest.raises(PowerCutError):
        one_round(home, START + timedelta(seconds=300), reading=reading)
    assert states(home)["killer"] == ("retry", 2)


def test_a_reader_that_does_not_start_is_no_failure_of_the_scans(home, monkeypatch):
    monkeypatch.setattr(reconcile, "ScanReader", ScanReader)
    put(home, "good")
    with monkeypatch.context() as patch:
        patch.setattr(isolated_reader, "COMMAND", (sys.executable, "-c", ""))
        with pytest.raises(ScanReaderError):
            one_round(home, START)
        assert read_attempts(home) == {}
    assert names(one_round(home, START)) == ["good"]


def test_a_setting_that_cannot_be_used_is_no_failure_of_the_scans(home, monkeypatch):
    put(home, "good")
    monkeypatch.setenv("DIFSIMS_NPZ_RATIO", "some")
    with pytest.raises(InputError, match="DIFSIMS_NPZ_RATIO"):
        one_round(home, START)
    assert read_attempts(home) == {}


def test_an_object_that_is_too_large_is_not_even_fetched(home, monkeypatch, reads):
    put(home, "huge", bytes(1_000_001))
    put(home, "good")
    monkeypatch.setenv("DIFSIMS_NPZ_TOTAL_MB", "1")
    assert names(one_round(home, START)) == ["good"]
    assert reads == [home.url(layout.experiment_profiles("good"))]
    assert "DIFSIMS_NPZ_TOTAL_MB" in reasons(home)["huge"]


def test_scans_that_kill_their_reader_are_given_up_in_a_store_as_it_is(store, monkeypatch):
    """The reader is a process of its own: no round ends, and none of the others waits."""
    monkeypatch.setattr(reconcile, "ScanReader", ScanReader)
    monkeypatch.setattr(isolated_reader, "COMMAND", (sys.executable, "-c", MISBEHAVING))
    for name in ("a", "killer_1", "leaver", "z"):
        put(store, name)
    assert names(one_round(store, START)) == ["a", "z"]
    for name in ("a", "z"):
        map_scan(store, name)
    for number in range(1, TRIES):
        assert one_round(store, START + number * LONG) == []
    found = states(store)
    assert found["killer_1"] == found["leaver"] == ("quarantined", TRIES)
    assert "SIGKILL" in reasons(store)["killer_1"]
