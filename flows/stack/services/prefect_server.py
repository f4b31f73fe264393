"""Prefect's server for the stack: ``python -m flows.stack.services.prefect_server start …``.

On SQLite and Python 3.11 the server stood still for 60 s and more, now and then. Up to that release a cursor keeps its
statement when a statement failed (an integrity error, a locked database), and ending the cursor waits for the mutex of
its connection. When the garbage collector ends one on the event loop's thread while its connection waits for the
database's lock, the loop stands still until SQLite gives up, for the lock's holder needs the loop to commit. So cursors
are handed to the thread of their connection, which ends them between two statements.

A browser on the machine reaches the server for every page that is open in it. So those of other sites are refused, and
other names for this server, before Prefect sees them (`flows.stack.services.same_origin`).
"""

from __future__ import annotations

import contextlib
import runpy
import sys
from typing import Any

import aiosqlite

from flows.stack.services.same_origin import SameOriginMiddleware, origins

_ELSEWHERE = ("--workers", "--background", "-b")


def main() -> None:
    """Run ``prefect server`` with the arguments of the command line."""
    started = [argument for argument in sys.argv[1:] if argument.startswith(_ELSEWHERE)]
    if started:
        sys.exit(f"{' '.join(started)} would start processes that do not refuse other sites; leave it out")
    end_cursors_on_their_own_thread()
    refuse_other_sites()
    sys.argv = ["prefect", "server", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


def end_cursors_on_their_own_thread() -> None:
    """Let aiosqlite's cursors be closed by their connection's thread, for this process (aiosqlite 0.22)."""
    aiosqlite.Cursor.__del__ = _hand_over  # pyright: ignore[reportAttributeAccessIssue]


def refuse_other_sites() -> None:
    """Let the server answer to its own pages and to programs, and to no page of another site, for this process.

    Its sites are the address of its API and the origins that it allows (``PREFECT_API_URL``,
    ``PREFECT_SERVER_CORS_ALLOWED_ORIGINS``); a name of this machine's loopback needs no permission. What comes by the
    network is looked at: the server's own services ask it from within, by a name of their own (Prefect 3.8).
    """
    import uvicorn
    from prefect.settings import get_current_settings

    serve = uvicorn.run

    def run(app: Any, **options: Any) -> None:
        settings = get_current_settings()
        ours = SameOriginMiddleware(app, origins(settings.api.url, settings.server.api.cors_allowed_origins))
        options["workers"] = 1  # whatever WEB_CONCURRENCY says
        serve(ours, **options)

    uvicorn.run = run


def _hand_over(cursor: aiosqlite.Cursor) -> None:
    with contextlib.suppress(AttributeError):  # never complete, or another aiosqlite: then as before
        cursor._conn._tx.put_nowait((None, cursor._cursor.close))


if __name__ == "__main__":
    main()
