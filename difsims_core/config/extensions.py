"""The sections of imperfections that other packages bring: ``extensions: {name: {…}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from difsims_core.config.base import is_stored
from difsims_core.errors import InputError
from difsims_core.families import IMPERFECTIONS


def _checked(value: Any, info: ValidationInfo) -> dict[str, Any]:
    """Return plain sections with every default written out; those of a stored document are what was made of them."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004
            "expected {name: {…}}, for each imperfection of another package its keys and values"
        )
    sections, problems = dict[str, Any](), list[InitErrorDetails]()
    for name, section in sorted(value.items(), key=lambda item: str(item[0])):
        plain = (
            section.model_dump(mode="json") if isinstance(section, BaseModel) else {} if section is None else section
        )
        if is_stored(info):
            sections[name] = plain
            continue
        try:
            sections[name] = IMPERFECTIONS[str(name)].section.model_validate(plain).to_document()
        except ValidationError as error:
            problems += [_below(str(name), problem) for problem in error.errors(include_url=False)]
        except InputError as error:
            problems.append(_below(str(name), {"msg": str(error), "loc": (), "input": None}))
    if problems:
        raise ValidationError.from_exception_data("extensions", problems)
    return sections


def _below(name: str, problem: Any) -> InitErrorDetails:
    """Return a problem of a section as one of the whole document."""
    kind = PydanticCustomError("extension", "{message}", {"message": problem["msg"].removeprefix("Value error, ")})
    return InitErrorDetails(type=kind, loc=(name, *problem["loc"]), input=problem["input"])


Extensions = Annotated[
    dict[str, dict[str, Any]],
    BeforeValidator(_checked, json_schema_input_type=dict[str, dict[str, Any] | None]),
]
"""For each imperfection of another package its section, every default written out."""
