"""One bad item ends nothing but itself: the others of a batch go on, and the run fails when all are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from difsims_core.errors import (
    CorruptDataError,
    DifsimsError,
    InputError,
    MissingObjectError,
    PartlyFailedError,
    StoreError,
)
from difsims_core.messages import first_line
from difsims_core.storage.names import url_name
from difsims_core.storage.objects import ObjectStore
from flows.execution.retries import may_go_away
from flows.ui.flow_context import server_errors
from flows.ui.progress import Stopped

_MOST_IN_A_ROW = 3
_Result = TypeVar("_Result")


class ItemFailures:
    """Takes the failures of single items, whatever they are; one of everything goes through.

    What concerns everything: the store does not answer or fails three times in a row, Prefect's server is gone, the run
    is asked to stop, or an error of a kind named here.

    Parameters
    ----------
    store
        Asked after a failure that may be its own.
    through
        Kinds of errors that no single item is to blame for.
    """

    def __init__(self, store: ObjectStore, *through: type[Exception]) -> None:
        self._store = store
        self._through = (*server_errors(), Stopped, *through)
        self._in_a_row = 0
        self.errors: dict[str, Exception] = {}

    @contextmanager
    def catch(self, item: str) -> Iterator[None]:
        """Work on one item; an error of it ends the block and is kept."""
        try:
            yield
        except self._through:
            raise
        except Exception as error:
            if of_the_store(error):
                self._store.folders()  # raises when it does not answer
                self._in_a_row += may_go_away(error)
                if self._in_a_row >= _MOST_IN_A_ROW:  # such as a full disk
                    raise
            self.errors[item] = error
        else:
            self._in_a_row = 0

    @property
    def reasons(self) -> dict[str, str]:
        """Why items failed, in order."""
        return {item: _reason(item, error) for item, error in self.errors.items()}

    def raise_if_any(self, total: int, what: str, rest: str, done: Mapping[str, object]) -> None:
        """End a batch of ``total`` items: fail when any has failed.

        Parameters
        ----------
        total
            How many items there were.
        what
            Such as "scans cannot be predicted".
        rest
            What became of the others.
        done
            What there is of items, failed or not.

        Raises
        ------
        PartlyFailedError
            With the reason for each item that failed.
        InputError, MissingObjectError
            That of the only item.
        """
        if not self.errors:
            return
        if total == 1:
            (error,) = self.errors.values()
            if isinstance(error, InputError | MissingObjectError):
                raise error
        named = [why if url_name(item) in why else f"{item}: {why}" for item, why in self.reasons.items()]
        opening = f"{rest}: " if len(self.errors) < total else ": "
        raise PartlyFailedError(
            f"{len(self.errors)} of {total} {what}{opening}{' · '.join(named)}",
            done={item: result for item, result in done.items() if item not in self.errors},
        ) from next(iter(self.errors.values()))


class StageFailures:
    """Takes the failures of stages that follow each other: what one makes of good items, the next goes on with."""

    def __init__(self) -> None:
        self._errors: list[DifsimsError] = []

    def results(
        self, items: Sequence[str], stage: Callable[[], Sequence[_Result]], *, among: int | None = None
    ) -> dict[str, _Result]:
        """Return what a stage makes of each item that does not fail.

        Parameters
        ----------
        items, stage
            What it is done with, and does.
        among
            How many items there are of which these are a part; where all fail, their error goes through.
        """
        try:
            return dict(zip(items, stage(), strict=True))
        except PartlyFailedError as error:
            done, failed = error.done, error
        except (InputError, MissingObjectError) as error:  # of the only item
            done, failed = {}, error
        if not done and len(items) == (among or len(items)):
            raise failed
        self._errors.append(failed)
        return done

    def raise_if_any(self) -> None:
        """End the run: fail when any item has failed in any stage."""
        if self._errors:
            raise PartlyFailedError(" · ".join(map(str, self._errors))) from self._errors[0]


def of_the_store(error: Exception) -> bool:
    """Return whether it may be the store that fails, and not what it holds."""
    return isinstance(error, StoreError) and not isinstance(error, MissingObjectError | CorruptDataError)


def _reason(item: str, error: Exception) -> str:
    if isinstance(error, DifsimsError):
        return str(error)
    return f"{item}: unexpected {type(error).__name__}: {first_line(error)}"
