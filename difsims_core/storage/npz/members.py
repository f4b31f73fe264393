"""Arrays in npz files: read with every claim of the file checked first, written whole and sealed. Never a pickle."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from difsims_core.errors import ExperimentError, InputError
from difsims_core.messages import first_line, printable
from difsims_core.storage.npz.checks import memory_for
from difsims_core.storage.npz.limits import NpzLimits, npz_limits
from difsims_core.storage.npz.npy import read_array
from difsims_core.storage.npz.seal import check_seal, read_ending, seal
from difsims_core.storage.objects import local_copy, read_url, write_url

_MOST_NAMES = 20  # that an error lists


def read_members(
    url: str | Path,
    needed: Collection[str],
    optional: Collection[str] = (),
    *,
    limits: NpzLimits | None = None,
    shown: str | Path | None = None,
) -> dict[str, np.ndarray]:
    """Return arrays of an npz file by key; optional ones when they are there. A seal (`npz_seal`) must be right.

    Parameters
    ----------
    url
        The file.
    needed, optional
        Keys.
    limits
        How much it may hold; default: those of the environment.
    shown
        What errors call the file; default: ``url``.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it is not a whole zip file, differs from its seal, breaks the limits, a needed key is missing, or an array
        holds Python objects or another number of bytes than its header says. Nothing of the size that a header claims
        is allocated before that is known.
    """
    with local_copy(url) as path, path.open("rb") as file:
        return members_of(file, needed, optional, limits=limits, shown=shown or url)


def members_of(
    file: IO[bytes],
    needed: Collection[str],
    optional: Collection[str] = (),
    *,
    limits: NpzLimits | None = None,
    shown: str | Path,
) -> dict[str, np.ndarray]:
    """Return arrays of an npz file that is open, as `read_members`."""
    limits = limits or npz_limits()
    try:
        with memory_for(shown):
            return _read(shown, file, needed, optional, limits)
    except ExperimentError:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile raises whatever bytes that are not what they claim lead to
        raise ExperimentError(
            f"{shown}: expected a whole npz file (zip of .npy arrays), found a damaged one "
            f"({printable(first_line(error)[:200])})",
            "copy or make it again",
        ) from None


def is_sealed(url: str | Path) -> bool:
    """Return whether a file ends with the seal of an npz file; `read_members` compares it.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    """
    with local_copy(url) as path, path.open("rb") as file:
        try:
            return read_ending(file).sealed
        except InputError:
            return False


def seal_members(url: str | Path) -> bool:
    """Seal a whole npz file that carries no seal, all else as it is; return False when it carries one.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it ends with a comment of another kind, or is no whole zip file.
    """
    data = read_url(url)
    with _said_of(url):
        ending = read_ending(io.BytesIO(data))
        if ending.comment and not ending.sealed:
            raise InputError("the zip file ends with a comment of its own", "save the arrays again (np.savez)")
    if not ending.sealed:
        write_url(url, seal(data))
    return not ending.sealed


def write_members(url: str | Path, arrays: Mapping[str, Any]) -> bytes:
    """Write arrays to an npz file, sealed, whole or not at all; return its bytes.

    The same arrays make the same bytes.
    """
    buffer = io.BytesIO()
    plain = {key: np.asarray(value) for key, value in arrays.items()}
    held = [key for key, value in plain.items() if value.dtype.hasobject]
    if held:
        raise ExperimentError(f"{url}: {', '.join(held)} would need a pickle", "give plain numbers or text")
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in plain.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, value, allow_pickle=False)
    data = seal(buffer.getvalue())
    write_url(url, data)
    return data


def _read(
    url: str | Path,
    file: IO[bytes],
    needed: Collection[str],
    optional: Collection[str],
    limits: NpzLimits,
) -> dict[str, np.ndarray]:
    ending = read_ending(file)
    if ending.sealed:
        check_seal(file, ending)
    with _said_of(url):
        limits.check_directory(ending.directory_bytes, ending.members)
    with zipfile.ZipFile(file) as archive:
        found = archive.infolist()
        with _said_of(url):
            limits.check_directory(ending.directory_bytes, len(found))
        names = _by_key(url, found)
        missing = [key for key in needed if key not in names]
        if missing:
            raise ExperimentError(
                f"{url}: expected the keys {', '.join(needed)}, found {_listed(names)}",
                f"save {', '.join(missing)} too (np.savez)",
            )
        wanted = {key: names[key] for key in (*needed, *(key for key in optional if key in names))}
        with _said_of(url):
            limits.check_members(wanted.values(), ending.size)
        return {key: _array(url, archive, key, info) for key, info in wanted.items()}


def _by_key(url: str | Path, found: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    names: dict[str, zipfile.ZipInfo] = {}
    for info in found:
        key = info.filename.removesuffix(".npy")
        if key in names:
            raise ExperimentError(f"{url}: holds {printable(key)!r} twice", "expected each key once, save it again")
        names[key] = info
    return names


def _array(url: str | Path, archive: zipfile.ZipFile, key: str, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        try:
            return read_array(member, info.file_size)
        except InputError as error:
            raise ExperimentError(f"{url}: {key!r} {error.problem}", error.remedy) from None


@contextmanager
def _said_of(url: str | Path) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise ExperimentError(f"{url}: {error.problem}", error.remedy) from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(printable(name) for name in list(names)[:_MOST_NAMES]) or "none"
