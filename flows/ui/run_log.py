"""The log of runs: a record is one line, whatever its message holds; what follows, a traceback, is set in.

So no name of a scan, a phase or a file makes a line of its own in the log of a worker, nor does it move its terminal.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

from difsims_core.messages import printable, printable_lines

_OURS = ("difsims_core", "flows", "prefect.flow_runs", "prefect.task_runs", "prefect.engine")
_ENDED_WELL = "Finished in state Completed"  # what Prefect logs of every task; the first words of the line
_SET_IN = "    "

_logger = logging.getLogger("flows")


def log(level: int, text: str) -> None:
    """Write a line to the log of the run at work, or to that of this process where there is none."""
    _logger_at_work().log(level, text)


def _logger_at_work() -> logging.Logger | logging.LoggerAdapter[Any]:
    if "prefect" not in sys.modules:
        return _logger
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        return get_run_logger()
    except MissingContextError:
        return _logger


class ReadableRecord(logging.LogRecord):
    """A record whose message is one line, and whose traceback is set in."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if self.exc_info and self.exc_info[1] is not None:
            lines = printable_lines("".join(traceback.format_exception(self.exc_info[1]))).rstrip().split("\n")
            self.exc_text = "\n".join(_SET_IN + line for line in lines)

    def getMessage(self) -> str:  # noqa: N802 - its name in the standard library
        """Return the message on one line."""
        return printable(super().getMessage())


def _make_readable() -> None:
    """See to it that all records of ours, and of Prefect about our runs, can be read."""
    others = logging.getLogRecordFactory()

    def make(name: str, *args: Any, **named: Any) -> logging.LogRecord:
        return (ReadableRecord if name.startswith(_OURS) else others)(name, *args, **named)

    logging.setLogRecordFactory(make)
    logging.getLogger("prefect.task_runs").addFilter(_says_something)


def _says_something(record: logging.LogRecord) -> bool:
    """Return whether a line of a task is worth reading; that it ended well is not, there are dozens of them."""
    return not str(record.msg).startswith(_ENDED_WELL)


_make_readable()
