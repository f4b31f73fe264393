"""Scans that come in: which are new, whole, to be predicted, done or given up.

A round (`look`) compares the listing of ``experiments/profiles/`` with the record of the rounds before. A scan that
reads by its contract is taken at once. One that does not may still be on its way: it is left while it changes, and each
round in which it has not changed counts as a try. Whatever fails too often is quarantined until its content changes; a
scan that nobody said anything of, which may be nobody's fault but the machine's, gets another chance now and then. No
scan that is known and unchanged is read again, but those that failed.

A round writes down what it is about to read before it reads. When it ends in the middle, by a kill or a power cut, the
next one knows: those scans are then read one at a time (``only``), after all others are announced, and a scan whose
reading ends a round once more has failed once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from difsims_core.errors import InputError
from difsims_core.messages import first_line
from difsims_core.models.registry import read_registry
from difsims_core.moments import as_text, now_text
from difsims_core.scans.intake_record import Entries, Entry, State, change_entries, read_entries
from difsims_core.scans.intake_steps import (
    Rules,
    begin,
    differs,
    done,
    failed,
    fresh,
    judged,
    newly_announced,
    same_content,
    suspect,
)
from difsims_core.scans.isolated_reader import ReadingLimits, ScanReader, ScanReaderError
from difsims_core.scans.listing import list_scans, name_problem, printable, scan_url
from difsims_core.storage.npz.limits import npz_limits
from difsims_core.storage.objects import ObjectInfo, ObjectStore

__all__ = [
    "Entry",
    "Outcome",
    "ReadingLimits",
    "Round",
    "State",
    "look",
    "read_entries",
    "record",
    "release",
    "rounds",
    "scans_to_predict",
]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found.

    Attributes
    ----------
    entries : tuple of Entry
        All scans, the latest change first.
    announce : tuple of Entry
        To be announced now, by this round and no other.
    changed : tuple of Entry
        Those that are new or in another state, or have failed once more.
    gone : tuple of Entry
        Scans that are no longer there.
    suspects : tuple of Entry
        To be looked at one at a time, each in a round of its own: a round ended while they were read.
    """

    entries: tuple[Entry, ...]
    announce: tuple[Entry, ...]
    changed: tuple[Entry, ...]
    gone: tuple[Entry, ...]
    suspects: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scan in a prediction.

    Attributes
    ----------
    scan : ObjectInfo
        As it was listed before the prediction began.
    reason : str or None
        Why it failed; None: it did not.
    """

    scan: ObjectInfo
    reason: str | None = None


def rounds(store: ObjectStore, now: datetime, **options: Any) -> Iterator[Round]:
    """Look once, then at each of the suspects alone; ``options`` are those of `look`.

    Announce what one finds before the next is asked for: it may end the process.
    """
    first = look(store, now, **options)
    yield first
    for entry in first.suspects:
        yield look(store, now, only=entry.key, **options)


def look(
    store: ObjectStore,
    now: datetime,
    *,
    tries: int,
    at_work: Callable[[str], bool] = lambda _url: False,
    reading: ReadingLimits = ReadingLimits(),  # noqa: B008 - a frozen value
    only: str | None = None,
) -> Round:
    """Compare what lies in a store with what was known, and keep what is known now.

    Of two rounds at once, one has its changes kept; the other decides again on these, and announces nothing twice.

    Parameters
    ----------
    store
        Where the scans lie.
    now
        Time of the round.
    tries
        How often a scan may fail before it is quarantined.
    at_work
        Whether a run that will predict a scan is waiting or running; asked with its URL.
    reading
        What reading one scan may take.
    only
        Key of one of the ``suspects`` of an earlier round: nothing else is looked at.
    """
    found = {printable(info.key): info for info in list_scans(store) if only in (None, printable(info.key))}
    champion = read_registry(store).champion
    rules = Rules(
        as_text(now),
        tries,
        None if champion is None else champion.model,
        lambda key: at_work(store.url(key)),
        reading.seconds,
        only,
    )
    npz_limits()  # a wrong setting is no fault of the scans
    with ScanReader(reading) as reader:

        def intend(known: Entries) -> Entries:
            begun = {key: begin(known.get(key), info, rules) for key, info in found.items()}
            if _newly_read(known, begun):
                reader.start()  # a process that does not start is no fault of the scans
            return begun if only is None else {**known, **begun}

        before, between = change_entries(store, intend)
        problems = {key: _problem(store, found[key], reader) for key in _newly_read(before, between)}
    return _concluded(store, before, between, problems, rules)


def _newly_read(before: Entries, after: Entries) -> list[str]:
    """Return the keys of the scans that a round has set out to read."""
    return [
        key
        for key, entry in after.items()
        if entry.reading and (key not in before or entry.reading != before[key].reading)
    ]


def _concluded(
    store: ObjectStore, before: Entries, between: Entries, problems: dict[str, str | None], rules: Rules
) -> Round:
    """Keep what the scans that were read are, and return what the round found."""

    def conclude(known: Entries) -> Entries:
        return {
            key: judged(entry, problems[key], rules) if _is_mine(entry, between.get(key), problems) else entry
            for key, entry in known.items()
        }

    unjudged, after = change_entries(store, conclude) if problems else (between, between)
    mine = {key: entry for key, entry in between.items() if key not in problems}
    mine |= {key: after[key] for key in problems if key in after and after[key] != unjudged[key]}
    changed = [entry for key, entry in mine.items() if differs(before.get(key), entry)]
    return Round(
        tuple(sorted(after.values(), key=lambda entry: (entry.since, entry.key), reverse=True)),
        tuple(entry for entry in changed if newly_announced(before.get(entry.key), entry)),
        tuple(changed),
        tuple(entry for key, entry in before.items() if key not in between),
        tuple(sorted((entry for entry in after.values() if suspect(entry, rules)), key=lambda entry: entry.tries)),
    )


def _is_mine(entry: Entry, intended: Entry | None, problems: dict[str, str | None]) -> bool:
    """Return whether a scan is still the one that this round has read, and no other round has taken it over."""
    if entry.key not in problems or intended is None:
        return False
    return (entry.size, entry.etag, entry.reading) == (intended.size, intended.etag, intended.reading)


def record(store: ObjectStore, model: str, outcomes: Sequence[Outcome], *, tries: int) -> None:
    """Keep what became of scans in a prediction by the champion; what another model made of them says nothing.

    A scan whose content is no longer the one that was predicted is left for the next round.

    Parameters
    ----------
    store
        Where the scans lie.
    model
        Id of the model that predicted.
    outcomes
        One a scan.
    tries
        How often a scan may fail before it is quarantined.
    """
    champion = read_registry(store).champion
    if not outcomes or champion is None or champion.model != model:
        return
    at = now_text()

    def decide(known: Entries) -> Entries:
        entries = dict(known)
        for outcome in outcomes:
            entry = known.get(outcome.scan.key, fresh(outcome.scan, at))
            if not same_content(entry, outcome.scan):
                continue
            if outcome.reason is None:
                entry = done(entry, at, model)
            elif entry.state != "quarantined":
                entry = failed(entry, outcome.reason, at, tries)
            entries[entry.key] = entry
        return entries

    change_entries(store, decide)


def release(store: ObjectStore, name: str) -> Entry:
    """Forget a quarantined scan, by the name of its experiment or its key: the next round takes it as a new one.

    Raises
    ------
    InputError
        If no such scan is quarantined; the message lists those that are.
    """

    def named(known: Entries) -> list[Entry]:
        return [entry for entry in known.values() if entry.state == "quarantined" and name in (entry.name, entry.key)]

    def decide(known: Entries) -> Entries:
        released = named(known)
        if not released:
            held = ", ".join(sorted(entry.name for entry in known.values() if entry.state == "quarantined"))
            raise InputError(f"expected a quarantined experiment ({held or 'there are none'}), found {name!r}")
        return {key: entry for key, entry in known.items() if entry not in released}

    before, _ = change_entries(store, decide)
    return named(before)[0]


def scans_to_predict(store: ObjectStore) -> tuple[list[str], list[Entry]]:
    """Return the URLs of all scans of a store, and those left out: known to be unfinished or given up."""
    known = read_entries(store)
    usable, left = [], []
    for info in list_scans(store):
        entry = known.get(printable(info.key))
        unsure = entry is not None and (entry.state in ("arriving", "quarantined") or entry.alone)
        if entry is not None and unsure and same_content(entry, info):
            left.append(entry)
        elif name_problem(info.key) is None:
            usable.append(scan_url(store, info.key))
    return usable, left


def _problem(store: ObjectStore, info: ObjectInfo, reader: ScanReader) -> str | None:
    """Return why a scan does not read by its contract; None when it does."""
    url = store.url(info.key)
    try:
        npz_limits().check_size(info.size)
        return reader.problem(url)
    except ScanReaderError:
        raise
    except InputError as error:
        return f"{url}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one scan, the others go on
        return f"{url}: cannot be read ({type(error).__name__}: {first_line(error)}); copy or make it again"
