"""Which files of a folder are raw scans, and which belong to one: by their names alone, nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from difsims_core.experiment.open_scan import raw_scan_name
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.families import SCAN_READERS

REFERENCE_ENDINGS = ("mask.npy", "dark.npy", "gain.npy")
"""Of the detector's own files: roi_7_mask.npy, gain.npy."""


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
        own = files.setdefault(name, {name, *_masks(name, there)})
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


def _masks(name: str, there: set[str]) -> Iterator[str]:
    for stem in {PurePosixPath(name).stem, raw_scan_name(name)}:
        if (mask := f"{stem}_mask.npy") in there:
            yield mask
