"""Processes whose output goes to a log, and the end of such a log for a message."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_LINES = 20


def start_logged(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start a command of our own in a folder and a process group of its own: Ctrl-C reaches ``difsims up`` alone.

    Parameters
    ----------
    command
        What to execute.
    log
        Where its output is added.
    environment
        All of its variables.
    folder
        Its working directory.
    """
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def last_lines(log: Path) -> str:
    """Return the end of a log, indented."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-_LAST_LINES:]) or "    (its log is empty)"
