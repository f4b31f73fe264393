"""What is used of orix: loaded by the first use of one of these names, as it takes two seconds (plots come along).

Who annotates types imports them from orix under ``TYPE_CHECKING``; who works with orix in all of a module imports the
names from here, and is itself imported where it is used.

The first process on a new installation compiles orix, the others wait for it. Orix keeps its compiled functions on
disk. Two processes that compile them at once can each find half of what the other has written, and one of eight then
dies of a segmentation fault: two workers on a new machine, or two runs. A mark beside the compiled functions says that
they are all there, and from then on nobody waits.
"""

from __future__ import annotations

import os
import platform
import tempfile
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from difsims_core.errors import InputError
from difsims_core.private_folders import make_private

if TYPE_CHECKING:
    from orix.crystal_map import Phase
    from orix.quaternion import Orientation, Rotation
    from orix.quaternion.symmetry import Symmetry, get_point_group
    from orix.sampling import get_sample_fundamental

    POINT_GROUPS: list[Symmetry]

__all__ = ["POINT_GROUPS", "Orientation", "Phase", "Rotation", "Symmetry", "get_point_group", "get_sample_fundamental"]

_HOMES = {
    "POINT_GROUPS": ("orix.quaternion.symmetry", "_groups"),  # orix 0.15 has no public list of them
    "Orientation": ("orix.quaternion", "Orientation"),
    "Phase": ("orix.crystal_map", "Phase"),
    "Rotation": ("orix.quaternion", "Rotation"),
    "Symmetry": ("orix.quaternion.symmetry", "Symmetry"),
    "get_point_group": ("orix.quaternion.symmetry", "get_point_group"),
    "get_sample_fundamental": ("orix.sampling", "get_sample_fundamental"),
}
_COMPILE_SECONDS = 300
_USER = getattr(os, "getuid", int)()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _compile_once()
    module, attribute = _HOMES[name]
    globals()[name] = found = getattr(import_module(module), attribute)
    return found


def _folder() -> Path:
    """Return where Numba keeps the compiled functions of orix, or one of the same user where it cannot be known."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    found = find_spec("orix")
    beside = Path(found.origin).parent / "__pycache__" if found and found.origin else Path()
    shared, private = Path(own) if own else beside, Path(tempfile.gettempdir()) / f"difsims-{_USER}"
    with suppress(OSError):
        shared.mkdir(parents=True, exist_ok=True)
        if os.access(shared, os.W_OK):
            return shared
    with suppress(OSError, InputError):  # somebody else has made it
        make_private(private)
        return private
    return Path(tempfile.gettempdir())


def _compile() -> None:
    """Load orix, and call what it compiles on its first call only."""
    from orix.quaternion import Rotation
    from orix.vector import Vector3d

    turn = Rotation.identity()
    _ = ~turn * turn * Vector3d.xvector()


def _compile_once() -> None:
    name = f"difsims-orix-{version('orix')}-numba-{version('numba')}-{platform.python_version()}-{platform.node()}"
    mark = _folder() / name
    if mark.exists():
        return
    try:
        with FileLock(f"{mark}.lock", timeout=_COMPILE_SECONDS):
            _compile()
            mark.touch()
    except OSError:  # nowhere to write, or somebody is stuck: compile as everybody else would
        _compile()
