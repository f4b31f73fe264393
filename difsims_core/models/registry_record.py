"""What the registry of models says: champions, decisions, and how they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from difsims_core.moments import now_text
from difsims_core.storage.record_model import Items, ModelId, Record, RecordPart, Size, Time
from difsims_core.storage.records import to_record

By = Literal["retrain", "rollback", "hand"]  # how a model came to be champion


class Champion(RecordPart):
    """A model that is, or was, the one to predict with.

    Attributes
    ----------
    model : str
        Its id.
    since : str
        ISO date and time of its promotion.
    why : str
        The reason, a sentence.
    scores : mapping of str to float
        The numbers that decided.
    by : str
        ``retrain``, ``rollback`` (to a former one) or ``hand``.
    """

    model: ModelId
    since: Time
    why: str
    scores: Mapping[str, float]
    by: By


class RecordedDecision(RecordPart):
    """A decision about a challenger, or that there was nothing to train on.

    Attributes
    ----------
    ingredients : str
        SHA-256 of everything it was decided on: datasets, experiments, code.
    model : str or None
        The challenger; None when none was trained.
    promoted : bool
        Whether it became the champion.
    why : str
        The reason, a sentence.
    when : str
        ISO date and time.
    """

    ingredients: str
    model: ModelId | None
    promoted: bool
    why: str
    when: Time


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """The registry as it was read.

    Attributes
    ----------
    champion : Champion or None
        The model to predict with; None before the first promotion.
    former : tuple of Champion
        Those before it, latest first.
    considered : tuple of RecordedDecision
        Latest first, at most 200.
    serial : int
        How often it was written; 0: there is none yet.
    written : str
        ISO date and time of the last writing; empty when there is none.
    version : str or None
        Of the stored record, for the conditional write; None when there is none.
    """

    champion: Champion | None = None
    former: tuple[Champion, ...] = ()
    considered: tuple[RecordedDecision, ...] = ()
    serial: int = 0
    written: str = ""
    version: str | None = None

    @property
    def champions(self) -> tuple[Champion, ...]:
        """The champion and those before it, latest first; a model may be there more than once."""
        return self.former if self.champion is None else (self.champion, *self.former)

    def to_document(self) -> dict[str, Any]:
        """Return what is stored, plain JSON values."""
        stored = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "version"}
        return _RegistryRecord.model_construct(format=2, **stored).to_document()

    def to_record(self) -> bytes:
        """Return the bytes under which it is stored."""
        return to_record(self.to_document())


class _Decisions(Record):
    """What records of every format hold."""

    described: ClassVar[str] = "the registry of models"
    remedy: ClassVar[str] = (
        "restore it from a backup (`difsims restore FOLDER`), or use the version of difsims that wrote it"
    )

    champion: Champion | None
    former: Items[Champion]
    considered: Items[RecordedDecision]


class _RegistryRecord(_Decisions):
    format: Literal[2]
    serial: Size
    written: Time


class _EarlierRegistryRecord(_Decisions):
    described: ClassVar[str] = "a registry of the earlier form"

    format: Literal[1]


class ChampionNote(Record):
    """What is left beside the registry of every model that was made champion."""

    described: ClassVar[str] = "the note of a champion"

    model: ModelId
    since: Time


def registry_from(data: bytes, where: str) -> ModelRegistry:
    """Return the registry that the bytes of a record describe; its version is unknown.

    Raises
    ------
    CorruptDataError
        If they do not describe one; ``where`` says whose they are.
    """
    found = _RegistryRecord.from_record(data, where)
    return ModelRegistry(found.champion, found.former, found.considered, found.serial, found.written)


def earlier_registry(document: Mapping[str, Any], where: str) -> ModelRegistry:
    """Return the registry that a document of the earlier form describes, as if it was written at this moment.

    Raises
    ------
    CorruptDataError
        If it does not describe one.
    """
    found = _EarlierRegistryRecord.from_document(document, where)
    return ModelRegistry(found.champion, found.former, found.considered, 1, now_text())
