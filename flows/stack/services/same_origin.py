"""A server that answers to its own pages and to programs, and to no page of another site.

A page of another site, open in a browser on this machine, can send requests to every port of it. Browsers say where
a page comes from (``Origin``), which programs do not; and a name of the attacker's own that leads to this machine
(DNS rebinding) is still in ``Host``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from flows.stack.services.ports import LOOPBACK_NAMES

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION = 1008
_FORBIDDEN = 403
_NO_FRAMES = (b"content-security-policy", b"frame-ancestors 'none'")  # clicks of one site that land on another


class SameOriginMiddleware:
    """An ASGI middleware that refuses requests and websockets of other sites.

    Parameters
    ----------
    app
        What answers the others.
    sites
        Origins (``http://host:port``) of its own pages, beside those that a request's own ``Host`` names. They and the
        loopback are also the names by which it may be asked.
    """

    def __init__(self, app: App, sites: Iterable[str]) -> None:
        self._app, self._sites = app, frozenset(sites)
        self._hosts = LOOPBACK_NAMES | {_host_of(site) for site in self._sites}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif problem := self.refusal(scope["headers"]):
            await _refuse(scope["type"], problem, send)
        else:
            await self._app(scope, receive, _unframed(send))

    def refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Return why a request is refused, None when it is not."""
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
        if len(hosts) != 1 or _host_of(f"http://{hosts[0]}") not in self._hosts:
            return "asked by a name that is not this server's; use the address that its `difsims up` prints"
        if not {*origins} <= {*self._sites, f"http://{hosts[0]}"}:
            return "asked by a page of another site; only the pages of this server may"
        return None


def origins(*addresses: str | None) -> frozenset[str]:
    """Return the origins of addresses, some of them lists with commas; ``*`` is none."""
    urls = [url.strip() for address in addresses if address for url in address.split(",")]
    parts = [urlsplit(url) for url in urls]
    return frozenset(f"{part.scheme}://{part.netloc}" for part in parts if part.scheme and part.netloc)


def _host_of(url: str) -> str:
    """Return the name in an address, empty where there is none or more than a name and a port."""
    try:
        parts = urlsplit(url)
        return "" if "@" in parts.netloc or parts.path.strip("/") or parts.query else (parts.hostname or "")
    except ValueError:
        return ""


async def _refuse(kind: str, problem: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": problem})
        return
    body = json.dumps({"exception_message": problem}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _unframed(send: Send) -> Send:
    """Return a `send` that forbids pages of others to show this one in a frame."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), _NO_FRAMES]}
        await send(message)

    return sent
