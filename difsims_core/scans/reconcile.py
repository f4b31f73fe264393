"""The intake by comparison: a round starts a run for what the store lacks, whatever happened before.

Each round compares the scans of a store with the maps and scores that the wanted models have made of them. Nothing is
known but what the listings tell and what has failed (`attempts`). A scan that nobody has mapped is read first, in a
process of its own. What failed is tried again alone, after everything else was started: it may end whoever tries it.
What failed too often is quarantined until its content changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from difsims_core.errors import InputError
from difsims_core.messages import first_line, printable
from difsims_core.moments import as_text
from difsims_core.scans.attempts import Attempt, Attempts, Subject, begun, change_attempts
from difsims_core.scans.isolated_reader import ReadingLimits, ScanReader, ScanReaderError
from difsims_core.scans.listing import is_raw
from difsims_core.scans.missing_maps import Inventory, MissingMap
from difsims_core.storage.npz.limits import npz_limits
from difsims_core.storage.objects import ObjectInfo, ObjectStore

SECONDS_BETWEEN_TRIES = 10  # rounds closer together count as one: late ones may all start at once
LEAST_GRACE_SECONDS = 60  # from the decision to start a run until Prefect tells of it
_ANOTHER_CHANCE_SECONDS = 6 * 3600
_MOST_SCANS_A_RUN = 50


@dataclass(frozen=True, slots=True)
class RetryRules:
    """When a round tries something again.

    Attributes
    ----------
    now : datetime
        Time of the round.
    tries : int
        How often a scan may fail before it is quarantined.
    grace_seconds : float
        How long an attempt of which nothing is heard may be on its way.
    """

    now: datetime
    tries: int
    grace_seconds: float = LEAST_GRACE_SECONDS

    def may_try(self, attempt: Attempt | None, scan: ObjectInfo) -> bool:
        """Return whether a scan may be tried after the attempt that is known of it.

        When all runs were ended before they could say anything, it may be the machine's fault and not the scan's.
        """
        if attempt is None or not attempt.is_about(scan):
            return True
        age = abs((self.now - datetime.fromisoformat(attempt.at)).total_seconds())  # clocks are set back
        if self.is_given_up(attempt):
            is_reading = attempt.model is None and not is_raw(attempt.scan)
            return not is_reading and not attempt.reason and age >= _ANOTHER_CHANCE_SECONDS
        return age >= (SECONDS_BETWEEN_TRIES if attempt.reason else self.grace_seconds)

    def is_given_up(self, attempt: Attempt) -> bool:
        """Return whether it was the last attempt that a scan gets."""
        return attempt.tries >= self.tries


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that a round starts.

    Attributes
    ----------
    model : str
        Id of the model.
    scans : tuple of ObjectInfo
        What it maps.
    predicted : bool
        Whether the maps are there, and are only to be evaluated.
    new : tuple of ObjectInfo
        Those of the scans that were read for the first time, by this round.
    tries : int
        Which attempt it is.
    """

    model: str
    scans: tuple[ObjectInfo, ...]
    predicted: bool
    new: tuple[ObjectInfo, ...]
    tries: int


def reconcile(
    store: ObjectStore,
    inventory: Inventory,
    now: datetime,
    *,
    tries: int,
    runs: int,
    at_work: Callable[[str, str], bool] = lambda _model, _scan: False,
    reading: ReadingLimits = ReadingLimits(),  # noqa: B008 - a frozen value
) -> Iterator[RunRequest]:
    """Yield the runs to be started, those of the first model first; start each before the next is asked for.

    Of two rounds at once, one has an attempt written down, and the other leaves it alone.

    Parameters
    ----------
    store
        Where the scans lie.
    inventory
        What was found there.
    now
        Time of the round.
    tries
        How often a scan may fail before it is quarantined.
    runs
        How many runs may be started at most.
    at_work
        Whether a run that waits or goes on will map a scan: asked with the id of the model and the key of the scan.
    reading
        What reading one scan may take.

    Raises
    ------
    ScanReaderError
        If the process that reads scans does not start.
    """
    npz_limits()  # a wrong setting is no fault of the scans
    rules = RetryRules(now, tries, max(reading.seconds, LEAST_GRACE_SECONDS))
    _, attempts = change_attempts(store, lambda known: _still_of_use(known, inventory))
    attempts = {subject: attempt for subject, attempt in attempts.items() if subject[0] in inventory.scans}
    tried = {key for (key, _), attempt in attempts.items() if attempt.is_about(inventory.scans[key])}
    wanted = [*inventory.missing, *_made_from_other_content(attempts, inventory)]
    due = [item for item in wanted if _is_due(item, attempts, rules) and not at_work(item.model, item.scan.key)]
    with ScanReader(reading) as reader:
        this_round = _Round(store, rules, reader, set(inventory.mapped))
        for batch in _batches(due, tried, attempts):
            if runs <= 0:
                return
            for request in this_round.requests(batch, runs):
                runs -= 1
                yield request


def _still_of_use(known: Attempts, inventory: Inventory) -> Attempts:
    """Return the attempts without those that succeeded, and those at what is no longer there or wanted."""
    missing = {(item.scan.key, item.model) for item in inventory.missing}

    def is_of_use(attempt: Attempt) -> bool:
        scan = inventory.scans.get(attempt.scan)
        if scan is None:
            return is_raw(attempt.scan)
        if attempt.model is None:
            return attempt.is_about(scan) and scan.key not in inventory.mapped
        return attempt.model in inventory.models and (attempt.subject in missing or not attempt.is_about(scan))

    return {subject: attempt for subject, attempt in known.items() if is_of_use(attempt)}


def _made_from_other_content(attempts: Attempts, inventory: Inventory) -> Iterator[MissingMap]:
    """Yield the maps that may be of what a scan was when their run began: it changed before the map was written."""
    missing = {(item.scan.key, item.model) for item in inventory.missing}
    for (key, model), attempt in attempts.items():
        if model is not None and (key, model) not in missing and not attempt.is_about(inventory.scans[key]):
            yield MissingMap(inventory.scans[key], model, predicted=False)


def _is_due(item: MissingMap, attempts: Attempts, rules: RetryRules) -> bool:
    key = item.scan.key
    return all(rules.may_try(attempts.get(subject), item.scan) for subject in ((key, None), (key, item.model)))


def _batches(due: Sequence[MissingMap], tried: set[str], attempts: Attempts) -> Iterator[list[MissingMap]]:
    """Yield what is tried together: of new scans, those that need the same of a model; then each other scan alone."""
    new = [item for item in due if item.scan.key not in tried]
    for _, group in groupby(new, key=lambda item: (item.model, item.predicted)):
        items = list(group)
        for start in range(0, len(items), _MOST_SCANS_A_RUN):
            yield items[start : start + _MOST_SCANS_A_RUN]
    most = {key: max((a.tries for (scan, _), a in attempts.items() if scan == key), default=0) for key in tried}
    again = sorted(
        (item for item in due if item.scan.key in tried), key=lambda item: (most[item.scan.key], item.scan.key)
    )
    for _, group in groupby(again, key=lambda item: item.scan.key):
        yield list(group)


class _Round:
    """Takes batches of missing maps: writes down each attempt, reads what was never read, and asks for runs."""

    def __init__(self, store: ObjectStore, rules: RetryRules, reader: ScanReader, readable: set[str]) -> None:
        self._store, self._rules, self._reader = store, rules, reader
        self._readable = readable
        self._at = as_text(rules.now)

    def requests(self, batch: Sequence[MissingMap], most: int) -> Iterator[RunRequest]:
        """Yield the runs for a batch, at most so many."""
        unread = {item.scan.key: item.scan for item in batch if item.scan.key not in self._readable}
        problems = self._read(unread) if unread else {}
        self._readable |= {key for key, problem in problems.items() if problem is None}
        readable = [item for item in batch if item.scan.key in self._readable]
        groups = [list(group) for _, group in groupby(readable, key=lambda item: (item.model, item.predicted))][:most]
        mine = self._begin(groups, problems)
        for group in groups:
            scans = tuple(item.scan for item in group if (item.scan.key, item.model) in mine)
            if scans:
                first = group[0]
                new = tuple(scan for scan in scans if scan.key in problems)
                tries = mine[scans[0].key, first.model].tries
                yield RunRequest(first.model, scans, first.predicted, new, tries)

    def _read(self, scans: dict[str, ObjectInfo]) -> dict[str, str | None]:
        """Read the scans that no other round has taken; return why they cannot be read, or None."""
        self._reader.start()  # a process that does not start is no fault of the scans
        mine = self._write_down([(scan, None) for scan in scans.values()])
        return {key: self._problem(scans[key]) for key, _ in mine}

    def _problem(self, scan: ObjectInfo) -> str | None:
        """Return why a scan does not read by its contract; None when it does."""
        url = self._store.url(scan.key)
        try:
            npz_limits().check_size(scan.size)
            return self._reader.problem(url)
        except ScanReaderError:
            raise
        except InputError as error:
            return f"{url}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one scan, the others go on
            return f"{url}: cannot be read ({type(error).__name__}: {first_line(error)}); copy or make it again"

    def _begin(self, groups: Sequence[Sequence[MissingMap]], problems: dict[str, str | None]) -> dict[Subject, Attempt]:
        """Write down what reading has found, and that runs are started; return the attempts that are this round's."""

        def concluded(known: Attempts) -> dict[Subject, Attempt]:
            attempts = dict(known)
            for key, problem in problems.items():
                reading = attempts.get((key, None))
                if reading is None or reading.reason or reading.at != self._at:
                    continue  # another round has taken it over
                del attempts[key, None]
                if problem is not None:
                    attempts[key, None] = reading.failed(printable(problem), self._at)
            return attempts

        return self._write_down([(item.scan, item.model) for group in groups for item in group], concluded)

    def _write_down(
        self,
        wanted: Sequence[tuple[ObjectInfo, str | None]],
        first: Callable[[Attempts], Attempts] = lambda known: known,
    ) -> dict[Subject, Attempt]:
        """Write down attempts before they are made; return those that no other round was faster to write."""

        def decide(known: Attempts) -> Attempts:
            attempts = dict(first(known))
            for scan, model in wanted:
                before = attempts.get((scan.key, model))
                if self._rules.may_try(before, scan):
                    attempts[scan.key, model] = begun(before, scan, model, self._at)
            return attempts

        before, after = change_attempts(self._store, decide)
        subjects = [(scan.key, model) for scan, model in wanted]
        return {subject: after[subject] for subject in subjects if after[subject] != before.get(subject)}
