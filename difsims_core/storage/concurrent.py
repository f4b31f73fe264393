"""Do one thing while the next is prepared: threads and a bound on what waits, never a fork."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class ContextPool(ThreadPoolExecutor):
    """A pool whose threads work in the context of whoever submits: what they log belongs to the run of that one."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Schedule a call."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


def each_made(items: Iterable[T], pending: Iterable[Future[Any]]) -> Iterator[T]:
    """Yield items; when the next cannot be made, those that are pending are waited for."""
    try:
        yield from items
    except GeneratorExit:
        raise
    except BaseException:
        wait(pending)
        raise


def consume_concurrently(items: Iterable[T], consume: Callable[[T], R], workers: int = 2) -> Iterator[R]:
    """Yield ``consume(item)`` in order, consuming in threads while the caller's thread makes the next item.

    At most ``workers + 1`` items exist at any time, so memory does not grow when consuming is the slower part. The
    first failure of either side ends it, and is raised: items that are made are consumed when the next cannot be made,
    and dropped when one of them cannot be consumed.
    """
    pending: deque[Future[R]] = deque()
    with ContextPool(workers, thread_name_prefix="difsims-write") as pool:
        try:
            for item in each_made(items, pending):
                pending.append(pool.submit(consume, item))
                del item
                while pending and (len(pending) > workers or pending[0].done()):
                    yield pending.popleft().result()
                failed = next((task for task in pending if task.done() and task.exception()), None)
                if failed is not None:
                    failed.result()
            while pending:
                yield pending.popleft().result()
        finally:
            for task in pending:
                task.cancel()
