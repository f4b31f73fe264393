"""The intake of raw scans: whole ones are preprocessed, each once, and what fails too often is quarantined.

Rounds compare the listing with what is known of each content (`attempts`): a scan is taken when rounds have seen the
same content for a while, and done when the experiment that was made from this content is there. What it was made into
once is made again when its content changes, and nothing else is ever replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import InputError
from difsims_core.messages import printable
from difsims_core.moments import as_text, now_text
from difsims_core.scans.attempts import Attempt, Attempts, begun, change_attempts
from difsims_core.scans.intake import ScanState, reason_of
from difsims_core.scans.listing import is_raw
from difsims_core.scans.raw_document import read_raw_document
from difsims_core.scans.raw_listing import RawFiles, RawListing, raw_name
from difsims_core.scans.reconcile import RetryRules
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class PreprocessingRequest:
    """A raw scan that a round has preprocessed.

    Attributes
    ----------
    scan : RawFiles
        As it was listed.
    spec : PreprocessingSpec
        What its document says.
    replaces : bool
        Whether an experiment is there that the scan was made into when it had another content.
    tries : int
        Which attempt it is.
    """

    scan: RawFiles
    spec: PreprocessingSpec
    replaces: bool
    tries: int


def preprocessing_requests(
    store: ObjectStore,
    listing: RawListing,
    profiles: Collection[str],
    rules: RetryRules,
    *,
    quiet_seconds: float,
    runs: int,
    at_work: Callable[[str], bool] = lambda _key: False,
) -> Iterator[PreprocessingRequest]:
    """Yield what is to be preprocessed, new scans first; start each before the next is asked for.

    Of two rounds at once, one has an attempt written down, and the other leaves it alone.

    Parameters
    ----------
    store
        Where the scans lie.
    listing
        Of its raw scans.
    profiles
        Keys of the profiles that are there.
    rules
        When something is tried again.
    quiet_seconds
        For how long rounds must have seen the same content.
    runs
        How many may be started at most.
    at_work
        Whether a run that waits or goes on preprocesses a scan, by its key.
    """
    _, attempts = change_attempts(store, lambda known: _with_what_is_there(known, listing, as_text(rules.now)))
    due = [
        (attempts[key, None], scan)
        for key, scan in listing.scans.items()
        if _is_due(scan, attempts[key, None], profiles, rules, quiet_seconds) and not at_work(key)
    ]
    for seen, scan in sorted(due, key=lambda item: (item[0].tries, item[1].info.key)):
        if runs <= 0:
            return
        attempt = _begin(store, seen, scan, as_text(rules.now))
        if attempt is None:
            continue
        try:
            spec = read_raw_document(store, scan.document)
        except InputError as error:
            record_preprocessing(store, scan, str(error))
            continue
        runs -= 1
        yield PreprocessingRequest(scan, spec, attempt.experiment == scan.name, attempt.tries)


def record_preprocessing(store: ObjectStore, scan: RawFiles, reason: str | None) -> None:
    """Keep what became of a raw scan with the content that was listed.

    Parameters
    ----------
    store
        Where it lies.
    scan
        As it was listed before.
    reason
        Why it failed; None: the experiment of its name is there.
    """
    at, subject = now_text(), (scan.info.key, None)

    def decide(known: Attempts) -> Attempts:
        before = known.get(subject)
        is_open = before is not None and before.is_about(scan.info) and before.tries and not before.reason
        attempt = before if is_open and before is not None else begun(before, scan.info, None, at)
        if reason is None:
            made = {"done": True, "experiment": scan.name, "tries": 0, "reason": "", "at": at}
            return {**known, subject: attempt.model_copy(update=made)}
        return {**known, subject: attempt.failed(printable(reason), at)}

    change_attempts(store, decide)


def raw_states(
    listing: RawListing, attempts: Attempts, profiles: Collection[str], rules: RetryRules, *, quiet_seconds: float
) -> list[ScanState]:
    """Return how far each raw scan is that is not preprocessed; the others are seen by their profiles."""
    states = [
        ScanState(printable(key), raw_name(key), 0, "quarantined", 0, 0, reason=problem)
        for key, problem in listing.problems.items()
    ]
    for key, scan in listing.scans.items():
        attempt = attempts.get((key, None))
        if attempt is not None and not attempt.is_about(scan.info):
            attempt = None
        if attempt is None or not _is_done(scan, attempt, profiles):
            states.append(_state(scan, attempt, rules, quiet_seconds))
    return states


def _state(scan: RawFiles, attempt: Attempt | None, rules: RetryRules, quiet_seconds: float) -> ScanState:
    """Return how far a raw scan is of whose content this attempt is known."""
    key, size = scan.info.key, scan.info.size
    if attempt is None or (not attempt.tries and not attempt.done and _age(attempt, rules) < quiet_seconds):
        reason = f"it may still be written; it is taken when it has not changed for {quiet_seconds:g} s"
        return ScanState(key, scan.name, size, "waiting", 0, 0, reason=reason)
    if not attempt.tries:
        return ScanState(key, scan.name, size, "pending", 0, 0)
    if rules.is_given_up(attempt):
        found = "quarantined"
    else:
        found = "retry" if attempt.reason or attempt.tries > 1 else "started"
    reason = "" if found == "started" else reason_of(attempt)
    return ScanState(key, scan.name, size, found, 0, 0, attempt.tries, attempt.at, reason)


def _with_what_is_there(known: Attempts, listing: RawListing, at: str) -> Attempts:
    """Return the attempts with each content that is new, and without those at raw scans that are gone."""
    attempts = {
        subject: attempt
        for subject, attempt in known.items()
        if not is_raw(attempt.scan) or attempt.scan in listing.scans or attempt.scan in listing.problems
    }
    for key, scan in listing.scans.items():
        before = attempts.get((key, None))
        if before is None or not before.is_about(scan.info):
            attempts[key, None] = begun(before, scan.info, None, at).model_copy(update={"tries": 0})
    return attempts


def _is_due(
    scan: RawFiles, attempt: Attempt, profiles: Collection[str], rules: RetryRules, quiet_seconds: float
) -> bool:
    if attempt.done:
        return not _is_done(scan, attempt, profiles)
    return rules.may_try(attempt, scan.info) if attempt.tries else _age(attempt, rules) >= quiet_seconds


def _is_done(scan: RawFiles, attempt: Attempt, profiles: Collection[str]) -> bool:
    return attempt.done and attempt.experiment == scan.name and layout.experiment_profiles(scan.name) in profiles


def _age(attempt: Attempt, rules: RetryRules) -> float:
    """Return how long ago an attempt was written down, s; clocks are set back."""
    return abs((rules.now - datetime.fromisoformat(attempt.at)).total_seconds())


def _begin(store: ObjectStore, seen: Attempt, scan: RawFiles, at: str) -> Attempt | None:
    """Write down the attempt that follows the one that was seen; None when another round was faster."""
    following = begun(seen, scan.info, None, at)

    def decide(known: Attempts) -> Attempts:
        return {**known, seen.subject: following} if known.get(seen.subject) == seen else known

    before, _ = change_attempts(store, decide)
    return following if before.get(seen.subject) == seen else None
