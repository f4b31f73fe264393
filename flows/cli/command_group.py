"""How every command of ``difsims`` ends: exit codes, one-line errors, Ctrl-C."""

from __future__ import annotations

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from difsims_core.errors import DifsimsError, InputError
from difsims_core.messages import first_line
from flows.cli import interruption

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
_EVERYWHERE = ("--debug", "--verbose", "--prefect")


class CommandGroup(TyperGroup):
    """Commands whose errors are one line with a remedy.

    Exit codes: 0 done, 1 failed, 2 misused (an argument, a document or a file that cannot be used), 128 + the number of
    the signal that ended it (130: Ctrl-C). ``--debug``, ``--verbose`` and ``--prefect`` are understood before and
    after the name of a command.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Put the options that every command understands where Typer looks for them."""
        ends = args.index("--") if "--" in args else len(args)
        wanted = [item for item in args[:ends] if item in _EVERYWHERE]
        others = [item for item in args[:ends] if item not in _EVERYWHERE]
        return super().parse_args(ctx, wanted + others + args[ends:])

    def invoke(self, ctx: typer.Context) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the command; a failure becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            code = getattr(error, "code", INTERRUPTED)
            if interruption.is_installed():
                interruption.leave(code)
            typer.echo(interruption.MESSAGE, err=True)
            raise typer.Exit(code) from None
        except DifsimsError as error:
            _end(ctx, error, str(error), MISUSED if isinstance(error, InputError) else FAILED)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if type(error).__module__.startswith(("click", "typer")):
                raise  # misuse found by Typer itself; it prints its own line and ends with 2
            message = f"unexpected {type(error).__name__}: {first_line(error)} (--debug shows where)"
            _end(ctx, error, message, FAILED)


def _end(ctx: typer.Context, error: BaseException, message: str, code: int) -> NoReturn:
    from flows.cli import console

    if ctx.params.get("_debug"):
        console.fail_with_traceback(error)
    console.fail(message)
    raise typer.Exit(code) from None
