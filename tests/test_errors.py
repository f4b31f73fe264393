"""Errors carry what to do as a field of its own, over every boundary."""

from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from difsims_core import errors
from difsims_core.errors import DifsimsError, InputError, MalformedError


def test_an_error_says_the_problem_and_the_remedy() -> None:
    error = InputError("a.cif: no such file", "check the path")
    assert str(error) == "a.cif: no such file; check the path"
    assert (error.problem, error.remedy) == ("a.cif: no such file", "check the path")
    assert (str(InputError("no CIF")), InputError("no CIF").remedy) == ("no CIF", "")


def test_an_error_may_be_made_of_another_one() -> None:
    error = InputError(ValueError("too long"), "shorten it")
    assert (error.problem, str(error)) == ("too long", "too long; shorten it")


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_problem_and_remedy_survive_the_way_to_another_process(kind: type[DifsimsError]) -> None:
    error = kind("a; b", "do c; then d")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(other) is kind
        assert (str(other), other.problem, other.remedy) == ("a; b; do c; then d", "a; b", "do c; then d")


def test_a_malformed_text_tells_its_line_and_the_remedy() -> None:
    error = MalformedError.at(3, "a\ttag \x1b", "leave it out")
    assert (error.problem, error.remedy) == ("line 3: a tag ?", "leave it out")


def test_pydantic_keeps_the_remedy_in_the_text() -> None:
    class Example(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def _refuse(cls, value: str) -> str:
            raise InputError(f"{value}: no such phase", "check the name")

    with pytest.raises(ValidationError, match="x: no such phase; check the name"):
        Example(name="x")
