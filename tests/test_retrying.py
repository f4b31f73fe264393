"""One way to try again and to wait: what it repeats, how long it pauses, what ends it."""

from __future__ import annotations

from threading import Event

import pytest

from difsims_core.retrying import Retry, StoppedError, poll


class Pauses(Event):
    """Takes note of the pauses instead of making them."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.made.append(timeout)
        return self.is_set()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def _failing(*errors: Exception):
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def _times_out(error: Exception) -> bool:
    return isinstance(error, TimeoutError)


def test_a_transient_failure_is_tried_again(pauses):
    assert Retry(3, 1).call(_failing(TimeoutError(), TimeoutError()), _times_out, stop=pauses) == "done"
    assert len(pauses.made) == 2


def test_the_last_failure_is_raised(pauses):
    with pytest.raises(TimeoutError, match="third"):
        Retry(3, 1).call(_failing(TimeoutError(), TimeoutError(), TimeoutError("third")), _times_out, stop=pauses)
    assert len(pauses.made) == 2


def test_a_lasting_failure_is_raised_at_once(pauses):
    with pytest.raises(ValueError, match="wrong"):
        Retry(3, 1).call(_failing(ValueError("wrong")), _times_out, stop=pauses)
    assert not pauses.made


def test_whoever_waits_is_told_for_what_and_how_long(pauses):
    told: list[tuple[str, float]] = []
    Retry(3, 1).call(
        _failing(TimeoutError("first"), TimeoutError("second")),
        _times_out,
        lambda error, seconds: told.append((str(error), seconds)),
        pauses,
    )
    assert told == [("first", pauses.made[0]), ("second", pauses.made[1])]


def test_a_pause_ends_when_it_is_asked_to(pauses):
    pauses.set()
    with pytest.raises(StoppedError):
        Retry(3, 1).call(_failing(TimeoutError()), _times_out, stop=pauses)


def test_pauses_double_up_to_the_longest_and_lose_at_most_a_half():
    found = list(Retry(6, 1, longest=4).pauses())
    assert len(found) == 5
    for pause, most in zip(found, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= pause <= most


def test_a_poll_ends_with_a_look_after_the_deadline():
    left = list(poll(0.01, 0.05))
    assert left[0] == 0.05
    assert left[-1] == 0
    assert left == sorted(left, reverse=True)


def test_a_poll_stops_at_once():
    stop = Event()
    looks = poll(60, stop=stop)
    next(looks)
    stop.set()
    with pytest.raises(StoppedError):
        next(looks)
