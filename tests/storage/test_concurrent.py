"""Computing and writing consume_concurrently, and what waits is bounded."""

import threading
import time
from concurrent.futures import Future
from contextvars import ContextVar

import pytest

from difsims_core.storage.concurrent import ContextPool, consume_concurrently, each_made


def test_results_come_in_order():
    def slow_when_even(i):
        time.sleep(0.02 * (i % 2 == 0))
        return i * i

    assert list(consume_concurrently(range(10), slow_when_even, workers=3)) == [i * i for i in range(10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_waits_is_bounded_and_the_next_is_made_meanwhile(workers):
    alive, most, lock, overlapped = set(), [0], threading.Lock(), threading.Event()
    consuming = threading.Event()

    def items():
        for i in range(12):
            if consuming.is_set():
                overlapped.set()
            with lock:
                alive.add(i)
                most[0] = max(most[0], len(alive))
            yield i

    def consume(i):
        consuming.set()
        time.sleep(0.01)
        with lock:
            alive.discard(i)
        consuming.clear()

    for _ in consume_concurrently(items(), consume, workers):
        pass
    assert most[0] <= workers + 1
    assert overlapped.is_set()


def test_a_writer_that_fails_stops_the_making():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    def fail(i):
        raise OSError(i)

    with pytest.raises(OSError, match="0"):
        list(consume_concurrently(items(), fail))
    assert len(made) <= 3


def test_a_maker_that_fails_lets_running_writers_end():
    ended = []

    def items():
        yield 1
        raise ZeroDivisionError

    def consume(i):
        time.sleep(0.05)
        ended.append(i)

    with pytest.raises(ZeroDivisionError):
        list(consume_concurrently(items(), consume))
    assert ended == [1]


def test_threads_work_in_the_context_of_their_caller():
    run: ContextVar[str] = ContextVar("run")
    run.set("mine")
    assert list(consume_concurrently(range(3), lambda _item: run.get())) == ["mine"] * 3
    with ContextPool(2) as pool:
        assert list(pool.map(lambda _item: run.get(), range(3))) == ["mine"] * 3


def test_what_is_pending_is_waited_for_when_the_next_cannot_be_made():
    def items():
        yield 1
        threading.Timer(0.05, pending.set_result, [None]).start()
        raise ZeroDivisionError

    pending: Future[None] = Future()
    with pytest.raises(ZeroDivisionError):
        list(each_made(items(), [pending]))
    assert pending.done()
