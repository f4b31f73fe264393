"""The store: whether it is there, may be written and keeps its promises; how fast it is, and how full."""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import httpx

from difsims_core.errors import StoreError
from difsims_core.storage import layout
from difsims_core.storage.names import split_url
from difsims_core.storage.objects import ObjectStore, open_store
from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn
from flows.doctor.machine import space_in
from flows.settings import load_settings
from flows.ui.figure_links import holds_token

_WRITERS = 16
_READS = 5
_SLOW_SECONDS = 0.5
_LINK_SECONDS = 60
_UNSAFE = "two runs could both believe they won; use a server that enforces it, such as SeaweedFS 4 or AWS S3"


@check("store", seconds=60, after="S3")
def reachable(context: DoctorContext) -> CheckResult:
    """Look whether the root can be listed: the bucket exists, the credentials are accepted."""
    store = open_store(context.store)
    folders = store.folders()
    return ok(f"{store.root}: {', '.join(folders) if folders else 'empty'}")


@check("store: writing", seconds=60, after="store")
def writing(context: DoctorContext) -> CheckResult:
    """Write an object, read it, remove it."""
    with _temporary(context) as (store, key):
        text = os.urandom(64)
        store.write(key, text)
        if store.read(key) != text:
            return fail("an object reads differently from what was written", "the store is not consistent; use another")
    if store.exists(key):
        return warn("a deleted object still exists", "retention needs the right to delete; grant it")
    return ok("objects are written, read and deleted")


@check("store: conditional create", seconds=60, after="store: writing")
def conditional_create(context: DoctorContext) -> CheckResult:
    """Let writers race for one name: exactly one may win."""
    with _temporary(context) as (store, key):
        winners = _race(lambda: store.create(key, uuid.uuid4().bytes))
        return _judge(winners, "If-None-Match: *")


@check("store: conditional replace", seconds=60, after="store: writing")
def conditional_replace(context: DoctorContext) -> CheckResult:
    """Let writers race to replace one version: exactly one may win."""
    with _temporary(context) as (store, key):
        store.write(key, b"first")
        _, version = store.read_versioned(key)
        winners = _race(lambda: store.replace(key, uuid.uuid4().bytes, version))
        return _judge(winners, "If-Match")


@check("store: signed links", seconds=60, after="store: writing")
def signed_links(context: DoctorContext) -> CheckResult | None:
    """Open a signed link as a browser does, without credentials."""
    with _temporary(context) as (store, key):
        store.write(key, b"figure")
        link = store.signed_url(key, _LINK_SECONDS)
        if link is None:
            return None
        answer = httpx.get(link, timeout=20, verify=os.environ.get("AWS_CA_BUNDLE") or True)
    if answer.content != b"figure":
        return fail(f"answered {answer.status_code}", "set DIFSIMS_FIGURE_LINKS=inline, or let the server accept them")
    if holds_token(link):
        return warn(
            "they work, but hold the token of temporary credentials: not used, figures are shown small instead",
            "use lasting credentials where large figures are wanted",
        )
    return ok(f"they work, at {urlsplit(link).netloc}")


@check("store: public links", seconds=60, after="store: writing")
def public_links(context: DoctorContext) -> CheckResult | None:
    """Open an object below the public address as a browser does."""
    address = load_settings().public_url
    if address is None:
        return None
    with _temporary(context) as (store, key):
        store.write(key, b"figure")
        answer = httpx.get(f"{address.rstrip('/')}/{key}", timeout=20)
    if answer.content != b"figure":
        return fail(
            f"{address} does not show what is in the store ({answer.status_code})",
            f"DIFSIMS_PUBLIC_URL must be the address of {store.root}",
        )
    return ok(f"{address} shows the store")


@check("store: latency", seconds=60, after="store: writing")
def latency(context: DoctorContext) -> CheckResult:
    """Time the reading of a small object."""
    seconds = []
    with _temporary(context) as (store, key):
        store.write(key, b"difsims")
        for _ in range(_READS):
            started = time.perf_counter()
            store.read(key)
            seconds.append(time.perf_counter() - started)
    found = f"a small object is read in {1000 * statistics.median(seconds):.2g} ms"
    if statistics.median(seconds) > _SLOW_SECONDS:
        return warn(found, "bring workers nearer to the store; blocks of more patterns mean fewer requests")
    return ok(found)


@check("store: space", after="store")
def space(context: DoctorContext) -> CheckResult | None:
    """Look how much room is left, where the store is a folder."""
    scheme, path = split_url(open_store(context.store).root)
    if scheme != "file":
        return None
    return space_in(Path(path), "clear the disk: `difsims retention` says what may go; or choose another DIFSIMS_STORE")


@contextmanager
def _temporary(context: DoctorContext) -> Iterator[tuple[ObjectStore, str]]:
    store, key = open_store(context.store), layout.cache(f"doctor/{uuid.uuid4()}")
    try:
        yield store, key
    finally:
        with suppress(StoreError):  # who may not write, or not delete, shall hear of that and not of this
            store.delete(key)


def _race(write: Callable[[], bool]) -> int:
    """Return how many of the writers, who start together, are told that they won."""
    start = Barrier(_WRITERS)

    def run(_number: int) -> bool:
        start.wait(timeout=30)
        return write()

    with ThreadPoolExecutor(_WRITERS) as pool:
        return sum(pool.map(run, range(_WRITERS)))


def _judge(winners: int, condition: str) -> CheckResult:
    if winners != 1:
        return fail(f"{winners} of {_WRITERS} racing writers won ({condition} is not enforced)", _UNSAFE)
    return ok(f"one of {_WRITERS} racing writers won")
