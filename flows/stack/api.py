"""The Prefect API over HTTP: importing Prefect takes seconds, and it reads its environment once, at import."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from difsims_core.retrying import Retry
from flows.stack.errors import StackError

_SECONDS = 30
_PAGE = 200
_BUSY = {429, 502, 503}
_RETRY = Retry(tries=6, pause=1, longest=8)


class _BusyError(Exception):
    """The server answers that it is busy."""


class PrefectApi:
    """An address of the Prefect API, with the login that it may ask for.

    Parameters
    ----------
    url
        Ends with ``/api``.
    login
        ``user:password``, where it asks for one.
    seconds
        How long an answer may take.
    retry
        How often a request is made while the server is busy.

    Attributes
    ----------
    csrf : dict of str to str
        Headers that a server with CSRF protection has asked for.
    """

    def __init__(self, url: str, login: str | None, *, seconds: float = _SECONDS, retry: Retry = _RETRY) -> None:
        self.url, self._seconds, self._retry = url.rstrip("/"), seconds, retry
        user, _, password = (login or "").partition(":")
        self._auth = httpx.BasicAuth(user, password) if login else None
        self.csrf: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Address of the pages for people."""
        return self.url.removesuffix("/api")

    def problem(self) -> str | None:
        """Return what is wrong with the server, None when it answers as it should."""
        try:
            answer = httpx.get(f"{self.url}/admin/version", auth=self._auth, timeout=self._seconds)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}; check that it runs, and its address"
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return "it refuses this login; check PREFECT_API_AUTH_STRING (user:password)"
        if answer.status_code == httpx.codes.FORBIDDEN:
            return f"it refuses us: {reason_of(answer)}"
        if answer.is_error or not isinstance(_json(answer), str):
            return f"it answers {answer.status_code} to /admin/version; the address of a Prefect API ends with /api"
        return None

    def get(self, path: str) -> Any:
        """Return what lies at a path, None when there is nothing."""
        answer = self._ask("GET", path, None)
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._value(answer, path)

    def post(self, path: str, body: Any) -> Any:
        """Create or ask for something."""
        return self._value(self._ask("POST", path, body), path)

    def put(self, path: str, body: Any) -> Any:
        """Replace something."""
        return self._value(self._ask("PUT", path, body), path)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._value(self._ask("PATCH", path, body), path)

    def delete(self, path: str) -> None:
        """Remove something."""
        self._value(self._ask("DELETE", path, None), path)

    def all(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return all that a filter finds, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.post(path, {**body, "limit": _PAGE, "offset": len(found)})
            found += page
            if len(page) < _PAGE:
                return found

    def _ask(self, method: str, path: str, body: Any) -> httpx.Response:
        """Send a request, again where the server is busy: with SQLite it answers 503 when its database is locked."""
        transient = (httpx.TimeoutException, _BusyError)
        try:
            return self._retry.call(
                lambda: self._ask_once(method, path, body), lambda error: isinstance(error, transient)
            )
        except transient as error:
            reason = str(error) if isinstance(error, _BusyError) else type(error).__name__
            raise StackError(
                f"Prefect at {self.url} is too busy to answer {path} ({reason} after {self._retry.tries} tries)"
            ) from None
        except httpx.HTTPError as error:
            raise StackError(
                f"no answer from Prefect at {self.url} ({type(error).__name__})", "check that it runs there"
            ) from error

    def _ask_once(self, method: str, path: str, body: Any) -> httpx.Response:
        answer = self._send(method, path, body)
        if answer.status_code == httpx.codes.FORBIDDEN and "CSRF" in answer.text:
            self.csrf = self._csrf_headers()
            answer = self._send(method, path, body)
        if answer.status_code in _BUSY:
            raise _BusyError(answer.status_code)
        return answer

    def _send(self, method: str, path: str, body: Any) -> httpx.Response:
        url = f"{self.url}{path}"
        return httpx.request(method, url, json=body, auth=self._auth, headers=self.csrf, timeout=self._seconds)

    def _csrf_headers(self) -> dict[str, str]:
        """Return what a server with CSRF protection wants to see with each change; it forgets it after an hour."""
        client, path = str(uuid4()), "/csrf-token"
        token = self._value(self._ask("GET", f"{path}?client={client}", None), path)["token"]
        return {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token}

    def _value(self, answer: httpx.Response, path: str) -> Any:
        if answer.is_error:
            message = answer.text.strip()[:300]
            raise StackError(f"Prefect at {self.url} answers {answer.status_code} to {path}: {message}")
        return _json(answer)


def reason_of(answer: httpx.Response) -> str:
    """Return why a server refuses, in its own words."""
    found = _json(answer)
    known = found if isinstance(found, dict) else {}
    return str(known.get("exception_message", answer.status_code))


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
