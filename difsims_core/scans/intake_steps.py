"""What becomes of a scan in a round: from what was known of it to what is known now; nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from difsims_core.scans.intake_record import Entry, State
from difsims_core.scans.listing import name_problem, printable, scan_name
from difsims_core.storage.objects import ObjectInfo

_ROUND_SECONDS = 10  # rounds closer together count as one: late ones may all start at once
_PATIENCE = 3  # rounds that an announcement may be without a run and without a result
_ANOTHER_CHANCE_SECONDS = 6 * 3600  # until a scan that was quarantined without an answer is announced again
_UNANSWERED = (
    "announced, but no prediction came of it: its run was stopped, or nothing predicts what is announced; look at the "
    "runs of predict and at its automation. It is announced again after six hours"
)
_ENDED = "the round that read it, and nothing else, ended before it could say anything of it; look at its log"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a round goes by.

    Attributes
    ----------
    now : str
        ISO date and time of the round.
    tries : int
        How often a scan may fail before it is quarantined.
    champion : str or None
        Its id.
    at_work : callable
        Whether a run that will predict a scan, by its key, waits or runs.
    reading_seconds : float
        How long reading one scan may take.
    only : str or None
        Key of the one scan that the round is about, whose reading has ended a round.
    """

    now: str
    tries: int
    champion: str | None
    at_work: Callable[[str], bool]
    reading_seconds: float
    only: str | None = None


def begin(before: Entry | None, info: ObjectInfo, rules: Rules) -> Entry:
    """Return what is known of a scan when a round begins; one that the round will read has its time as ``reading``."""
    if before is None or not same_content(before, info):
        entry, wrong_name = fresh(info, rules.now), name_problem(info.key)
        if wrong_name is not None:
            return replace(entry, state="quarantined", reason=wrong_name)
        return replace(entry, reading=rules.now)
    entry = _left_behind(before, rules)
    if entry.reading:
        return entry  # another round is at it
    if entry.state in ("arriving", "failed"):
        if not _due(entry, rules) or (entry.alone and rules.only is None):
            return entry
        return replace(entry, reading=rules.now)
    return _unread(entry, info, rules)


def suspect(entry: Entry, rules: Rules) -> bool:
    """Return whether a scan is to be read in a round of its own."""
    waits = entry.alone and not entry.reading and entry.state in ("arriving", "failed")
    return waits and _due(entry, rules)


def judged(entry: Entry, problem: str | None, rules: Rules) -> Entry:
    """Return what is known of a scan that was read."""
    first = entry.state == "arriving" and not entry.reason
    entry = replace(entry, reading="", alone=False)
    if problem is None:
        return _taken(entry, rules)
    if first:
        return replace(entry, reason=printable(problem), looked=rules.now)
    return failed(entry, problem, rules.now, rules.tries)


def done(entry: Entry, at: str, model: str) -> Entry:
    """Return a scan that was predicted."""
    return _in_state(entry, "done", at, tries=0, reason="", model=model, reading="", alone=False)


def failed(entry: Entry, reason: str, now: str, tries: int) -> Entry:
    """Return a scan that failed once more, to be tried again or given up."""
    state = "quarantined" if entry.tries + 1 >= tries else "failed"
    return _in_state(entry, state, now, tries=entry.tries + 1, reason=printable(reason))


def fresh(info: ObjectInfo, now: str) -> Entry:
    """Return a scan of which nothing is known but its listing."""
    key = printable(info.key)
    return Entry(key, scan_name(info.key), info.size, info.etag, "arriving", now, looked=now)


def same_content(entry: Entry, info: ObjectInfo) -> bool:
    """Return whether a listing shows the content that an entry is about."""
    return (entry.size, entry.etag) == (info.size, info.etag)


def differs(before: Entry | None, entry: Entry) -> bool:
    """Return whether something happened to a scan, other than that time passed."""
    return before is None or _story(before) != _story(entry)


def newly_announced(before: Entry | None, entry: Entry) -> bool:
    """Return whether a scan that changed is to be announced; a new champion has announced itself."""
    if entry.state != "announced":
        return False
    return before is None or before.state != "done" or (before.size, before.etag) != (entry.size, entry.etag)


def _story(entry: Entry) -> Entry:
    return replace(entry, rounds=0, looked="", reading="", alone=False)


def _left_behind(entry: Entry, rules: Rules) -> Entry:
    """Return a scan that a round read and never finished, when it can no longer be at it.

    One of several may be to blame: from now on each is read alone. One that was read alone is.
    """
    if not entry.reading:
        return entry
    limit = rules.reading_seconds if entry.alone else _ROUND_SECONDS
    if abs(_seconds_since(entry.reading, rules)) < limit:
        return entry
    left = replace(entry, reading="", alone=True)
    return failed(left, _ENDED, rules.now, rules.tries) if entry.alone else left


def _unread(before: Entry, info: ObjectInfo, rules: Rules) -> Entry:
    """Return what is known after a round of a scan that need not be read."""
    match before.state:
        case "waiting" | "quarantined" if _has_its_chance(before, rules):
            return _taken(before, rules)
        case "announced" if _due(before, rules) and not rules.at_work(info.key):
            return _unanswered(before, rules)
        case "done" if rules.champion not in (None, before.model):
            return _in_state(before, "announced", rules.now)  # the new champion itself has been announced
        case _:
            return before


def _has_its_chance(entry: Entry, rules: Rules) -> bool:
    """Return whether a scan that waits has a champion now, and one that was given up unanswered has waited enough."""
    if entry.state == "waiting":
        return rules.champion is not None
    return entry.reason == _UNANSWERED and _seconds_since(entry.since, rules) >= _ANOTHER_CHANCE_SECONDS


def _taken(entry: Entry, rules: Rules) -> Entry:
    """Return a whole scan, to be announced when there is a model to predict with."""
    if rules.champion is None:
        return _in_state(entry, "waiting", rules.now, reason="there is no champion yet")
    reason = "" if entry.state in ("arriving", "waiting") else entry.reason
    return _in_state(entry, "announced", rules.now, reason=reason)


def _unanswered(entry: Entry, rules: Rules) -> Entry:
    if entry.rounds + 1 < _PATIENCE:
        return replace(entry, rounds=entry.rounds + 1, looked=rules.now)
    again = failed(entry, _UNANSWERED, rules.now, rules.tries)
    return again if again.state == "quarantined" else _taken(again, rules)


def _in_state(entry: Entry, state: State, now: str, **changes: object) -> Entry:
    since = entry.since if state == entry.state else now
    return replace(entry, state=state, since=since, looked=now, rounds=0, **changes)  # pyright: ignore[reportArgumentType]


def _due(entry: Entry, rules: Rules) -> bool:
    return abs(_seconds_since(entry.looked, rules)) >= _ROUND_SECONDS  # either way: clocks are set back


def _seconds_since(moment: str, rules: Rules) -> float:
    return (datetime.fromisoformat(rules.now) - datetime.fromisoformat(moment)).total_seconds()
