"""The terminal: results on standard output; the story, progress bars and errors on standard error.

All that is shown is text: no markup in it is followed, and no character in it moves the terminal.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from difsims_core.messages import printable, printable_lines

if TYPE_CHECKING:
    from flows.ui.progress import TrackedWork

results = Console(highlight=False, markup=False, emoji=False)
if not results.is_terminal:
    results.width = 120  # a file or a pipe has no width; rich would take 80
_KERNELS_A_LINE = 10  # a line every few seconds
story = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


class TerminalListener:
    """Shows what flows tell: lines, and bars on a terminal (none into a file or a pipe)."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._bars: dict[int, TaskID] = {}

    def on_message(self, text: str) -> None:
        """Print one line of the story."""
        tell(text)

    def on_progress(self, work: TrackedWork) -> None:
        """Draw the bar of a piece of work."""
        if not story.is_terminal:
            return
        if self._progress is None:
            self._progress = bars(story)
            self._progress.start()
        if id(work) not in self._bars:
            self._bars[id(work)] = self._progress.add_task(
                printable(work.title), total=work.total, unit=work.unit, note=""
            )
        self._progress.update(self._bars[id(work)], completed=work.done, note=printable(work.detail))

    def on_end(self, work: TrackedWork) -> None:
        """Take the bar of a piece of work away."""
        bar = self._bars.pop(id(work), None)
        if self._progress is None or bar is None:
            return
        self._progress.remove_task(bar)
        if not self._bars:
            self.close()

    def close(self) -> None:
        """Give the terminal back."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._bars.clear()


class WarningHandler(logging.Handler):
    """Shows the warnings of the core as lines of the story."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print one warning."""
        warn(record.getMessage())


class KernelHandler(logging.Handler):
    """Shows as lines of the story that kernels are being compiled, and how far that is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first kernel, with why it takes a while, and every tenth."""
        number, most = getattr(record, "number", 0), getattr(record, "most", 0)
        if number == 1:
            tell("compiling kernels: about a minute, once an installation (`difsims compile` does it ahead)")
        elif number % _KERNELS_A_LINE == 0:
            tell(f"compiling kernel {number} of at most {most}")


def tell_compiling() -> None:
    """Show from now on when kernels are compiled; neither they nor Numba are loaded for it."""
    logger = logging.getLogger("difsims_core.kernels.compile")
    logger.setLevel(logging.INFO)
    logger.handlers = [KernelHandler()]


@contextmanager
def bar(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar for work without flows; the value is told how much is done by now."""
    if not story.is_terminal:
        yield lambda _done: None
        return
    with bars(story) as shown:
        task = shown.add_task(title, total=total, unit=unit, note="")
        yield lambda done: shown.update(task, completed=done)


def bars(terminal: Console) -> Progress:
    """Return the bars of work, not yet shown."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]} {task.fields[note]}", markup=False),
        TimeRemainingColumn(),
        console=terminal,
        transient=True,
    )


def tell(text: str) -> None:
    """Print one line of the story."""
    _print("·", "cyan", text)


def fail(message: str) -> None:
    """Print an error, one line a finding; each says that it is one."""
    for line in str(message).splitlines() or ["unknown error"]:
        _print("error:", "bold red", line)


def fail_with_traceback(error: BaseException) -> None:
    """Print where an error comes from."""
    story.print(Text(printable_lines("".join(traceback.format_exception(error)))))


def warn(message: str) -> None:
    """Print a warning."""
    _print("!", "yellow", message)


def _print(mark: str, style: str, text: str) -> None:
    story.print(Text.assemble((mark, style), " ", printable(text)))


def show_json(value: Any) -> None:
    """Print a value as JSON, free of colours, line breaks and controls of the terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    shown = (sign if sign == "\n" or printable(sign) == sign else json.dumps(sign)[1:-1] for sign in text)
    show_text("".join(shown) + "\n")


def show_line(text: str) -> None:
    """Print a line for a script to read: an id, a path, a verdict."""
    show_text(f"{printable(text)}\n")


def show_text(text: str) -> None:
    """Print a text of ours that ends its own lines, exactly as it is."""
    results.file.write(text)
    results.file.flush()


def show_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> None:
    """Print rows of equal keys as a table; the first column, a name, is never broken."""
    names = list(columns or (rows[0] if rows else ()))
    drawn = Table(title=printable(title), title_justify="left", title_style="bold")
    for name in names:
        numbers = all(isinstance(row.get(name), int | float) for row in rows)
        drawn.add_column(
            printable(name), justify="right" if numbers else "left", overflow="fold", no_wrap=name == names[0]
        )
    for row in rows:
        drawn.add_row(*(Text(printable(shown(row.get(name)))) for name in names))
    results.print(drawn)


def shown(value: Any) -> str:
    """Return a value as people read it: four figures, a dash for what does not exist."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
