"""Every text of a document about raw scans says whether it names a file, and one that does not is taken for one."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from difsims_core.config.base import Spec
from difsims_core.config.raw_scans.named_files import NamedFile, Names, PlainText, is_text, named_by, with_files
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec


def leaves(annotation: Any) -> Iterator[Any]:
    """Yield the types that values of an annotated field have."""
    kind = get_origin(annotation)
    if kind is Annotated:
        yield from leaves(get_args(annotation)[0])
    elif kind in (Union, types.UnionType, tuple):
        for part in get_args(annotation):
            yield from leaves(part)
    elif kind is not Literal and annotation is not ...:
        yield annotation


def fields_of(spec: type[Spec]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield all fields of a spec, those of its sections too."""
    for name, field in spec.model_fields.items():
        yield f"{spec.__name__}.{name}", field
        for kind in leaves(field.annotation):
            if isinstance(kind, type) and issubclass(kind, Spec):
                yield from fields_of(kind)


FIELDS = dict(fields_of(PreprocessingSpec))


@pytest.mark.parametrize("name", FIELDS)
def test_every_text_says_what_it_names(name):
    assert not is_text(FIELDS[name]) or named_by(FIELDS[name]) is not None, "annotate it: NamedFile, … (named_files)"


@pytest.mark.parametrize("name", FIELDS)
def test_values_are_of_types_that_are_looked_through(name):
    for kind in leaves(FIELDS[name].annotation):
        assert kind in (str, int, float, bool, type(None)) or issubclass(kind, Spec), "with_files must know it"


def test_those_that_name_files_are_these():
    found = {name: named_by(field) for name, field in FIELDS.items() if is_text(field)}
    assert found == {
        "ReadingSpec.dataset_path": Names.NO_FILE,
        "PreprocessingSpec.phases": Names.PHASE,
        "PixelsSpec.mask": Names.FILE,
        "PixelsSpec.dark": Names.FILE,
        "PixelsSpec.gain": Names.FILE,
        "StandardSpec.location": Names.FILE,
        "StandardSpec.phase": Names.PHASE,
    }


class Section(Spec):
    forgotten: str = "a.npy"
    method: Literal["disc"] = "disc"
    plain: PlainText = "b"


class Document(Spec):
    sections: tuple[Section, ...] = (Section(),)
    files: tuple[NamedFile, ...] = ("c.npy",)
    none: NamedFile | None = None


def test_texts_anywhere_are_looked_at_and_choices_are_not():
    seen = []
    changed = with_files(Document(), lambda text, names: seen.append((text, names)) or f"/{text}")
    assert seen == [("a.npy", Names.FILE), ("b", Names.NO_FILE), ("c.npy", Names.FILE)]
    assert changed == Document(sections=(Section(forgotten="/a.npy", plain="/b"),), files=("/c.npy",))
