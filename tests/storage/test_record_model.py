"""A record is what its fields say, or it is refused with the field named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from difsims_core.errors import CorruptDataError, DifsimsError, ModelError
from difsims_core.storage.record_model import Count, Items, Record, RecordPart, Sha256, Text, Time
from difsims_core.storage.records import from_record, to_record

WHOLE: dict[str, Any] = {
    "names": ["a"],
    "shapes": {"1d/x": [3, 147]},
    "made": "2026-01-31T12:00:00+00:00",
    "sha256_of_it": "0" * 64,
    "part": {"size": 5},
    "share": 0.5,
}


class _Part(RecordPart):
    size: Count


class _Example(Record):
    described: ClassVar[str] = "an example"

    names: Items[Text]
    shapes: Mapping[Text, Items[Count]]
    made: Time
    sha256_of_it: Sha256
    part: _Part | None
    share: float


def test_a_record_is_read_as_it_was_written() -> None:
    record = _Example.from_document(WHOLE, "here")
    assert _Example.from_record(record.to_record(), "here") == record
    assert from_record(record.to_record(), "here") == WHOLE
    assert record.to_record() == to_record(WHOLE)  # in the order of the fields
    with pytest.raises(ValidationError):
        record.share = 1.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": [1]}, r"names\.0: .* 1"),
        ({"names": "ab"}, "names: .* 'ab'"),
        ({"names": [""]}, r"names\.0: .* ''"),
        ({"shapes": {"1d/x": [True]}}, r"shapes\.1d/x\.0: .* True"),
        ({"shapes": {"1d/x": [1.0]}}, r"shapes\.1d/x\.0: .* 1\.0"),
        ({"shapes": {"1d/x": [-1]}}, r"shapes\.1d/x\.0: .* 0, .* -1"),
        ({"shapes": {"1d/x": [10**400]}}, r"shapes\.1d/x\.0: .* 9007199254740992, .* 1000"),
        ({"shapes": []}, "shapes: "),
        ({"made": "2026-01-31T12:00:00"}, "made: .* '2026-01-31T12:00:00'"),
        ({"made": 5}, "made: .* 5"),
        ({"sha256_of_it": "G" * 64}, "sha256_of_it: .* 64 .* 'GGG"),
        ({"sha256_of_it": "0" * 64 + "\n"}, "sha256_of_it: .* 64 "),
        ({"part": {}}, r"part\.size"),
        ({"part": 4}, "part: .* 4"),
        ({"share": float("nan")}, "share: .* nan"),
        ({"share": 10**400}, "share: .* 1000"),
        ({"share": "0.5"}, r"share: .* '0\.5'"),
        ({"other": 1}, r"\bother\b"),
    ],
)
def test_a_field_that_is_something_else_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CorruptDataError, match=rf"^here: not {_Example.described} \(.*{words}") as caught:
        _Example.from_document({**WHOLE, **change}, "here")
    assert caught.value.remedy == _Example.remedy


def test_what_comes_from_outside_is_shown_short_and_on_one_line() -> None:
    with pytest.raises(CorruptDataError) as caught:
        _Example.from_document({**WHOLE, "\x1b[2J\n" * 999: 1, "share": "\x1b[2J\n" * 999}, "here")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_document_that_is_none_or_lacks_everything_is_refused() -> None:
    with pytest.raises(CorruptDataError, match=r"names.*shapes"):
        _Example.from_document({}, "here")
    with pytest.raises(CorruptDataError, match=r"^here: "):
        _Example.from_document([], "here")  # pyright: ignore[reportArgumentType]
    with pytest.raises(CorruptDataError, match=r"^here: "):
        _Example.from_record(b"{}", "here")


def test_a_kind_says_what_it_is_what_to_do_and_with_which_error() -> None:
    class Other(Record):
        described: ClassVar[str] = "the record of a model"
        remedy: ClassVar[str] = "train the model again"
        refusal: ClassVar[type[DifsimsError]] = ModelError

        size: Count

    with pytest.raises(ModelError, match=f"^here: not {Other.described} ") as caught:
        Other.from_document({"size": -1}, "here")
    assert caught.value.remedy == Other.remedy
