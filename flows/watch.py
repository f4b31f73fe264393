"""Watch for new scans: announce those that are whole, leave those still on their way, give up those that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from prefect.runtime import flow_run

from difsims_core.scans.intake import Entry, ReadingLimits, Round, rounds
from difsims_core.scans.listing import scan_key
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.no_persistence import flow
from flows.settings import load_settings
from flows.ui.artifacts import table, tag_run
from flows.ui.events import announce
from flows.ui.final_states import nothing_new
from flows.ui.flow_runs import find_runs
from flows.ui.parameters import StoreUrl
from flows.ui.progress import log_and_show

_MOST_ROWS = 200
_MOST_TAGS = 100
_MOST_NAMES = 5
_TOLD = {
    "announced": "announced",
    "arriving": "not whole, left for the next round",
    "waiting": "whole, waiting for a champion",
    "failed": "failed, to be tried again",
    "quarantined": "quarantined",
}


def _run_name() -> str:
    return f"watch {open_store(flow_run.parameters.get('store')).root}"


@flow(name="watch-experiments", flow_run_name=_run_name)
def watch_experiments(store: StoreUrl = None) -> list[str]:
    """Look once for new scans below ``experiments/profiles/`` and return the URLs of those announced.

    Each is announced by an event ``difsims.experiment.found``. A scan that is not whole is left for the next round;
    one that fails too often is quarantined with its reason, until it changes or is released.

    Parameters
    ----------
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    place, settings = open_store(store), load_settings()
    reading = ReadingLimits(settings.intake_memory_mb, settings.intake_seconds)
    options = {"tries": settings.intake_tries, "at_work": scans_at_work(place), "reading": reading}
    seen = []
    for part in rounds(place, datetime.now(UTC), **options):
        for entry in part.announce:
            details = {"size": entry.size, "etag": entry.etag, "tries": entry.tries}
            url = place.url(entry.key)
            announce("experiment.found", entry.name, place.root, labels={"difsims.url": url}, payload=details)
        seen.append(part)
    found = _together(seen)
    for line in story_of(found):
        log_and_show(line)
    if not found.changed and not found.gone:
        return nothing_new([], f"nothing new; {len(found.entries)} scans are known")
    tag_run(*(experiment_name(place.url(entry.key)) for entry in found.announce[:_MOST_TAGS]))
    table("intake", [row_of(entry) for entry in found.entries[:_MOST_ROWS]], _summary(found))
    return [place.url(entry.key) for entry in found.announce]


def scans_at_work(store: ObjectStore) -> Callable[[str], bool]:
    """Return whether a run of ``predict`` that waits or runs has a scan among its experiments."""
    keys: set[str | None] = set()
    everything = False
    for parameters in (run.parameters for run in find_runs(flow="predict", unfinished=True)):
        try:
            keys.update(scan_key(store, str(url)) for url in parameters.get("experiments") or [])
            everything |= not parameters.get("experiments") and open_store(parameters.get("store")).root == store.root
        except Exception:  # noqa: BLE001, S112 - whatever somebody asked for, that run will say so itself
            continue
    return lambda url: everything or scan_key(store, url) in keys


def _together(seen: Sequence[Round]) -> Round:
    """Return what the rounds of a run have found, as one."""
    changed = {entry.key: entry for part in seen for entry in part.changed}
    announced = [entry for part in seen for entry in part.announce]
    return Round(seen[-1].entries, tuple(announced), tuple(changed.values()), seen[0].gone)


def story_of(found: Round) -> list[str]:
    """Return what a round has to tell, a line for each kind of change."""
    lines = []
    for state, told in _TOLD.items():
        entries = [entry for entry in found.changed if entry.state == state]
        if entries and state == "announced":
            entries = list(found.announce)
        if entries:
            lines.append(f"{told}: {_named(entries, reasons=state in ('failed', 'quarantined'))}")
    expected = sum(entry.state == "announced" for entry in found.changed) - len(found.announce)
    if expected:
        lines.append(f"{expected} expected from the new champion")
    if found.gone:
        lines.append(f"no longer there: {_named(found.gone)}")
    return lines


def row_of(entry: Entry) -> dict[str, Any]:
    """Return the row of a scan in the table of the intake."""
    return {
        "experiment": entry.name,
        "state": entry.state,
        "since": entry.since,
        "tries": entry.tries,
        "reason": entry.reason,
        "size": entry.size,
        "model": entry.model or "",
    }


def _named(entries: Sequence[Entry], *, reasons: bool = False) -> str:
    texts = [f"{entry.name} ({entry.reason})" if reasons else entry.name for entry in entries[:_MOST_NAMES]]
    more = len(entries) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")


def _summary(found: Round) -> str:
    counts = {state: sum(entry.state == state for entry in found.entries) for state in (*_TOLD, "done")}
    shown = f"; the latest {_MOST_ROWS} are shown" if len(found.entries) > _MOST_ROWS else ""
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{len(found.entries)} scans: {said or 'none'}{shown}"
