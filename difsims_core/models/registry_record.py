"""What the registry of models says: champions, decisions, and how they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from math import isfinite
from reprlib import repr as shortened
from typing import Any, Literal, get_args

from difsims_core.errors import CorruptDataError
from difsims_core.moments import moment
from difsims_core.storage import layout
from difsims_core.storage.records import from_record

By = Literal["retrain", "rollback", "hand"]  # how a model came to be champion

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Champion:
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

    model: str
    since: str
    why: str
    scores: Mapping[str, float]
    by: By


@dataclass(frozen=True, slots=True)
class RecordedDecision:
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
    model: str | None
    promoted: bool
    why: str
    when: str


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
        """Return the record, plain JSON values."""
        return {
            "format": _FORMAT,
            "serial": self.serial,
            "written": self.written,
            "champion": None if self.champion is None else asdict(self.champion),
            "former": [asdict(champion) for champion in self.former],
            "considered": [asdict(consideration) for consideration in self.considered],
        }


def registry_from(data: bytes, where: str) -> ModelRegistry:
    """Return the registry that the bytes of a record describe; its version is unknown.

    Raises
    ------
    CorruptDataError
        If they do not describe one; ``where`` says whose they are.
    """
    document = from_record(data, where)
    try:
        return registry_of(document, _FORMAT)
    except (TypeError, ValueError, OverflowError) as error:
        raise CorruptDataError(
            f"{where}: not the registry of models ({error})",
            "restore it from a backup (`difsims restore FOLDER`), or use the version of difsims that wrote it",
        ) from None


def registry_of(document: Mapping[str, Any], expected_format: int) -> ModelRegistry:
    """Return the registry that a document of a format describes.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it does not describe one: what is read is what would be written again, nothing more and nothing less.
    """
    if document.get("format") != expected_format:
        raise ValueError(f"expected format {expected_format}, found {shortened(document.get('format'))}")
    _expect(document, {"format", "serial", "written", "champion", "former", "considered"})
    serial, former, considered = document["serial"], document["former"], document["considered"]
    if type(serial) is not int or serial < 1:
        raise ValueError(f"expected a serial number from 1, found {shortened(serial)}")
    if not isinstance(former, list) or not isinstance(considered, list):
        raise TypeError("expected lists of former champions and of decisions")
    return ModelRegistry(
        None if document["champion"] is None else _champion(document["champion"]),
        tuple(map(_champion, former)),
        tuple(map(_consideration, considered)),
        serial,
        _time(document["written"]),
    )


def _champion(item: Any) -> Champion:
    _expect(item, Champion.__dataclass_fields__.keys())
    scores = item["scores"]
    if not isinstance(scores, dict) or any(type(value) not in (int, float) for value in scores.values()):
        raise TypeError(f"expected numbers by name as scores, found {shortened(scores)}")
    scores = {name: float(value) for name, value in scores.items()}
    if not all(map(isfinite, scores.values())):
        raise ValueError(f"expected finite scores, found {shortened(scores)}")
    if item["by"] not in get_args(By):
        raise ValueError(f"expected by {' or '.join(get_args(By))}, found {shortened(item['by'])}")
    return Champion(_model(item["model"]), _time(item["since"]), _text(item["why"]), scores, item["by"])


def _consideration(item: Any) -> RecordedDecision:
    _expect(item, RecordedDecision.__dataclass_fields__.keys())
    if not isinstance(item["promoted"], bool):
        raise TypeError(f"expected true or false as promoted, found {shortened(item['promoted'])}")
    model = None if item["model"] is None else _model(item["model"])
    return RecordedDecision(
        _text(item["ingredients"]), model, item["promoted"], _text(item["why"]), _time(item["when"])
    )


def _expect(item: Any, keys: AbstractSet[str]) -> None:
    if not isinstance(item, dict):
        raise TypeError(f"expected an object, found {type(item).__name__}")
    if wrong := sorted(keys ^ item.keys()):
        raise ValueError(f"missing or unknown: {shortened(wrong)}")


def _model(value: Any) -> str:
    return layout.check_model_id(_text(value))


def _time(value: Any) -> str:
    moment(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {shortened(value)}")
    return value
