"""One way to try again and to wait: what it repeats, how long it pauses, what ends it."""

from __future__ import annotations

from threading import Event

import pytest

from difsims_core import retrying
from difsims_core.retrying import Retry, StoppedError, poll


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """Collect the pauses instead of making them."""
    made: list[float] = []
    monkeypatch.setattr(retrying.time, "sleep", made.append)
    return made


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
    assert Retry(3, 1).call(_failing(TimeoutError(), TimeoutError()), _times_out) == "done"
    assert len(pauses) == 2


def test_the_last_failure_is_raised(pauses):
    with pytest.raises(TimeoutError, match="third"):
        Retry(3, 1).call(_failing(TimeoutError(), TimeoutError(), TimeoutError("third")), _times_out)
    assert len(pauses) == 2


def test_a_lasting_failure_is_raised_at_once(pauses):
    with pytest.raises(ValueError, match="wrong"):
        Retry(3, 1).call(_failing(ValueError("wrong")), _times_out)
    assert not pauses


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
