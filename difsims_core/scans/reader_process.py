"""The process that reads scans for `scan_reader`: ``python -m difsims_core.scans.reader_process MEMORY_MB SECONDS``.

It answers lines of JSON, limits itself before the first of them, and never meets a credential.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from difsims_core.errors import DifsimsError, ExperimentError
from difsims_core.messages import first_line
from difsims_core.scans.listing import printable
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.npz.limits import npz_limits

MEMORY_SETTING = "DIFSIMS_INTAKE_MEMORY_MB"
READY = {"ready": True}
_MB = 1_000_000
_LONGEST_PROBLEM = 2_000  # characters
_GRACE_SECONDS = 60


def main() -> None:
    """Answer questions, a line each, until there are no more."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what anything else prints is no answer
    memory_mb, seconds = int(sys.argv[1]), float(sys.argv[2])
    npz_limits()
    _limit_itself(memory_mb)
    answers.write(json.dumps(READY).encode() + b"\n")
    for line in sys.stdin.buffer:
        question = json.loads(line)
        signal.alarm(int(seconds) + _GRACE_SECONDS)  # should whoever asked be gone
        if "reading" in question:
            problem = raw_problem_of(question["path"], question["url"], memory_mb, question["reading"])
        else:
            problem = problem_of(question["path"], question["url"], memory_mb)
        signal.alarm(0)
        message = None if problem is None else printable(problem[:_LONGEST_PROBLEM])
        answers.write(json.dumps({"problem": message}).encode() + b"\n")


def problem_of(path: str | Path, url: str, memory_mb: int) -> str | None:
    """Return why a file, known as ``url``, does not read as a scan; None when it does."""
    return _problem(url, memory_mb, lambda: read_profiles(path, shown=url))


def raw_problem_of(path: str, url: str, memory_mb: int, reading: dict[str, Any]) -> str | None:
    """Return why a file, known as ``url``, does not read as a raw scan: it is opened, and some frames are read."""
    problem = _problem(url, memory_mb, lambda: _read_some_frames(path, reading))
    return None if problem is None else problem.replace(path, url)


def _read_some_frames(path: str, reading: dict[str, Any]) -> None:
    from difsims_core.config.raw_scans.reading import ReadingSpec
    from difsims_core.experiment.frames import DetectorCorrection, blocks_of, read_block
    from difsims_core.experiment.open_scan import open_raw_scan

    scan = open_raw_scan(path, ReadingSpec.model_validate(reading))
    blocks = blocks_of(scan)
    for block in {0: blocks[0], len(blocks) - 1: blocks[-1]}.values():
        read_block(scan, block, DetectorCorrection())


def _problem(url: str, memory_mb: int, read: Callable[[], object]) -> str | None:
    """Return why a file does not read; None when it does."""
    try:
        read()
    except MemoryError:
        return _too_large(url, memory_mb)
    except ExperimentError as error:
        return _too_large(url, memory_mb) if isinstance(error.__context__, MemoryError) else str(error)
    except DifsimsError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a file does to its reader, the other scans go on
        return f"{url}: cannot be read ({type(error).__name__}: {first_line(error)}); copy or make it again"
    return None


def _too_large(url: str, memory_mb: int) -> str:
    return (
        f"{url}: reading it needs more than {memory_mb:,} MB of memory; save less in one file, or set {MEMORY_SETTING}"
    )


def _limit_itself(memory_mb: int) -> None:
    """Take no more memory than this beyond what is used, write no files, and be the first to go when there is none."""
    import resource

    with suppress(OSError, ValueError):  # of Linux alone
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + memory_mb * _MB
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


if __name__ == "__main__":
    main()
