"""What is to be said of scans that fail, and what becomes of them: outcomes of runs, quarantine, release, states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from difsims_core.errors import InputError
from difsims_core.learn.wanted import takes_polar
from difsims_core.messages import printable
from difsims_core.moments import now_text
from difsims_core.scans.attempts import Attempt, Attempts, begun, change_attempts, read_attempts
from difsims_core.scans.listing import is_raw, list_scans, name_problem, polar_scans, scan_name, scan_url
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.raw_listing import raw_name
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import experiment_name, predicted_name
from difsims_core.storage.objects import ObjectInfo, ObjectStore

State = Literal["complete", "pending", "waiting", "started", "retry", "quarantined"]

_NO_ANSWER = "its run was ended before it could say anything; look at the runs of {}. It is tried again after six hours"
_READING_ENDED = "whoever read it, and nothing else, was ended before it could say anything; look at its log"


@dataclass(frozen=True, slots=True)
class ScanState:
    """How far a scan is.

    Attributes
    ----------
    key, name : str
        Of the object and of the experiment.
    size : int
        Bytes.
    state : str
        ``complete``: mapped and evaluated by every wanted model. ``pending``: a round will start what is missing.
        ``waiting``: there is no model that should map it. ``started``: a run is, or was, on its way. ``retry``: it
        failed and will be tried again. ``quarantined``: given up until its content changes or it is released.
    maps, models : int
        By how many models it is mapped and evaluated, and by how many it should be.
    tries : int
        Failed or open attempts of the model that has most.
    at : str
        ISO date and time of the last of them; empty: there was none.
    reason : str
        Why it failed or is quarantined.
    """

    key: str
    name: str
    size: int
    state: State
    maps: int
    models: int
    tries: int = 0
    at: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A scan that a model could not map, or whose map could not be evaluated.

    Attributes
    ----------
    scan : ObjectInfo
        As it was listed before.
    reason : str
        Why.
    """

    scan: ObjectInfo
    reason: str


def scan_states(inventory: Inventory, attempts: Attempts, *, tries: int) -> list[ScanState]:
    """Return how far each scan is, those that need somebody's attention first, then by key."""
    lacking: dict[str, int] = {}
    for item in inventory.missing:
        lacking[item.scan.key] = lacking.get(item.scan.key, 0) + 1
    tried: dict[str, list[Attempt]] = {}
    for attempt in attempts.values():
        scan = inventory.scans.get(attempt.scan)
        if scan is not None and attempt.is_about(scan) and lacking.get(attempt.scan):
            tried.setdefault(attempt.scan, []).append(attempt)
    states = [
        ScanState(printable(key), scan_name(key), 0, "quarantined", 0, len(inventory.models), reason=problem)
        for key, problem in inventory.misnamed.items()
    ]
    states += [
        _state(scan, len(inventory.models), lacking.get(key, 0), tried.get(key, []), tries)
        for key, scan in inventory.scans.items()
    ]
    order = ("quarantined", "retry", "started", "pending", "waiting", "complete")
    return sorted(states, key=lambda state: (order.index(state.state), state.key))


def _state(scan: ObjectInfo, models: int, lacking: int, tried: list[Attempt], tries: int) -> ScanState:
    name = scan_name(scan.key)
    if not tried:
        found: State = "waiting" if not models else "pending" if lacking else "complete"
        return ScanState(scan.key, name, scan.size, found, models - lacking, models)
    worst = max(tried, key=lambda attempt: (attempt.tries, attempt.at))
    found = "quarantined" if worst.tries >= tries else "retry" if worst.reason or worst.tries > 1 else "started"
    reason = "" if found == "started" else reason_of(worst)
    return ScanState(scan.key, name, scan.size, found, models - lacking, models, worst.tries, worst.at, reason)


def reason_of(attempt: Attempt) -> str:
    """Return why an attempt did not succeed."""
    if attempt.reason:
        return attempt.reason
    if is_raw(attempt.scan):
        return _NO_ANSWER.format("preprocess")
    return _READING_ENDED if attempt.model is None else _NO_ANSWER.format("predict")


def name_of(key: str) -> str:
    """Return the name of the experiment that a scan of a store is, or that a raw one becomes."""
    return raw_name(key) if is_raw(key) else scan_name(key)


def record_failures(store: ObjectStore, model: str, failures: Iterable[Failure]) -> None:
    """Keep why a model could not map scans; an attempt that was written down when its run was started is that one.

    Parameters
    ----------
    store
        Where the scans lie.
    model
        Id of the model.
    failures
        One a scan.
    """
    failures, at = list(failures), now_text()

    def decide(known: Attempts) -> Attempts:
        attempts = dict(known)
        for failure in failures:
            before = known.get((failure.scan.key, model))
            is_open = before is not None and before.is_about(failure.scan) and not before.reason
            attempt = before if is_open and before is not None else begun(before, failure.scan, model, at)
            attempts[attempt.subject] = attempt.failed(printable(failure.reason), at)
        return attempts

    if failures:
        change_attempts(store, decide)


def evaluation_failures(store: ObjectStore, reasons: Mapping[str, str]) -> dict[str, list[Failure]]:
    """Return the failures of each model whose maps, by URL, could not be evaluated; others than of this store's scans
    are left out.
    """
    scans = {experiment_name(scan.key): scan for scan in list_scans(store)} if reasons else {}
    failures: dict[str, list[Failure]] = {}
    for url, reason in reasons.items():
        with suppress(InputError):  # it lies elsewhere
            model = store.key_of(url).split("/")[1]
            if (scan := scans.get(predicted_name(url))) is not None and layout.is_model_id(model):
                failures.setdefault(model, []).append(Failure(scan, reason))
    return failures


def release(store: ObjectStore, name: str, *, tries: int) -> list[Attempt]:
    """Forget what is quarantined of a scan, by its name or key, with any model: the next round takes it as a new one.

    Raises
    ------
    InputError
        If nothing of such a scan is quarantined; the message lists what is.
    """

    def given_up(known: Attempts) -> list[Attempt]:
        return [attempt for attempt in known.values() if attempt.tries >= tries]

    def decide(known: Attempts) -> Attempts:
        released = [item for item in given_up(known) if name in (name_of(item.scan), item.scan)]
        if not released:
            held = ", ".join(sorted({name_of(item.scan) for item in given_up(known)}))
            raise InputError(f"expected a quarantined experiment ({held or 'there are none'}), found {name!r}")
        kept = {subject: attempt for subject, attempt in known.items() if attempt not in released}
        return kept | {item.subject: item.forgotten() for item in released if is_raw(item.scan)}

    before, after = change_attempts(store, decide)
    return [attempt for subject, attempt in before.items() if after.get(subject) != attempt]


def scans_to_predict(
    store: ObjectStore, model: str | None = None, *, tries: int = 1, listed: Iterable[ObjectInfo] | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the URLs of the scans of a store, and why others are left out, by name.

    Left out is what could not be read as it is, what ``model`` has failed to map ``tries`` times, and what has no polar
    patterns if the model takes them. ``listed`` are the scans of the store for those who have listed them.
    """
    attempts = read_attempts(store)
    polar = polar_scans(store) if model is not None and takes_polar(store, model) else None
    usable, left = list[str](), dict[str, str]()
    for scan in list_scans(store) if listed is None else listed:
        if name_problem(scan.key) is not None:
            continue
        tried = [attempts.get((scan.key, None)), attempts.get((scan.key, model)) if model else None]
        failed = [
            attempt
            for attempt in tried
            if attempt is not None and attempt.is_about(scan) and (attempt.model is None or attempt.tries >= tries)
        ]
        if failed:
            left[scan_name(scan.key)] = reason_of(failed[0])
        elif polar is not None and scan.key not in polar:
            left[scan_name(scan.key)] = "no polar patterns, which this model takes"
        else:
            usable.append(scan_url(store, scan.key))
    return usable, left
