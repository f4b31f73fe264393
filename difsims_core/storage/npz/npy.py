"""One array in NumPy's npy format: its header is matched, never evaluated, and nothing allocated on its word alone."""

from __future__ import annotations

import math
import re
import struct
from typing import IO

import numpy as np

from difsims_core.errors import InputError

_MAGIC = b"\x93NUMPY"
_LENGTH = {(1, 0): "<H", (2, 0): "<I"}  # how the length of the header is written, by version of the format
_LONGEST_HEADER = 65_535
_MOST_EMPTY_TEXTS = 2**20
_CHUNK_BYTES = 2**24

# What numpy.save writes for numbers and text: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
_ENTRY = r"""['"](?:descr|fortran_order|shape)['"]\s*:\s*(?:['"][^'"]{1,30}['"]|True|False|\([\d\sL,]*\))"""
_HEADER = re.compile(rf"\{{\s*{_ENTRY}\s*,\s*{_ENTRY}\s*,\s*{_ENTRY}(?:\s*,)?\s*\}}\s*")
_ENTRIES = {
    "descr": re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]+)['"]"""),
    "fortran_order": re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)"""),
    "shape": re.compile(r"""['"]shape['"]\s*:\s*\(([\d\sL,]*)\)"""),
}
_TYPE = re.compile(r"[<>|=]?(?:b1|[iufcSUV]\d{1,9}|[mM]8(?:\[\d{0,9}[a-zA-Z]{1,2}\])?)")
_OBJECTS = re.compile(r"[<>|=]?O\d?")
_EDGE = re.compile(r"\s*(\d{1,18})L?\s*")  # Python 2 wrote 3L


def read_array(stream: IO[bytes], n_bytes: int) -> np.ndarray:
    """Read one array of numbers or text from a stream of ``n_bytes`` bytes, to its end.

    Raises
    ------
    InputError
        If the header is none, or the array holds Python objects or is not as long as its header says. The text starts
        with a verb; whoever knows the name of the array puts it before.
    """
    shape, dtype, fortran_order, left = read_header(stream, n_bytes)
    if dtype.itemsize == 0 and math.prod(shape) > _MOST_EMPTY_TEXTS:  # no bytes would bound them
        raise InputError(f"claims {shape} texts of no letters", "save texts with letters")
    size = math.prod(shape) * dtype.itemsize
    if size != left:
        wrong = "it is truncated" if size > left else "something was added to it"
        raise InputError(f"claims {shape} {dtype}, {size} bytes, but holds {max(left, 0)}", f"{wrong}, copy it again")
    data = bytearray()
    while len(data) < size:
        chunk = stream.read(min(_CHUNK_BYTES, size - len(data)))
        if not chunk:
            raise InputError(f"claims {shape} {dtype}, {size} bytes, but ends after {len(data)}; it is truncated")
        data += chunk
    if stream.read(1):  # a member of a zip file is compared with its checksum at its end
        raise InputError(f"goes on after the {size} bytes of {shape} {dtype}", "copy it again")
    try:
        return np.ndarray(shape, dtype, buffer=data, order="F" if fortran_order else "C")
    except (ValueError, TypeError, OverflowError, MemoryError):
        raise InputError(f"claims the impossible shape {shape} of {dtype}", "save it with NumPy again") from None


def read_header(stream: IO[bytes], n_bytes: int) -> tuple[tuple[int, ...], np.dtype, bool, int]:
    """Return shape, type, whether the first axis runs fastest, and how many bytes are left for the values.

    Raises
    ------
    InputError
        If it is no header of an array of numbers or text; the text starts with a verb.
    """
    start = stream.read(8)
    version = (start[6], start[7]) if len(start) == 8 and start.startswith(_MAGIC) else None
    if version is None:
        raise InputError(f"is no array in NumPy's format (it begins with {start!r})", "save it with NumPy")
    if version not in _LENGTH:
        raise InputError(f"is in the npy format {version[0]}.{version[1]}", "expected 1.0 or 2.0, save it with NumPy")
    layout = _LENGTH[version]
    raw = stream.read(struct.calcsize(layout))
    length = struct.unpack(layout, raw)[0] if len(raw) == struct.calcsize(layout) else 0
    text = stream.read(length).decode("latin-1") if length <= _LONGEST_HEADER else ""
    found = {key: pattern.findall(text) for key, pattern in _ENTRIES.items()} if _HEADER.fullmatch(text) else {}
    if not found or any(len(values) != 1 for values in found.values()):
        raise InputError(
            f"has the header {text.strip()[:80]!r}, which is not that of an array of numbers or text",
            "save it with NumPy again",
        )
    shape, dtype = _shape(found["shape"][0]), _dtype(found["descr"][0])
    return shape, dtype, found["fortran_order"][0] == "True", n_bytes - 8 - len(raw) - length


def _shape(text: str) -> tuple[int, ...]:
    edges = text.split(",")
    if not edges[-1].strip():
        edges.pop()
    matched = [_EDGE.fullmatch(edge) for edge in edges]
    if not all(matched):
        raise InputError(f"has the shape {text.strip()[:80]!r}, which is none", "save it with NumPy again")
    return tuple(int(match[1]) for match in matched if match)


def _dtype(text: str) -> np.dtype:
    if _OBJECTS.fullmatch(text):
        raise InputError(
            "holds Python objects, which are never unpickled", "save plain numbers or text, all rows of the same length"
        )
    try:
        if _TYPE.fullmatch(text):
            return np.dtype(text)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"has the type {text!r}, which is none of numbers or text", "save it with NumPy again")
