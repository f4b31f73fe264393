"""The stack's Prefect server: a cursor that is dropped on the event loop's thread does not stop the loop."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The lock is given back by the event loop after the cursor was dropped, as by a request that commits. If dropping it
# stops the loop, the waiting connection gives up first.
_SCRIPT = """
import asyncio, gc, sqlite3, sys
import aiosqlite
from flows.stack.services.prefect_server import end_cursors_on_their_own_thread

path, busy_seconds, cured = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "cured"
if cured:
    end_cursors_on_their_own_thread()


async def main():
    async with aiosqlite.connect(path, timeout=busy_seconds, isolation_level=None) as waiting:
        await waiting.execute("PRAGMA journal_mode = WAL")
        await waiting.execute("CREATE TABLE numbers (n UNIQUE)")
        await waiting.execute("INSERT INTO numbers VALUES (1)")
        cursor = await waiting.cursor()
        try:
            await cursor.execute("INSERT INTO numbers VALUES (1)")
        except sqlite3.IntegrityError:
            await waiting.rollback()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        cycle = [cursor]
        cycle.append(cycle)
        del cursor, cycle
        write = asyncio.create_task(waiting.execute("UPDATE numbers SET n = n + 1"))
        await asyncio.sleep(0.3)
        gc.collect()
        holder.rollback()
        try:
            await write
            print("written")
        except sqlite3.OperationalError as error:
            print(error)
        holder.close()


gc.disable()
asyncio.run(main())
"""


_AS_IT_IS = "database is locked" if sys.version_info < (3, 12) else "written"


@pytest.mark.parametrize(("how", "busy_seconds", "end"), [("cured", 10, "written"), ("as it is", 1, _AS_IT_IS)])
def test_a_dropped_cursor_does_not_stop_the_loop(tmp_path, how, busy_seconds, end):
    """The second case shows whether the cure is still needed."""
    command = [sys.executable, "-W", "error", "-c", _SCRIPT, str(tmp_path / "numbers.db"), str(busy_seconds), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == (end, "")
