"""Files that a parameter document names: looked for beside the document first."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from difsims_core.config.class_names import class_name, file_spellings

_PATHS = {"cif", "crystal_folder", "dark", "file", "gain", "location", "mask", "truth_folder"}
_SCANS = {"experiments", "raw_scans"}
_MOST_NAMED = 2  # parts of a path with {phase} in them: a folder and a file


def with_files_beside(value: Any, folder: Path) -> Any:
    """Return plain values of a document whose relative paths are absolute where something lies there beside it."""
    if isinstance(value, Mapping):
        return {key: _entry(key, item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [with_files_beside(item, folder) for item in value]
    return value


def _entry(key: Any, item: Any, folder: Path) -> Any:
    if key in _PATHS and isinstance(item, str):
        return _found(item, folder) or item
    if key in _SCANS and isinstance(item, list):
        return [_scans(scan, folder) for scan in item]
    if key == "phase":
        return _phase(item, folder)
    if key == "phases" and isinstance(item, list):
        return [_phase(phase, folder) for phase in item]
    if key == "sweep" and isinstance(item, Mapping):
        return {axis: _axis(str(axis), values, folder) for axis, values in item.items()}
    return with_files_beside(item, folder)


def _axis(name: str, values: Any, folder: Path) -> Any:
    """Return the values of an axis of a sweep, whose name holds one dotted key or several."""
    keys = [key.strip().rpartition(".")[2] for key in name.split(",")]
    if not isinstance(values, list):
        return values
    if len(keys) == 1:
        return [_entry(keys[0], value, folder) for value in values]
    return [
        [_entry(key, part, folder) for key, part in zip(keys, value, strict=True)]
        if isinstance(value, list) and len(value) == len(keys)
        else value
        for value in values
    ]


def _phase(phase: Any, folder: Path) -> Any:
    """Return a phase; a file that its bare name stands for is looked for here, a plain name in the crystal folder."""
    if not isinstance(phase, str):
        return with_files_beside(phase, folder)
    if phase.lower().endswith(".cif"):
        return _found(phase, folder) or phase
    return phase if class_name(phase) == phase else _found(f"{phase}.cif", folder) or phase


def _scans(pattern: Any, folder: Path) -> Any:
    """Return the scans that a relative path or a glob finds beside the document; else it as it is."""
    if not isinstance(pattern, str) or _is_elsewhere(pattern):
        return pattern
    parts = pattern.split("/")
    wild = next((position for position, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    beside = "**" not in parts and ".." not in parts[wild:] and glob.glob(pattern, root_dir=folder)  # noqa: PTH207
    return os.path.normpath(folder / pattern) if beside else pattern


def _is_elsewhere(path: str) -> bool:
    return not path or "://" in path or "\0" in path or path.startswith(("/", "~"))


def _found(path: str, folder: Path) -> str | None:
    """Return where a path lies beside the document, if it does; ``{phase}`` in it stands for any name."""
    if _is_elsewhere(path):
        return None
    parts = path.split("/")
    named = [i for i, part in enumerate(parts) if "{phase}" in part]
    if len(named) > _MOST_NAMED or (named and ".." in parts[named[0] :]):
        return None  # a folder could be walked through again and again
    for spelling in file_spellings(path):
        if glob.glob(glob.escape(spelling).replace("{phase}", "*"), root_dir=folder):  # noqa: PTH207 - root_dir
            return str((folder / spelling).absolute())
    return None
