"""The items of a store that retention decides on, and what descends from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["dataset", "library", "model", "report", "training"]


@dataclass(frozen=True, slots=True)
class Item:
    """A dataset, a library of beam directions, a model, a report or a training that was stopped, with all that goes.

    Attributes
    ----------
    kind, id : str
        A report has the name of its run.
    size : int
        Bytes; of a model with its predictions, scores and figures.
    made : datetime or None
        When its own record says that it was made; None: it has no record, its making was stopped or goes on.
    touched : datetime or None
        When the latest of its objects was written, as the store says.
    needs : frozenset of str
        Ids that it descends from, or names.
    need_fingerprints : frozenset of str
        Of datasets that it descends from.
    fingerprint : str or None
        Its own, by which it is found again.
    problem : str
        Why its record cannot be used; empty when it can.
    """

    kind: Kind
    id: str
    size: int = 0
    made: datetime | None = None
    touched: datetime | None = None
    needs: frozenset[str] = frozenset()
    need_fingerprints: frozenset[str] = frozenset()
    fingerprint: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """All items of a store.

    Attributes
    ----------
    items : mapping of str to Item
        By id.
    needed_elsewhere : frozenset of str
        Datasets behind predictions of models that lie in other stores.
    champions : frozenset of str
        Models that were made champion once, as the notes beside the registry say.
    unread : tuple of str
        Keys of predictions of such models that cannot be read, so that nobody knows which datasets are behind them.
    """

    items: Mapping[str, Item]
    needed_elsewhere: frozenset[str] = field(default=frozenset())
    champions: frozenset[str] = field(default=frozenset())
    unread: tuple[str, ...] = ()

    def parents(self, item: Item) -> list[Item]:
        """Return what an item descends from, as far as this store holds it."""
        named = [self.items[need] for need in item.needs if need in self.items]
        return named + [other for other in self.items.values() if other.fingerprint in item.need_fingerprints]
