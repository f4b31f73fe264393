"""Arrays in npz files: read with every claim of the file checked first, written whole. Never a pickle."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from difsims_core.errors import ExperimentError
from difsims_core.messages import first_line
from difsims_core.storage.objects import local_copy, write_url

_BROKEN = (  # what zipfile and NumPy raise on bytes that are not what they claim
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
)
_LONGEST_HEADER = 100_000


def read_members(
    url: str | Path, needed: Collection[str], optional: Collection[str] = (), *, shown: str | Path | None = None
) -> dict[str, np.ndarray]:
    """Return arrays of an npz file by key; optional ones when they are there. Errors call the file ``shown``.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it is not a whole zip file, a needed key is missing, or an array holds Python objects or fewer bytes than
        its header says. Nothing of the size that a header claims is allocated before that is known.
    """
    with local_copy(url) as path:
        try:
            with zipfile.ZipFile(path) as archive:
                return _read(shown or url, archive, needed, optional)
        except ExperimentError:
            raise
        except _BROKEN as error:
            raise ExperimentError(
                f"{shown or url}: expected a whole npz file (zip of .npy arrays), found a damaged one "
                f"({first_line(error)[:200]}); copy or make it again"
            ) from None


def _read(
    url: str | Path, archive: zipfile.ZipFile, needed: Collection[str], optional: Collection[str]
) -> dict[str, np.ndarray]:
    names = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    missing = [key for key in needed if key not in names]
    if missing:
        raise ExperimentError(
            f"{url}: expected the keys {', '.join(needed)}, found {', '.join(names) or 'none'}; "
            f"save {', '.join(missing)} too (np.savez)"
        )
    arrays = {}
    for key in (*needed, *(key for key in optional if key in names)):
        with archive.open(names[key]) as member:
            shape, dtype = _header(url, key, member)
        if dtype.hasobject:
            raise ExperimentError(
                f"{url}: {key!r} holds Python objects, which are never unpickled; save plain numbers or text, all rows "
                "of the same length"
            )
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize
        if size > names[key].file_size:
            raise ExperimentError(
                f"{url}: {key!r} claims {shape} {dtype}, {size} bytes, but the file holds {names[key].file_size}; it "
                "is truncated, copy it again"
            )
        with archive.open(names[key]) as member:
            arrays[key] = npy.read_array(member, allow_pickle=False)
    return arrays


def _header(url: str | Path, key: str, member: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(member, max_header_size=_LONGEST_HEADER)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(member, max_header_size=_LONGEST_HEADER)
    else:
        raise ExperimentError(f"{url}: {key!r} is in the npy format {version}; expected 1.0 or 2.0, save it with NumPy")
    return shape, dtype


def write_members(url: str | Path, arrays: Mapping[str, Any]) -> bytes:
    """Write arrays to an npz file, whole or not at all; return its bytes. The same arrays make the same bytes."""
    buffer = io.BytesIO()
    plain = {key: np.asarray(value) for key, value in arrays.items()}
    held = [key for key, value in plain.items() if value.dtype.hasobject]
    if held:
        raise ExperimentError(f"{url}: {', '.join(held)} would need a pickle; give plain numbers or text")
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in plain.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, value, allow_pickle=False)
    data = buffer.getvalue()
    write_url(url, data)
    return data
