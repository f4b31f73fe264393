"""The document as fingerprints see it: as if it had been written when fingerprints began.

A key that comes later is left out while its value changes no byte, and a key that gets another name is hashed under its
first one, so that a dataset keeps its fingerprint however documents grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class AddedLater:
    """Annotation of a key that documents did not always have.

    Attributes
    ----------
    without : plain JSON value
        The value at which the bytes are those of a document without the key.
    """

    without: Any


@dataclass(frozen=True, slots=True)
class FirstName:
    """Annotation of a key that once had another name.

    Attributes
    ----------
    name : str
        The first name.
    value : callable or None
        From today's plain value to what stood there under the first name; None: the same.
    """

    name: str
    value: Callable[[Any], Any] | None = None


def fingerprint_document(spec: BaseModel) -> dict[str, Any]:
    """Return the parameters as plain JSON values by first names, without later keys that change nothing."""
    document: dict[str, Any] = {}
    for key, field in type(spec).model_fields.items():
        plain = spec.model_dump(mode="json", include={key})[key]
        name, value = key, _hashed(getattr(spec, key), plain)
        added = [item for item in field.metadata if isinstance(item, AddedLater)]
        if any(plain == item.without for item in added):
            continue
        for item in field.metadata:
            if isinstance(item, FirstName):
                name, value = item.name, value if item.value is None else item.value(value)
        document[name] = value
    return document


def _hashed(value: Any, plain: Any) -> Any:
    """Return a value for hashing; ``plain`` is what it is as JSON."""
    if isinstance(value, BaseModel):
        return fingerprint_document(value)
    if isinstance(value, Mapping):
        return {str(key): _hashed(item, plain[str(key)]) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_hashed(item, as_json) for item, as_json in zip(value, plain, strict=True)]
    return plain
