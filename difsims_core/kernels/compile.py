"""How kernels are compiled: without the GIL, and kept on disk until any kernel changes.

Numba's own cache looks at the file of a function alone, so that a change in a kernel that it calls goes unseen ("cache
invalidation fails to recognize changes in functions defined in a different file", numba's manual). Here the stamp of a
cached kernel covers the text of all of them. It stands where Numba expects its own version, which is compared before
anything else of a cache is read: the rest may name a type that is gone.

What is compiled, and not found on disk, is logged: it takes a minute on the first run of an installation.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.event import Event, Listener
from numba.core.event import register as register_listener

_log = logging.getLogger(__name__)


def _stamp() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Compilations(Listener):
    """Logs each kernel whose compilation begins, once, for however many types of its arguments.

    Attributes
    ----------
    kernels : set of callable
        Those that can be compiled, of the modules that are loaded.
    begun : set of callable
        Those whose compilation has begun in this process.
    """

    def __init__(self) -> None:
        self.kernels: set[Callable[..., Any]] = set()
        self.begun: set[Callable[..., Any]] = set()

    def on_start(self, event: Event) -> None:
        """Log the kernel that an event of Numba's compiler is about."""
        data: Any = event.data
        function = data["dispatcher"].py_func
        if function not in self.kernels - self.begun:
            return  # another package's, or a function of Numba that a kernel calls
        self.begun.add(function)
        number, most = len(self.begun), len(self.kernels)
        _log.info(
            "compiling kernel %d of at most %d: %s",
            number, most, function.__name__, extra={"number": number, "most": most},
        )  # fmt: skip

    def on_end(self, event: Event) -> None:
        """Leave the end of a compilation alone."""


_STAMP = _stamp()
_compilations = _Compilations()
register_listener("numba:compile", _compilations)


def compiled_here() -> int:
    """Return how many kernels this process has compiled, those that it found on disk excluded."""
    return len(_compilations.begun)


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False) -> Any:
    """Compile a function on its first call; ``inline`` copies it into its callers.

    A division by zero gives infinity or NaN, as in NumPy: the check of Python keeps loops from being vectorised.
    """
    if function is None:
        return partial(kernel, inline=inline)
    dispatcher: Any = njit(nogil=True, error_model="numpy", inline="always" if inline else "never")(function)
    if not inline:
        _compilations.kernels.add(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # no folder to write to: an installation without a home; compile in every process
        return dispatcher
    dispatcher._cache._cache_file._version = _STAMP
    return dispatcher
