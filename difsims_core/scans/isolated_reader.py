"""Reads scans that nobody has read before in a process of its own, with limits of memory and time.

Whatever a file does to its reader, whoever asks gets an answer: the text of what is wrong, or None. The process
(`scan_reading`) knows no credentials, writes no files, and is the first to go when the machine runs out of memory.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import DifsimsError, MalformedError
from difsims_core.plain_json import read_json
from difsims_core.scans.reader_process import MEMORY_SETTING, READY
from difsims_core.storage.npz.limits import PREFIX
from difsims_core.storage.objects import local_copy

TIME_SETTING = "DIFSIMS_INTAKE_SECONDS"
COMMAND = (sys.executable, "-P", "-m", "difsims_core.scans.reader_process")  # -P: no module of the working folder
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_START_SECONDS = 120  # busy cores import NumPy in seconds
_LONGEST_ANSWER = 2**16


class ScanReaderError(DifsimsError):
    """The process that reads scans does not start; no scan is to blame."""


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What reading one scan may take.

    Attributes
    ----------
    memory_mb : int
        Megabytes (10⁶ bytes) of memory beyond what Python needs.
    seconds : float
        Of time.
    """

    memory_mb: int = 16_000
    seconds: float = 300


class ScanReader:
    """A process that reads scans: started when it is first needed and after each death, ended with the ``with`` block.

    Parameters
    ----------
    limits
        What reading one scan may take.
    """

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises
        ------
        ScanReaderError
            If it does not start.
        """
        self._started()

    def problem(self, url: str) -> str | None:
        """Return why a scan does not read by its contract; None when it does.

        Raises
        ------
        ScanReaderError
            If the process does not start.
        StoreError
            If the store does not give the scan.
        """
        with local_copy(url) as path:
            return self._answer({"path": str(path), "url": url})

    def raw_problem(self, url: str, reading: ReadingSpec) -> str | None:
        """Return why a raw scan cannot be opened, or its first and last frames cannot be read; None when they can.

        A Zarr group of an object store is not read: the process has no credentials for it.

        Raises
        ------
        ScanReaderError
            If the process does not start.
        StoreError
            If the store does not give the scan.
        """
        from difsims_core.experiment.open_scan import scan_on_disk

        with scan_on_disk(url) as path:
            if path is None:
                return None
            return self._answer({"path": path, "url": url, "reading": reading.to_document()})

    def _answer(self, question: dict[str, Any]) -> str | None:
        """Return the problem that the process tells of; one that tells of none as it should is a problem, too."""
        answer, url = self._started().ask(question, self._limits.seconds), question["url"]
        if isinstance(answer, dict) and answer.keys() == {"problem"}:
            problem = answer["problem"]
            if problem is None or isinstance(problem, str):
                return problem
        self._end()
        why = answer if isinstance(answer, str) else "its reader gave no answer that can be understood"
        return f"{url}: cannot be read: {why}; make it again, with less in one file"

    def _started(self) -> _Child:
        if self._child is None or not self._child.runs():
            self._end()
            self._child = _Child(self._limits)
            answer = self._child.answer(_START_SECONDS)
            if answer != READY:
                self._end()
                raise ScanReaderError(
                    f"the process that reads scans does not start ({answer})",
                    f"`{' '.join(COMMAND)} 1000 60` shows why",
                )
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """A process and the line to it."""

    def __init__(self, limits: ReadingLimits) -> None:
        kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(PREFIX)}
        self._line, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [*COMMAND, str(limits.memory_mb), str(limits.seconds)],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env=kept,
                )
            except OSError as error:
                self._line.close()
                raise ScanReaderError(f"the process that reads scans does not start ({error})", "free memory") from None

    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def ask(self, question: dict[str, Any], seconds: float) -> Any:
        """Return the answer to a question; a text says why there is none."""
        try:
            self._line.settimeout(seconds)
            self._line.sendall(json.dumps(question).encode() + b"\n")
        except OSError:
            return self._death()
        return self.answer(seconds)

    def answer(self, seconds: float) -> Any:
        """Return the next line of the process as a value; a text says why there is none."""
        answer, deadline = b"", time.monotonic() + seconds
        while not answer.endswith(b"\n"):
            try:
                self._line.settimeout(max(deadline - time.monotonic(), 1e-6))
                piece = self._line.recv(_LONGEST_ANSWER)
            except TimeoutError:
                return f"it takes longer than {seconds:g} s ({TIME_SETTING})"
            except OSError:
                piece = b""
            if not piece:
                return self._death()
            answer += piece
            if len(answer) > _LONGEST_ANSWER:
                return "its reader does not come to an end"
        try:
            return read_json(answer)
        except MalformedError:
            return "its reader answers no JSON"

    def end(self) -> None:
        """End it."""
        self._line.close()
        self._process.kill()
        self._process.wait()

    def _death(self) -> str:
        self._process.kill()  # it has closed its end of the line, and may be about to go
        code = self._process.wait()
        how = f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name
        return f"it ended the process that read it ({how}), it is damaged or memory ran out ({MEMORY_SETTING})"
