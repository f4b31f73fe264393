"""Records: JSON objects that a store keeps of its own, each with the SHA-256 of its bytes in its first line.

A record is read whole or refused: what was damaged, cut, edited or written by something else never passes, and what is
read can always be written again (`plain_json`). The checksum is no signature: whoever may write to the store may make
records. It is over bytes, so that every changed bit is noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from difsims_core.errors import CorruptDataError, MalformedError
from difsims_core.plain_json import read_json

_FIRST_LINE = '{{\n "sha256": "{}",\n'
_SEALED = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def to_record(document: Mapping[str, Any]) -> bytes:
    """Return the bytes under which a record is stored; ``document`` has text keys, at least one, and plain values.

    Raises
    ------
    ValueError
        If it holds what a record cannot: NaN, infinite numbers, half characters.
    """
    if not document or "sha256" in document:
        raise ValueError("a record has at least one key, and none called sha256")
    rest = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).removeprefix("{\n").encode()
    return _FIRST_LINE.format(hashlib.sha256(rest).hexdigest()).encode() + rest


def is_record(data: bytes) -> bool:
    """Return whether bytes begin as those of a record, with a checksum, right or wrong."""
    return _SEALED.match(data) is not None


def from_record(data: bytes, where: str) -> dict[str, Any]:
    """Return the document of a record, without its checksum; ``where`` says in errors whose bytes these are.

    Raises
    ------
    CorruptDataError
        If it carries no checksum, the checksum differs, or it is no JSON object that could be written again.
    """
    sealed = _SEALED.match(data)
    if sealed is None:
        raise CorruptDataError(
            f"{where}: expected a record that begins with its checksum, found none",
            "it was damaged (restore it), or an earlier version of difsims wrote it (`difsims convert` brings "
            "records of your own into today's form)",
        )
    if hashlib.sha256(data[sealed.end() :]).hexdigest() != sealed[1].decode():
        raise CorruptDataError(
            f"{where}: its checksum differs from its content", "it was damaged or edited, restore it"
        )
    document = plain_document(data, where)
    del document["sha256"]
    return document


def plain_document(data: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that bytes stand for, whatever checksum it carries: records of earlier versions had none.

    Raises
    ------
    CorruptDataError
        If it is none, or one that could not be written again.
    """
    try:
        document = read_json(data)
    except MalformedError as error:
        raise CorruptDataError(f"{where}: not a record ({error})", "restore it") from None
    if not isinstance(document, dict):
        raise CorruptDataError(f"{where}: expected a JSON object, found {type(document).__name__}", "restore it")
    return document
