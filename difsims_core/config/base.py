"""The base of every parameter document: frozen, hashable, forbidding; a typo names the nearest key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.plugins import nearest

_LONGEST_KEY = 60
CREDENTIALS = re.compile(r"://[^/]*@")
STORED = "stored"
"""Key of the context of a validation: true for the document of something that exists, see `make_spec`."""


class Spec(BaseModel):
    """A frozen set of parameters; two equal ones have equal hashes and equal fingerprints."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    also_called: ClassVar[Mapping[str, str]] = {}
    """What people call a key, where that is not alike → its name."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, data: Any) -> Any:
        known = list(cls.model_fields)
        if not isinstance(data, dict | BaseModel):
            off = ", or null to leave it out" if str(data).lower() in ("false", "no", "off") else ""
            raise ValueError(f"expected keys and values, {{}} for the defaults{off} (keys here: {', '.join(known)})")  # noqa: TRY004
        if isinstance(data, dict):
            for key, value in data.items():
                if key not in known:
                    meant = cls.also_called.get(str(key))
                    hint = f", write {meant!r}" if meant else _section_of(cls, str(key)) or nearest(str(key), known)
                    raise ValueError(f"unknown key {str(key)[:_LONGEST_KEY]!r}{hint} (keys here: {', '.join(known)})")
                if isinstance(value, str) and CREDENTIALS.search(value):
                    raise ValueError(f"{key}: a URL must not carry credentials; set them in the environment")
                _refuse_silent_conversion(key, value, cls.model_fields[key].annotation)
        return data

    def __hash__(self) -> int:
        return hash(self.digest())

    def to_document(self) -> dict[str, Any]:
        """Return the parameters as plain JSON values, every default written out."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON of ``fingerprint_document``, hexadecimal."""
        canonical = json.dumps(fingerprint_document(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def is_stored(info: ValidationInfo) -> bool:
    """Return whether a document that is being validated tells of something that exists, see `make_spec`."""
    return bool(info.context) and info.context.get(STORED, False)


def _refuse_silent_conversion(key: str, value: Any, kind: Any) -> None:
    """Refuse what pydantic would convert: true to 1, and the texts ``1_000`` to 1000 and ``yes`` to true."""
    if kind in (int, float) and isinstance(value, bool):
        raise ValueError(f"{key}: expected a number, found the truth value {value}")
    if kind in (int, float) and isinstance(value, str):
        raise ValueError(f"{key}: expected a number such as 1000 or 1e3, found the text {value!r}")
    if kind is bool and isinstance(value, str):
        raise ValueError(f"{key}: write true or false, without quotes; found the text {value!r}")


def _section_of(kind: type[Spec], key: str) -> str:
    """Return a hint at the section that has a key, when it was given one level too high."""
    for name, field in kind.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, Spec) and key in part.model_fields:
                return f"; it belongs to {name}: write {name}.{key}"
    return ""
