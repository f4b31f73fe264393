"""An S3 server with bad days: a proxy on 127.0.0.1 that fails, delays or refuses requests to the server behind it.

The ``Host`` header is passed on as it came, so that the signatures of the requests stay valid. Which requests suffer
follows from a seed and the number of the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}
_ACTIONS = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete", "POST": "Post"}
_SERVER_ERRORS = ((500, "InternalError"), (503, "SlowDown"))


@dataclass
class Chosen:
    """A fault of chosen requests.

    Attributes
    ----------
    operation : str
        As S3 names it, ``PutObject``; empty: every one.
    key : str
        A part of the path; empty: every one.
    status, code : int, str
        What is answered.
    forwarded : bool
        Whether the server behind gets the request: its answer is then lost.
    skip, times : int
        How many matching requests pass first, and how many then suffer.
    """

    operation: str = ""
    key: str = ""
    status: int = 500
    code: str = "InternalError"
    forwarded: bool = False
    skip: int = 0
    times: int = 10**9

    def takes(self, operation: str, path: str) -> bool:
        """Return whether a request is one of them, and count it."""
        if (self.operation not in ("", operation)) or self.key not in path:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Faults:
    """What goes wrong.

    Attributes
    ----------
    failing : float
        Share of requests answered with 500 or 503, half of them after the server behind has done what was asked.
    delayed : float
        Share that waits for ``delay_s`` first.
    chosen : list of Chosen
        Faults of chosen requests; the first that takes a request decides.
    """

    failing: float = 0.0
    delayed: float = 0.0
    delay_s: float = 2.0
    chosen: list[Chosen] = field(default_factory=list)
    seed: int = 0


class FaultProxy:
    """A proxy that runs in a thread of its own; ``faults`` may be replaced at any time.

    Attributes
    ----------
    endpoint : str
        Where clients find it.
    counts : Counter
        ``requests``, ``delayed``, ``failed`` (not forwarded), ``lost`` (forwarded, the answer lost), and the requests
        of each operation by its name.
    """

    def __init__(self, behind: str, faults: Faults | None = None) -> None:
        self.behind, self.counts, self.endpoint = behind.rstrip("/"), Counter[str](), ""
        self.faults = faults or Faults()

    @property
    def faults(self) -> Faults:
        """What goes wrong at present."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults, self._random = faults, random.Random(faults.seed)  # noqa: S311

    async def run(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Serve until asked to stop."""
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
            started.set()
            await stop.wait()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        operation = operation_of(request.method, request.rel_url)
        self.counts["requests"] += 1
        self.counts[operation] += 1
        delayed, fault = self._decide(operation, request.path)
        if delayed:
            self.counts["delayed"] += 1
            await asyncio.sleep(self._faults.delay_s)
        if fault is None:
            return await self._forward(request, body)
        if fault.forwarded:
            await self._forward(request, body)
        self.counts["lost" if fault.forwarded else "failed"] += 1
        return _failure(request, fault)

    def _decide(self, operation: str, path: str) -> tuple[bool, Chosen | None]:
        """Return whether a request is delayed, and its fault; always two draws, so that the seed decides alone."""
        failing, delayed, kind = self._random.random(), self._random.random(), self._random.randrange(4)
        fault = next((item for item in self._faults.chosen if item.takes(operation, path)), None)
        if fault is None and failing < self._faults.failing:
            status, code = _SERVER_ERRORS[kind % 2]
            fault = Chosen(status=status, code=code, forwarded=kind >= 2)
        return delayed < self._faults.delayed, fault

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        url = URL(self.behind + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers.pop("Expect", None)  # answered already: the body is here
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=io.BytesIO(body) if body else None, allow_redirects=False
            ) as answer:
                content = await answer.read()
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                return web.Response(status=answer.status, body=content or None, headers=kept)
        except aiohttp.ClientError:
            return _failure(request, Chosen(status=503, code="ServiceUnavailable"))


def operation_of(method: str, url: URL) -> str:
    """Return the name of an S3 operation, as far as this project uses them."""
    if "list-type" in url.query:
        return "ListObjectsV2"
    if method == "POST" and "delete" in url.query:
        return "DeleteObjects"
    if "uploads" in url.query or "uploadId" in url.query:
        return {"PUT": "UploadPart", "POST": "MultipartUpload"}.get(method, "AbortMultipartUpload")
    return f"{_ACTIONS.get(method, method)}Object"


def _failure(request: web.Request, fault: Chosen) -> web.Response:
    text = f"<Error><Code>{fault.code}</Code><Message>made by the fault proxy</Message><RequestId>0</RequestId></Error>"
    return web.Response(
        status=fault.status, body=None if request.method == "HEAD" else text.encode(), content_type="application/xml"
    )


@contextmanager
def fault_proxy(behind: str, faults: Faults | None = None) -> Iterator[FaultProxy]:
    """Put a proxy in front of an endpoint; it is gone at the end."""
    proxy, started = FaultProxy(behind, faults), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(proxy.run(started, stop),), name="fault-proxy")
    thread.start()
    try:
        if not started.wait(20):
            raise RuntimeError("the fault proxy did not start")
        yield proxy
    finally:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
