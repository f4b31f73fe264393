"""Let go what a store need not keep; the rule is in `retention_plan`.

Scans, and objects that are no dataset, library, model or report, are never touched. Nothing is deleted without proof
that it may be: a registry that is the last one written, a clock that the store shares, and not too much at once. Why
not lifecycle rules of the bucket: they know ages, not what a kept model descends from (docs/decisions/retention.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from difsims_core.errors import (
    ChampionChangedError,
    CorruptDataError,
    InputError,
    MissingObjectError,
    PartlyFailedError,
    RetentionRefusedError,
)
from difsims_core.housekeeping.lineage import read_lineage
from difsims_core.housekeeping.retention_plan import (
    MOST_PERCENT,
    RetentionDecision,
    RetentionPlan,
    RetentionPolicy,
    decide,
)
from difsims_core.housekeeping.store_clock import require_same_time
from difsims_core.messages import first_line
from difsims_core.models.registry import read_registry
from difsims_core.storage import layout
from difsims_core.storage.ids import expand_id
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT

__all__ = ["RetentionDecision", "RetentionPlan", "RetentionPolicy", "apply_retention", "plan_retention"]

_log = logging.getLogger(__name__)


def plan_retention(
    store: ObjectStore,
    *,
    now: datetime,
    keep_days: int,
    keep_former: int,
    keep: Iterable[str] = (),
    most_percent: float = MOST_PERCENT,
    serial: int | None = None,
) -> RetentionPlan:
    """Return what may go from a store and what stays, and what speaks against deleting it; nothing is deleted.

    Parameters
    ----------
    store
        Of which.
    now
        From when ages count.
    keep_days
        Everything younger stays.
    keep_former
        As many former champions stay.
    keep
        Ids of datasets, libraries and models, or their beginnings, and names of reports, that stay.
    most_percent
        Of the items, and of their bytes, at most so many may go at once.
    serial
        Of the registry, by which somebody says that it is the right one though models or notes are later than it.

    Raises
    ------
    InputError
        If something that is to be kept does not exist, or is the beginning of several ids: a slip of the pen must not
        cost a model.
    MissingObjectError
        If no id begins so.
    """
    named = tuple(expand_id(store, name) for name in keep)
    policy = RetentionPolicy(now, keep_days, keep_former, named, most_percent, serial)
    return _plan(store, policy)


def _plan(store: ObjectStore, policy: RetentionPolicy) -> RetentionPlan:
    registry, lineage = read_registry(store), read_lineage(store)
    unknown = [name for name in policy.keep if name not in lineage.items]
    if unknown:
        raise InputError(
            f"{store.root}: expected ids of datasets, libraries or models, or names of reports, to keep, found "
            f"{', '.join(unknown)}",
            "correct or drop them",
        )
    return decide(lineage, registry, policy)


def apply_retention(
    store: ObjectStore, plan: RetentionPlan, progress: Callable[[int], None] | None = None
) -> tuple[RetentionDecision, ...]:
    """Delete what a plan lets go, and return what was deleted.

    The store is looked at again first: what a kept result has come to descend from meanwhile stays. Of an item, what it
    is found by goes first, then the record that makes it whole: a deletion that is stopped leaves nothing that looks
    whole, and the next one takes what it left. A training that is at work on a dataset that goes fails, and
    so does a simulation that begins meanwhile and reads a library that goes; run again, it computes it anew.

    Parameters
    ----------
    store
        Of which the plan was made.
    plan
        What to delete.
    progress
        Called with the number of items dealt with so far.

    Raises
    ------
    RetentionRefusedError
        If something speaks against it: an objection of the plan, or a clock that is not that of the store.
    PartlyFailedError
        If items could not be deleted; others of their kind are, and what they may descend from stays.
    ChampionChangedError
        If the registry has changed since the plan was made.
    """
    if not plan.going:
        return ()
    require_same_time(store, plan.policy.now)
    again = _plan(store, plan.policy)
    if objections := dict.fromkeys((*plan.objections, *again.objections)):
        raise RetentionRefusedError(f"{store.root}: nothing was deleted: {'. Also: '.join(objections)}")
    still = {decision.id for decision in again.going}
    deleted: list[RetentionDecision] = []
    failed: dict[RetentionDecision, Exception] = {}
    for number, decision in enumerate(plan.going, 1):
        if decision.id in still and all(other.kind == decision.kind for other in failed):
            _require_same_registry(store, plan)
            try:
                _delete(store, decision)
            except Exception as error:  # noqa: BLE001 one bad item never stops the others
                failed[decision] = error
            else:
                deleted.append(decision)
                _log.info("deleted %s %s (%s)", decision.kind, decision.id, decision.why)
        if progress is not None:
            progress(number)
    if failed:
        reasons = " · ".join(f"{decision.id}: {first_line(error)}" for decision, error in failed.items())
        raise PartlyFailedError(
            f"{store.root}: {len(failed)} of {len(plan.going)} items could not be deleted, {len(deleted)} were, and "
            f"what the others may descend from stays: {reasons}"
        )
    return tuple(deleted)


def _require_same_registry(store: ObjectStore, plan: RetentionPlan) -> None:
    if read_registry(store).version != plan.registry_version:
        raise ChampionChangedError(
            f"{store.url(layout.model_registry())}: the registry has changed since the plan was made",
            "nothing more is deleted, plan again",
        )


def _delete(store: ObjectStore, decision: RetentionDecision) -> None:
    name = decision.id
    match decision.kind:
        case "report":
            store.delete(layout.report(name))
            store.delete_tree(layout.report_folder(name))
        case "library":
            fingerprint = name.removeprefix("lib-")
            store.delete(layout.library_completion(fingerprint))
            store.delete_tree(layout.library(fingerprint))
        case "training":
            store.delete_tree(layout.training_states(name.removeprefix("training-")))
        case "model":
            _forget(store, decision, layout.model_index)
            store.delete(layout.model_record(name))
            store.delete(layout.champion_note(name))
            # the folder of the model goes last: as long as it is there the next deletion finds what belongs to it
            for folder in (layout.predictions, layout.evaluations, layout.report_folder, layout.model):
                store.delete_tree(folder(name))
        case _:
            _forget(store, decision, layout.simulation_index)
            store.delete(layout.completion(name))
            store.delete(f"{layout.simulation(name)}/{ROOT_DOCUMENT}")
            for folder in (layout.report_folder, layout.exports, layout.simulation):
                store.delete_tree(folder(name))


def _forget(store: ObjectStore, decision: RetentionDecision, index: Callable[[str], str]) -> None:
    """Delete the record by which an item is found, unless it names another one by now."""
    if decision.fingerprint is None or not layout.is_fingerprint(decision.fingerprint):
        return
    key = index(decision.fingerprint)
    try:
        found = store.read_record(key)
    except (MissingObjectError, CorruptDataError):
        return
    if found.get("id") == decision.id:
        store.delete(key)
