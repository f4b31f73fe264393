"""Arrays in npz files: read with every claim of the file checked first, written whole. Never a pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from difsims_core.errors import ExperimentError, InputError
from difsims_core.messages import first_line
from difsims_core.storage.npy import read_array
from difsims_core.storage.objects import local_copy, write_url

_MOST_NAMES = 20  # that an error lists


def read_members(
    url: str | Path, needed: Collection[str], optional: Collection[str] = (), *, shown: str | Path | None = None
) -> dict[str, np.ndarray]:
    """Return arrays of an npz file by key; optional ones when they are there. Errors call the file ``shown``.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it is not a whole zip file, a needed key is missing, or an array holds Python objects or another number of
        bytes than its header says. Nothing of the size that a header claims is allocated before that is known.
    """
    with local_copy(url) as path:
        try:
            with zipfile.ZipFile(path) as archive:
                return _read(shown or url, archive, needed, optional)
        except ExperimentError:
            raise
        except Exception as error:  # noqa: BLE001 - zipfile raises whatever bytes that are not what they claim lead to
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
        found = ", ".join(name if name.isprintable() else ascii(name) for name in list(names)[:_MOST_NAMES])
        raise ExperimentError(
            f"{url}: expected the keys {', '.join(needed)}, found {found or 'none'}; "
            f"save {', '.join(missing)} too (np.savez)"
        )
    arrays = {}
    for key in (*needed, *(key for key in optional if key in names)):
        with archive.open(names[key]) as member:
            try:
                arrays[key] = read_array(member, names[key].file_size)
            except InputError as error:
                raise ExperimentError(f"{url}: {key!r} {error}") from None
    return arrays


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
