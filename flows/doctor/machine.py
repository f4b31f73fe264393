"""The machine at hand: processors, memory and disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn

_GIB = 2**30
_LITTLE_MEMORY = 2 * _GIB  # TensorFlow and one simulation
_LITTLE_DISK = 2 * _GIB  # a training copies its shards and its log there
_NO_DISK = _GIB // 4


@check("memory")
def memory(_context: DoctorContext) -> CheckResult | None:
    """Look how much memory is free, here and within the container."""
    free = free_memory()
    if free is None:
        return None
    found = f"{_size(free)} free, {_processors()} processors"
    if free < _LITTLE_MEMORY:
        return warn(found, "training needs about 2 GiB; stop other programs or use a larger machine")
    return ok(found)


@check("temporary folder")
def temporary_folder(_context: DoctorContext) -> CheckResult:
    """Look whether the folder for temporary files can be written, and its space."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"difsims")
    except OSError as error:
        return fail(f"cannot be written: {error}", "set TMPDIR to a folder with some GiB of space")
    folder = Path(tempfile.gettempdir())
    return space_in(folder, "set TMPDIR to a folder with more space, or clear it")


@check("kernel cache")
def kernel_cache(_context: DoctorContext) -> CheckResult:
    """Look whether compiled kernels can be kept; else every process compiles them anew."""
    import difsims_core.kernels

    beside = Path(difsims_core.kernels.__path__[0])
    own = os.environ.get("NUMBA_CACHE_DIR")
    for folder in [Path(own)] if own else [beside, Path.home() / ".cache"]:
        if os.access(_existing(folder), os.W_OK):
            return ok(f"can be written ({folder})")
    return warn(
        "no writable folder: each process compiles its kernels, which takes up to a minute",
        "set NUMBA_CACHE_DIR to a writable folder",
    )


def space_in(folder: Path, remedy: str) -> CheckResult:
    """Return whether there is room in a folder, or in the one where it will be made."""
    existing = _existing(folder)
    free = shutil.disk_usage(existing).free
    found = f"{_size(free)} free in {existing}"
    if free < _NO_DISK:
        return fail(found, remedy)
    return warn(found, remedy) if free < _LITTLE_DISK else ok(found)


def _existing(folder: Path) -> Path:
    return next(item for item in (folder, *folder.parents) if item.exists())


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the bytes that can be had, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    groups = Path("/sys/fs/cgroup")
    try:
        limit = int((groups / "memory.max").read_text())  # "max" where there is no limit
        free = min(free, limit - int((groups / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return free


def _size(n: int) -> str:
    return f"{n / _GIB:.1f} GiB"
