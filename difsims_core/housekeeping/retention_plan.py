"""Which items of a store may go: never one that a kept result descends from.

Kept are the champion and the latest former ones, everything made or written lately, what is named, what cannot be
read, and whatever any of these descends from.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from difsims_core.errors import InputError
from difsims_core.housekeeping.items import Item, Lineage
from difsims_core.models.registry import ModelRegistry
from difsims_core.moments import moment

MOST_PERCENT = 50.0
_NOBODY = {
    "model": "no champion and in no kept report",
    "dataset": "no kept model or report descends from it",
    "library": "no kept dataset is drawn from it; it is computed again when it is needed",
}
_HOW = {"cnn-": "descends from it", "sim-": "is drawn from it, or may be"}
_ORDER = ("report", "training", "model", "dataset", "library")  # what shows goes before what is shown


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long what is kept.

    Attributes
    ----------
    now : datetime
        From when ages count.
    keep_days : int
        Everything younger stays.
    keep_former : int
        As many former champions stay.
    keep : tuple of str
        Ids of datasets, libraries and models, and names of reports, that stay.
    most_percent : float
        Of the items of a store, and of their bytes, at most so many may go at once.
    serial : int or None
        Of the registry that somebody has looked at and found right, though models or notes are later than it.
    """

    now: datetime
    keep_days: int
    keep_former: int
    keep: tuple[str, ...] = ()
    most_percent: float = MOST_PERCENT
    serial: int | None = None

    def __post_init__(self) -> None:
        if self.keep_days < 1 or self.keep_former < 0:
            raise InputError(
                f"expected to keep at least 1 day, so that no work at hand is touched, and 0 or more former champions, "
                f"found {self.keep_days} and {self.keep_former}"
            )
        if not 0 < self.most_percent <= 100:
            raise InputError(f"expected more than 0 and at most 100 % that may go, found {self.most_percent:g}")
        if self.now.tzinfo is None:
            raise InputError(f"expected a time with its zone, found {self.now}", "use datetime.now(UTC)")

    @property
    def since(self) -> datetime:
        """Everything later stays."""
        return self.now - timedelta(days=self.keep_days)


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """What becomes of an item, and why.

    Attributes
    ----------
    kind : str
        ``dataset``, ``library``, ``model``, ``report``, or ``training``: one that was stopped.
    id : str
        Its id or name.
    size : int
        Bytes, with everything that goes with it.
    why : str
        The reason.
    fingerprint : str or None
        By which it is found again.
    """

    kind: str
    id: str
    size: int
    why: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What may go and what stays.

    Attributes
    ----------
    going : tuple of RetentionDecision
        In the order of deletion.
    kept : tuple of RetentionDecision
        With the reason.
    policy : RetentionPolicy
        It was made on.
    registry_version : str or None
        Of the registry it was made on.
    objections : tuple of str
        Why nothing of it may be deleted; none when all is proven.
    """

    going: tuple[RetentionDecision, ...]
    kept: tuple[RetentionDecision, ...]
    policy: RetentionPolicy
    registry_version: str | None
    objections: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that would be free."""
        return sum(decision.size for decision in self.going)


def decide(lineage: Lineage, registry: ModelRegistry, policy: RetentionPolicy) -> RetentionPlan:
    """Return the plan for the items of a store, without looking at the store."""
    reasons = _reasons(lineage, registry, policy)
    going, kept = [], []
    for item in sorted(lineage.items.values(), key=lambda item: (_ORDER.index(item.kind), item.id)):
        lost = [parent.id for parent in lineage.parents(item) if parent.id not in reasons]
        if item.id in reasons:
            kept.append(_decision(item, reasons[item.id]))
        elif item.kind == "report" and not lost:
            kept.append(_decision(item, "everything that it shows is kept"))
        else:
            going.append(_decision(item, _why_not(item, lost)))
    objections = _objections(lineage, registry, policy, going) if going else ()
    return RetentionPlan(tuple(going), tuple(kept), policy, registry.version, tuple(objections))


def _objections(
    lineage: Lineage, registry: ModelRegistry, policy: RetentionPolicy, going: list[RetentionDecision]
) -> Iterator[str]:
    """Yield what speaks against deleting anything: a registry that is gone or old, and too much that would go."""
    models = [item for item in lineage.items.values() if item.kind == "model"]
    if registry.version is None and (models or lineage.champions):
        yield (
            f"there are {len(models)} models and no registry that would say which of them is the champion; restore it "
            "(`difsims restore FOLDER`), or make one the champion (`difsims promote`)"
        )
    lost = [name for name in _champions(registry, policy) if _is_lost(lineage, registry, name)]
    if lost:
        yield (
            f"the record of {', '.join(lost)}, champion now or before, is gone or damaged, so that nobody knows what "
            "it descends from; restore it (`difsims restore FOLDER`), or make another one the champion"
        )
    if lineage.unread and any(decision.kind == "dataset" for decision in going):
        yield (
            f"{len(lineage.unread)} predictions of models of other stores cannot be read ({lineage.unread[0]}, …), so "
            "that nobody knows which datasets are behind them; restore or delete them"
        )
    if registry.version is not None and policy.serial != registry.serial:
        yield from _lost_history(lineage, registry, policy, {decision.id for decision in going})
    shares = {
        "items": (len(going), len(lineage.items)),
        "bytes": (sum(decision.size for decision in going), sum(item.size for item in lineage.items.values())),
    }
    for what, (lost, whole) in shares.items():
        if lost * 100 > whole * policy.most_percent:
            yield (
                f"{lost:,} of {whole:,} {what} would go, more than {policy.most_percent:g} %; if that is meant, say so "
                f"with --most-percent {math.ceil(100 * lost / whole)}"
            )


def _lost_history(lineage: Lineage, registry: ModelRegistry, policy: RetentionPolicy, going: set[str]) -> Iterator[str]:
    """Yield what shows that the registry is not the last that was written: an older one came back."""
    remedy = (
        f"restore the last one, or look at it (`difsims champion`) and, if it is right, name it with --serial "
        f"{registry.serial}"
    )
    unknown = lineage.champions & lineage.items.keys() - {item.model for item in registry.champions} - {*policy.keep}
    if unknown:
        yield f"the registry does not know that {', '.join(sorted(unknown))} was made champion; {remedy}"
    later = [
        item.id
        for item in lineage.items.values()
        if item.id in going and item.kind == "model" and item.made and item.made > moment(registry.written)
    ]
    if later:
        yield (
            f"{', '.join(sorted(later))} would go and was made after the registry was last written, on "
            f"{registry.written}; {remedy}"
        )


def _reasons(lineage: Lineage, registry: ModelRegistry, policy: RetentionPolicy) -> dict[str, str]:
    """Return why items are kept, by id: those kept for themselves, and all that they descend from."""
    reasons: dict[str, str] = {}
    for name, why in _roots(lineage, registry, policy):
        reasons.setdefault(name, why)
    queue = deque(reasons)
    while queue:
        name = queue.popleft()
        for parent in lineage.parents(lineage.items[name]) if name in lineage.items else ():
            if parent.id not in reasons:
                reasons[parent.id] = f"{name} {_HOW.get(name[:4], 'shows it')}"
                queue.append(parent.id)
    return reasons


def _champions(registry: ModelRegistry, policy: RetentionPolicy) -> dict[str, str]:
    """Return the champion and the former ones that stay, each with the reason."""
    champion = registry.champion
    found = {} if champion is None else {champion.model: f"the champion since {champion.since}"}
    former = dict.fromkeys(item.model for item in registry.former if item.model not in found)
    latest = list(former)[: policy.keep_former]
    return found | dict.fromkeys(latest, f"one of the last {policy.keep_former} former champions")


def _is_lost(lineage: Lineage, registry: ModelRegistry, name: str) -> bool:
    """Return whether a champion does not say what it descends from; a former one may be gone with all that it had."""
    item = lineage.items.get(name)
    if item is None:
        return registry.champion is not None and registry.champion.model == name
    return bool(item.problem) or item.made is None


def _roots(lineage: Lineage, registry: ModelRegistry, policy: RetentionPolicy) -> Iterator[tuple[str, str]]:
    yield from _champions(registry, policy).items()
    for name in policy.keep:
        yield name, "named to be kept"
    for name in lineage.needed_elsewhere:
        yield name, "a prediction of a model of another store descends from it"
    for item in lineage.items.values():
        if item.problem:
            yield item.id, f"its record cannot be read: restore or delete it by hand ({item.problem})"
        elif item.made is not None and item.made > policy.now:
            yield item.id, f"made {item.made:%Y-%m-%d} as its record says, which is still to come"
        elif item.made is not None and item.made > policy.since:
            yield item.id, f"made {item.made:%Y-%m-%d}, less than {policy.keep_days} days ago"
        elif item.touched is not None and item.touched > policy.since:
            yield item.id, f"written to on {item.touched:%Y-%m-%d}, less than {policy.keep_days} days ago"


def _why_not(item: Item, lost: list[str]) -> str:
    if item.kind == "report":
        return f"shows {', '.join(sorted(lost))}, which goes"
    if item.made is None:
        return "never finished" + (f", last written {item.touched:%Y-%m-%d}" if item.touched else "")
    return f"made {item.made:%Y-%m-%d}; {_NOBODY[item.kind]}"


def _decision(item: Item, why: str) -> RetentionDecision:
    return RetentionDecision(item.kind, item.id, item.size, why, item.fingerprint)
