"""Prefect's server for the stack: ``python -m flows.stack.prefect_server start …``, as ``prefect server start …``.

On SQLite and Python 3.11 the server stood still for 60 s and more, now and then. Up to that release a cursor keeps its
statement when a statement failed (an integrity error, a locked database), and ending the cursor waits for the mutex of
its connection. When the garbage collector ends one on the event loop's thread while its connection waits for the
database's lock, the loop stands still until SQLite gives up, for the lock's holder needs the loop to commit. So cursors
are handed to the thread of their connection, which ends them between two statements.
"""

from __future__ import annotations

import contextlib
import runpy
import sys

import aiosqlite


def main() -> None:
    """Run ``prefect server`` with the arguments of the command line."""
    end_cursors_on_their_own_thread()
    sys.argv = ["prefect", "server", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


def end_cursors_on_their_own_thread() -> None:
    """Let aiosqlite's cursors be closed by their connection's thread, for this process (aiosqlite 0.22)."""
    aiosqlite.Cursor.__del__ = _hand_over  # pyright: ignore[reportAttributeAccessIssue]


def _hand_over(cursor: aiosqlite.Cursor) -> None:
    with contextlib.suppress(AttributeError):  # never complete, or another aiosqlite: then as before
        cursor._conn._tx.put_nowait((None, cursor._cursor.close))


if __name__ == "__main__":
    main()
