"""The seal of an npz file: the SHA-256 of its bytes, as the comment that ends a zip file. NumPy reads over it.

The digest is over everything before the text of the comment, its length included, so that every changed bit is
noticed. It is no signature: whoever may write to the store may seal.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import IO

from difsims_core.errors import InputError

_HEAD = b"sha256:"
_LENGTH = len(_HEAD) + 64
_SEAL = re.compile(rb"sha256:[0-9a-f]{64}")
_CHUNK_BYTES = 2**20

# The records that end a zip file (APPNOTE 4.3.14 to 4.3.16), as the zipfile module looks for them.
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END64, _END64_BYTES = b"PK\x06\x06", 56
_LONGEST_COMMENT = 2**16


@dataclass(frozen=True, slots=True)
class Ending:
    """What the end of a zip file says.

    Attributes
    ----------
    members, directory_bytes : int
        How many members the file claims, and the length of their directory.
    comment : bytes
        The last bytes of the file.
    size : int
        Of the file.
    """

    members: int
    directory_bytes: int
    comment: bytes
    size: int

    @property
    def sealed(self) -> bool:
        """Whether the file carries a seal, right or wrong."""
        return _SEAL.fullmatch(self.comment) is not None


def read_ending(file: IO[bytes]) -> Ending:
    """Return what the end of a zip file says, without reading more of it.

    Raises
    ------
    InputError
        If there is none, it is cut, or something was added to it. The text continues "found".
    """
    size = file.seek(0, 2)
    start = max(0, size - _LONGEST_COMMENT - _END_BYTES - _LOCATOR_BYTES - _END64_BYTES)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise InputError("no end of a zip file")
    members, directory_bytes, length = struct.unpack("<10xHI4xH", tail[at : at + _END_BYTES])
    comment = tail[at + _END_BYTES :]
    if len(comment) != length:
        raise InputError(f"{len(comment)} bytes after the end of the zip file, which says {length}")
    if len(comment) == _LENGTH and not _SEAL.fullmatch(comment):
        raise InputError("a damaged checksum")
    locator, end64 = at - _LOCATOR_BYTES, at - _LOCATOR_BYTES - _END64_BYTES
    if end64 >= 0 and tail[locator:at].startswith(_LOCATOR) and tail[end64:locator].startswith(_END64):
        members, directory_bytes = struct.unpack("<32xQQ8x", tail[end64:locator])
    return Ending(members, directory_bytes, comment, size)


def check_seal(file: IO[bytes], ending: Ending) -> None:
    """Compare a sealed file with its seal.

    Raises
    ------
    InputError
        If they differ. The text continues "found".
    """
    file.seek(0)
    digest, left = hashlib.sha256(), ending.size - _LENGTH
    while left > 0 and (chunk := file.read(min(_CHUNK_BYTES, left))):
        digest.update(chunk)
        left -= len(chunk)
    if _HEAD + digest.hexdigest().encode() != ending.comment:
        raise InputError("a checksum that differs from the content: it was damaged or edited")


def seal(unsealed: bytes) -> bytes:
    """Return a zip file without a comment, sealed."""
    head = unsealed[:-2] + struct.pack("<H", _LENGTH)
    return head + _HEAD + hashlib.sha256(head).hexdigest().encode()
