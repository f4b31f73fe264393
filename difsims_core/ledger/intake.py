"""Scans that come in: which are new, whole, to be predicted, done or given up.

A round (`look`) compares the listing of ``experiments/profiles/`` with the record of the rounds before. A scan that
reads by its contract is taken at once. One that does not may still be on its way: it is left while it changes, and each
round in which it has not changed counts as a try. Whatever fails too often is quarantined until its content changes; a
scan that nobody said anything of, which may be nobody's fault but the machine's, gets another chance now and then. No
scan that is known and unchanged is read again, but those that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from difsims_core.errors import DifsimsError, InputError
from difsims_core.ledger.intake_record import Entries, Entry, State, change_entries, read_entries
from difsims_core.ledger.registry import read_registry
from difsims_core.ledger.scans import list_scans, name_problem, printable, scan_name, scan_url
from difsims_core.storage.npz import read_profiles
from difsims_core.storage.objects import ObjectInfo, ObjectStore

__all__ = ["Entry", "Outcome", "Round", "State", "look", "read_entries", "record", "release", "scans_to_predict"]

_ROUND_SECONDS = 10  # rounds closer together count as one: late ones may all start at once
_PATIENCE = 3  # rounds that an announcement may be without a run and without a result
_ANOTHER_CHANCE_SECONDS = 6 * 3600  # until a scan that was quarantined without an answer is announced again
_UNANSWERED = (
    "announced, but no prediction came of it: its run was stopped, or nothing predicts what is announced; look at the "
    "runs of predict and at its automation. It is announced again after six hours"
)


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
    """

    entries: tuple[Entry, ...]
    announce: tuple[Entry, ...]
    changed: tuple[Entry, ...]
    gone: tuple[Entry, ...]


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


@dataclass(frozen=True, slots=True)
class _Rules:
    now: str
    tries: int
    champion: str | None
    problem: Callable[[str], str | None]
    at_work: Callable[[str], bool]


def look(
    store: ObjectStore, now: datetime, *, tries: int, at_work: Callable[[str], bool] = lambda _url: False
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
    """
    found = {printable(info.key): info for info in list_scans(store)}
    champion = read_registry(store).champion
    rules = _Rules(
        _iso(now),
        tries,
        None if champion is None else champion.model,
        cache(lambda key: _problem(store, key)),
        lambda key: at_work(store.url(key)),
    )
    before, after = change_entries(
        store, lambda known: {key: _step(known.get(key), info, rules) for key, info in found.items()}
    )
    changed = [entry for key, entry in after.items() if _differs(before.get(key), entry)]
    return Round(
        tuple(sorted(after.values(), key=lambda entry: (entry.since, entry.key), reverse=True)),
        tuple(entry for entry in changed if entry.state == "announced" and not _was_done(before.get(entry.key), entry)),
        tuple(changed),
        tuple(entry for key, entry in before.items() if key not in after),
    )


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
    at = _iso(datetime.now(UTC))

    def decide(known: Entries) -> Entries:
        entries = dict(known)
        for outcome in outcomes:
            entry = known.get(outcome.scan.key, _fresh(outcome.scan, at))
            if not _same_content(entry, outcome.scan):
                continue
            if outcome.reason is None:
                entry = _in_state(entry, "done", at, tries=0, reason="", model=model)
            elif entry.state != "quarantined":
                entry = _failed(entry, outcome.reason, at, tries)
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
        held = entry is not None and entry.state in ("arriving", "quarantined") and _same_content(entry, info)
        if entry is not None and held:
            left.append(entry)
        elif name_problem(info.key) is None:
            usable.append(scan_url(store, info.key))
    return usable, left


def _step(before: Entry | None, info: ObjectInfo, rules: _Rules) -> Entry:
    """Return what is known of a scan after a round."""
    if before is None or not _same_content(before, info):
        return _first_look(info, rules)
    match before.state:
        case "arriving" | "failed" if _due(before, rules):
            problem = rules.problem(info.key)
            return _taken(before, rules) if problem is None else _failed(before, problem, rules.now, rules.tries)
        case "waiting" | "quarantined" if _has_its_chance(before, rules):
            return _taken(before, rules)
        case "announced" if _due(before, rules) and not rules.at_work(info.key):
            return _unanswered(before, rules)
        case "done" if rules.champion not in (None, before.model):
            return _in_state(before, "announced", rules.now)  # the new champion itself has been announced
        case _:
            return before


def _has_its_chance(entry: Entry, rules: _Rules) -> bool:
    """Return whether a scan that waits has a champion now, and one that was given up unanswered has waited enough."""
    if entry.state == "waiting":
        return rules.champion is not None
    return entry.reason == _UNANSWERED and _seconds_since(entry.since, rules) >= _ANOTHER_CHANCE_SECONDS


def _first_look(info: ObjectInfo, rules: _Rules) -> Entry:
    entry, wrong_name = _fresh(info, rules.now), name_problem(info.key)
    if wrong_name is not None:
        return replace(entry, state="quarantined", reason=wrong_name)
    problem = rules.problem(info.key)
    return _taken(entry, rules) if problem is None else replace(entry, reason=problem)


def _taken(entry: Entry, rules: _Rules) -> Entry:
    """Return a whole scan, to be announced when there is a model to predict with."""
    if rules.champion is None:
        return _in_state(entry, "waiting", rules.now, reason="there is no champion yet")
    reason = "" if entry.state in ("arriving", "waiting") else entry.reason
    return _in_state(entry, "announced", rules.now, reason=reason)


def _unanswered(entry: Entry, rules: _Rules) -> Entry:
    if entry.rounds + 1 < _PATIENCE:
        return replace(entry, rounds=entry.rounds + 1, looked=rules.now)
    failed = _failed(entry, _UNANSWERED, rules.now, rules.tries)
    return failed if failed.state == "quarantined" else _taken(failed, rules)


def _failed(entry: Entry, reason: str, now: str, tries: int) -> Entry:
    state = "quarantined" if entry.tries + 1 >= tries else "failed"
    return _in_state(entry, state, now, tries=entry.tries + 1, reason=reason)


def _in_state(entry: Entry, state: State, now: str, **changes: object) -> Entry:
    since = entry.since if state == entry.state else now
    return replace(entry, state=state, since=since, looked=now, rounds=0, **changes)  # pyright: ignore[reportArgumentType]


def _fresh(info: ObjectInfo, now: str) -> Entry:
    key = printable(info.key)
    return Entry(key, scan_name(info.key), info.size, info.etag, "arriving", now, looked=now)


def _due(entry: Entry, rules: _Rules) -> bool:
    return abs(_seconds_since(entry.looked, rules)) >= _ROUND_SECONDS  # either way: clocks are set back


def _seconds_since(moment: str, rules: _Rules) -> float:
    return (datetime.fromisoformat(rules.now) - datetime.fromisoformat(moment)).total_seconds()


def _same_content(entry: Entry, info: ObjectInfo) -> bool:
    return (entry.size, entry.etag) == (info.size, info.etag)


def _differs(before: Entry | None, entry: Entry) -> bool:
    return before is None or replace(before, rounds=0, looked="") != replace(entry, rounds=0, looked="")


def _was_done(before: Entry | None, entry: Entry) -> bool:
    return before is not None and before.state == "done" and (before.size, before.etag) == (entry.size, entry.etag)


def _problem(store: ObjectStore, key: str) -> str | None:
    """Return why a scan does not read by its contract; None when it does."""
    try:
        read_profiles(store.url(key))
    except DifsimsError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a file does to its reader, the other scans go on
        return f"{store.url(key)}: cannot be read ({type(error).__name__}: {error}); copy or make it again"
    return None


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")
