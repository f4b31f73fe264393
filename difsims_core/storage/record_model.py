"""The base of every record that is read back: a frozen value whose fields are what they must be, or it is refused.

A record names its fields with strict types: no text passes for a number, no unknown key, no NaN. `storage.records` is
the outer form, JSON with a checksum; this is what the document inside it may say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError

from difsims_core.errors import CorruptDataError, DifsimsError
from difsims_core.messages import printable, shortened
from difsims_core.moments import moment
from difsims_core.storage import layout
from difsims_core.storage.names import check_key
from difsims_core.storage.records import from_record, to_record

T = TypeVar("T")

_MOST_SHOWN = 3  # problems of one record
_LONGEST_SHOWN = 60  # characters of a key or value
_LONGEST_MESSAGE = 200
_WORDS = {  # of pydantic, and what a reader of JSON expects instead
    "Value error, ": "",
    "Input should be": "expected",
    "String should have": "expected a text of",
    "Tuple should have": "expected a list of",
    "List should have": "expected a list of",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid dictionary": "an object",
    "a valid string": "a text",
    "a valid integer": "a whole number",
}


def _require_zone(text: str) -> str:
    try:
        moment(text)
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise ValueError("expected a date and time with its zone, such as 2026-01-31T12:00:00+00:00")
    return text


def _require_sha256(text: str) -> str:
    if not layout.is_fingerprint(text):
        raise ValueError("expected 64 hexadecimal digits")
    return text


Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0, lt=2**53)]  # larger integers are not the same in every reader of JSON
Size = Annotated[int, Field(ge=1, lt=2**53)]
Time = Annotated[str, Field(max_length=40), AfterValidator(_require_zone)]
Sha256 = Annotated[str, AfterValidator(_require_sha256)]
SimulationId = Annotated[str, AfterValidator(layout.check_simulation_id)]
ModelId = Annotated[str, AfterValidator(layout.check_model_id)]
Key = Annotated[str, AfterValidator(check_key)]
Items = Annotated[tuple[T, ...], Strict(strict=False)]  # an array of JSON is a list in Python; its items stay strict


class RecordPart(BaseModel):
    """A part of a record: frozen, strict, forbidding."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Record(RecordPart):
    """A record of the store.

    Attributes
    ----------
    described : str
        What it is, for errors.
    remedy : str
        What to do about one that is refused.
    refusal : type
        Of the error then.
    """

    described: ClassVar[str] = "a record of this kind"
    remedy: ClassVar[str] = "it was damaged, restore it"
    refusal: ClassVar[type[DifsimsError]] = CorruptDataError

    @classmethod
    def from_record(cls, data: bytes, where: str) -> Self:
        """Return the record that bytes with their checksum stand for; ``where`` says in errors whose they are.

        Raises
        ------
        CorruptDataError
            If the bytes are no record (`storage.records.from_record`), or not one of this kind.
        """
        return cls.from_document(from_record(data, where), where)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        """Return the record of a document that was read without its checksum.

        Raises
        ------
        CorruptDataError
            If a field is missing, unknown, or something else than it must be; the message names the first ones. The
            class of the error is ``refusal``.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            found = "; ".join(map(_told, error.errors(include_url=False)[:_MOST_SHOWN]))
        except (OverflowError, RecursionError):
            found = "a number is too large"
        raise cls.refusal(f"{where}: not {cls.described} ({found})", cls.remedy)

    def to_document(self) -> dict[str, Any]:
        """Return plain JSON values, in the order of the fields."""
        return self.model_dump(mode="json")

    def to_record(self) -> bytes:
        """Return the bytes under which it is stored.

        Raises
        ------
        ValueError
            If a text holds half a character.
        """
        return to_record(self.to_document())


def _told(problem: Any) -> str:
    """Return one line about what is wrong with a field: what was expected and what was found."""
    place = ".".join(shortened(str(part), _LONGEST_SHOWN) for part in problem["loc"])
    match problem["type"]:
        case "missing":
            return printable(f"expected {place}, found none")
        case "extra_forbidden":
            return printable(f"unknown key {place}")
        case "model_type":
            message = "expected an object"
        case _:
            message = str(problem["msg"])
    for words, plain in _WORDS.items():
        message = message.replace(words, plain)
    message = shortened(message, _LONGEST_MESSAGE)
    if isinstance(problem["input"], str | int | float | None) and "found" not in message:
        message += f", found {shortened(ascii(problem['input']), _LONGEST_SHOWN)}"
    return printable(f"{place}: {message}" if place else message)
