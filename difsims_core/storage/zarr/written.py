"""What is known of rows that were written: checksums of the rows, and of the object that holds them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


def checksum(rows: np.ndarray) -> str:
    """Return the SHA-256 of the bytes of rows, little-endian, C order."""
    little = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()


@dataclass(frozen=True, slots=True)
class Written:
    """One array of a written block: SHA-256 and shape of its rows, SHA-256 and size of the object that holds them."""

    checksum: str
    shape: list[int]
    sha256: str
    size: int

    @classmethod
    def of(cls, rows: np.ndarray, data: bytes) -> Written:
        """Return what is known of rows and their object."""
        return cls(checksum(rows), list(rows.shape), hashlib.sha256(data).hexdigest(), len(data))
