"""Which files are raw scans, and which belong to one: by their names alone, nothing is opened."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from difsims_core.errors import InputError
from difsims_core.experiment.open_scan import raw_scan_name, scan_endings
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.readers.zarr import SUFFIXES
from difsims_core.families import SCAN_READERS
from difsims_core.storage.names import as_written, child_url, file_name, join_url, split_url
from difsims_core.storage.objects import expand_urls, files_in, open_store

_MASK = "mask.npy"
REFERENCE_ENDINGS = (_MASK, "dark.npy", "gain.npy")
"""Of the detector's own files: roi_7_mask.npy, gain.npy."""


def raw_scans(patterns: Iterable[str | Path]) -> list[str]:
    """Return the raw scans that paths, URLs, globs and folders stand for, each once; a Zarr group is one of them.

    Raises
    ------
    InputError
        If one of them stands for nothing, or a folder holds no file of a known format.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        scheme, path = split_url(pattern)
        if path.lower().rstrip("/").endswith(SUFFIXES) and not glob.has_magic(path):
            found[as_written(join_url(scheme, path.rstrip("/")))] = None
        elif str(pattern).endswith("/") or (scheme == "file" and Path(path).is_dir()):
            found.update(dict.fromkeys(_scans_in(str(pattern))))
        else:
            found.update(dict.fromkeys(expand_urls([pattern], "")))
    return list(found)


def _scans_in(folder: str) -> list[str]:
    files: list[str] = []
    with suppress(InputError):  # it may hold nothing but Zarr groups
        files = [file_name(url) for url in files_in(folder, "")]
    groups = [name for name in open_store(folder).folders() if name.lower().endswith(SUFFIXES)]
    found = sorted([*scans_among(files), *groups])
    if not found:
        raise InputError(f"{folder}: no raw scan in this folder", f"expected files {', '.join(scan_endings())}")
    return [as_written(child_url(folder, name)) for name in found]


def scans_among(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return which files of one folder are raw scans, and all files that each consists of, itself among them.

    >>> scans_among(["a.mib", "a.hdr", "a_mask.npy", "b_000.tvips", "b_001.tvips", "notes.txt"])
    {'a.mib': ('a.hdr', 'a.mib', 'a_mask.npy'), 'b_000.tvips': ('b_000.tvips', 'b_001.tvips')}
    """
    readers = [SCAN_READERS[known]() for known in SCAN_READERS.names()]
    there = set(names)
    files: dict[str, set[str]] = {}
    owned: set[str] = set()
    for name in names:
        fitting = [reader for reader in readers if name.lower().endswith(reader.suffixes)]
        is_part = any(reader.is_part(name) for reader in readers)
        if not fitting or is_part or name.lower().endswith(REFERENCE_ENDINGS):
            continue
        own = files.setdefault(name, {name, *there.intersection(mask_names(name))})
        for reader in fitting:
            others = set(reader.beside(name, names)) - {name}
            own.update(others)
            if any(_rank(reader, other) < _rank(reader, name) for other in others):
                owned.add(name)
            owned.update(other for other in others if _rank(reader, name) <= _rank(reader, other))
    return {name: tuple(sorted(own)) for name, own in files.items() if name not in owned}


def _rank(reader: ScanReader, name: str) -> int:
    """Return which of the reader's endings a name has: of two files that belong together, the first is the scan."""
    ranks = (rank for rank, suffix in enumerate(reader.suffixes) if name.lower().endswith(suffix))
    return next(ranks, len(reader.suffixes))


def mask_names(name: str) -> tuple[str, ...]:
    """Return what the mask of a raw scan may be called: by its file, or by the experiment that it is.

    >>> mask_names("roi_7_master.h5")
    ('roi_7_master_mask.npy', 'roi_7_mask.npy')
    """
    stems = dict.fromkeys((PurePosixPath(name).stem, raw_scan_name(f"/{name}")))
    return tuple(f"{stem}_{_MASK}" for stem in stems)
