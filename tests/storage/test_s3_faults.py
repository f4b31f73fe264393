"""S3 that fails now and then: retries are seen in the log, and a write whose answer is lost counts as done."""

from __future__ import annotations

import contextvars
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from aiobotocore.endpoint import AioEndpoint

from difsims_core.errors import StoreError
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.s3 import retries

RUN = contextvars.ContextVar("run", default="none")


@dataclass
class TinyS3:
    """Objects by path, and what goes wrong with the next requests, one entry a request."""

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: TinyS3

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def failed(self, work: Callable[[], None] | None = None) -> bool:
        """Fail as the next fault says; a lost answer is lost after the work was done."""
        self.state.requests.append(self.command)
        fault = self.state.faults.pop(0) if self.state.faults else ""
        if fault == "lost" and work is not None:
            work()
        if fault == "cut":
            self.close_connection = True
        elif fault == "half":
            self.close_connection = True
            self.send_response(200)
            self.send_header("ETag", _etag(b""))
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
        elif fault:
            self.answer(503 if fault == "503" else 500, b"<Error><Code>InternalError</Code></Error>")
        return bool(fault)

    def do_PUT(self) -> None:
        objects, data = self.state.objects, self.rfile.read(int(self.headers["Content-Length"]))
        kept = {"x-amz-meta-difsims-writer": self.headers.get("x-amz-meta-difsims-writer", "")}

        def keep() -> None:
            objects[self.path] = (data, kept)

        if self.failed(keep):
            return
        held, wanted = objects.get(self.path), self.headers.get("If-Match")
        if (held and self.headers.get("If-None-Match")) or (wanted and (not held or wanted != _etag(held[0]))):
            self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        keep()
        self.answer(200, ETag=_etag(data))

    def do_GET(self) -> None:
        if not self.failed():
            data, kept = self.state.objects[self.path]
            self.answer(200, data, ETag=_etag(data), **kept)

    do_HEAD = do_GET  # noqa: N815 the interface

    def log_message(self, *_arguments: object) -> None:
        pass


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


@pytest.fixture
def tiny() -> Iterator[tuple[TinyS3, str]]:
    state = TinyS3()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def store(tiny: tuple[TinyS3, str], monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    values = {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "ENDPOINT_URL": tiny[1], "REGION": "us-east-1"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(retries, "_retries", 0)
    monkeypatch.setattr(AioEndpoint, "_sleep", _do_not_wait)
    return open_store("s3://bucket/x")


async def _do_not_wait(_endpoint: AioEndpoint, _seconds: float) -> None:
    pass


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "difsims_core.storage.s3.objects"]


def test_retries_are_told_the_first_and_then_ever_more_rarely(tiny, store, caplog):
    tiny[0].faults = ["503", "503"]
    store.write("k", b"1")
    tiny[0].faults = ["500"]
    assert store.read("k") == b"1"
    tiny[0].faults = ["503"]
    store.write("k", b"2")
    assert _said(caplog) == [
        "S3 answered 503 to PutObject; trying again (1 retry so far)",
        "S3 answered 503 to PutObject; trying again (2 retries so far)",
        "S3 answered 503 to PutObject; trying again (4 retries so far)",
    ]
    assert retries.retries_so_far() == 4
    assert {record.levelno for record in caplog.records if record.name.startswith("difsims_core")} == {logging.WARNING}


def test_a_connection_that_breaks_is_told(tiny, store, caplog):
    tiny[0].faults = ["cut", "cut"]  # aiohttp repeats the first by itself and says nothing
    store.write("k", b"1")
    (line,) = _said(caplog)
    assert line.startswith("S3 gave no answer (")
    assert line.endswith(") to PutObject; trying again (1 retry so far)")


def test_what_works_at_once_says_nothing(store, caplog):
    store.write("k", b"1")
    assert store.read("k") == b"1"
    assert _said(caplog) == []


def test_a_retry_is_told_within_the_run_that_asked(tiny, store):
    """So that the log of a flow run shows it, though s3fs works in a thread of its own."""
    seen = []

    class Seen(logging.Handler):
        def emit(self, _record):
            seen.append(RUN.get())

    log, handler = logging.getLogger("difsims_core.storage.s3.objects"), Seen()
    log.addHandler(handler)
    try:
        store.write("warm", b"")
        tiny[0].faults = ["503"]
        contextvars.copy_context().run(lambda: (RUN.set("mine"), store.write("k", b"1")))
    finally:
        log.removeHandler(handler)
    assert seen == ["mine"]


def test_what_fails_for_good_is_an_error(tiny, store):
    tiny[0].faults = ["500"] * 100
    with pytest.raises(StoreError, match="InternalError"):
        store.write("k", b"1")
    assert len(tiny[0].requests) == 5


@pytest.mark.parametrize("begun", [True, False])
def test_a_write_whose_answer_was_lost_is_won(tiny, store, begun):
    version = None
    if begun:
        store.write("k", b"old")
        version = store.read_versioned("k")[1]
    tiny[0].faults = ["lost"]
    assert store.replace("k", b"new", version)
    assert store.read("k") == b"new"
    assert tiny[0].requests[-4:] == ["PUT", "PUT", "HEAD", "GET"]


def test_equal_bytes_of_another_writer_are_no_victory(tiny, store):
    assert store.create("k", b"same")
    tiny[0].faults = ["503"]
    assert not store.create("k", b"same")


def test_an_answer_that_breaks_off_is_read_again(tiny, store):
    store.write("k", b"x" * 1000)
    tiny[0].faults = ["half"]
    assert store.read_versioned("k") == (b"x" * 1000, _etag(b"x" * 1000).strip('"'))
    assert tiny[0].requests == ["PUT", "GET", "GET"]
