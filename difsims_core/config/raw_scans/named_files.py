"""Which texts of a document name files; whoever takes documents of others looks at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any, TypeVar, get_args

from pydantic.fields import FieldInfo

from difsims_core.config.base import Spec

S = TypeVar("S", bound=Spec)


class Names(Enum):
    """What a text of a document names; annotation of its field."""

    FILE = "a file"
    PHASE = "a phase of the catalogue, or a crystal file"
    NO_FILE = "something that is not opened by this name"


NamedFile = Annotated[str, Names.FILE]
NamedPhase = Annotated[str, Names.PHASE]
PlainText = Annotated[str, Names.NO_FILE]


def with_files(spec: S, found: Callable[[str, Names], str]) -> S:
    """Return a spec whose texts are what ``found`` makes of them and of what they name, those of its sections too.

    A text that does not say what it names is taken for a file: one that was forgotten is looked at.
    """
    fields = type(spec).model_fields
    return spec.model_copy(update={name: _mapped(getattr(spec, name), field, found) for name, field in fields.items()})


def named_by(field: FieldInfo) -> Names | None:
    """Return what the texts of a field name, as it is annotated; None where it is not."""
    parts = [*field.metadata, *_parts(field.annotation)]
    return next((part for part in parts if isinstance(part, Names)), None)


def is_text(field: FieldInfo) -> bool:
    """Return whether a field takes any text, not only some that are listed."""
    return str in _parts(field.annotation)


def _mapped(value: Any, field: FieldInfo, found: Callable[[str, Names], str]) -> Any:
    if isinstance(value, Spec):
        return with_files(value, found)
    if isinstance(value, tuple):
        return tuple(_mapped(item, field, found) for item in value)
    if isinstance(value, str) and is_text(field):
        return found(value, named_by(field) or Names.FILE)
    return value


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield a type, what it is made of, and its annotations."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
