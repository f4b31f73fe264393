"""How kernels are compiled: without the GIL, and kept on disk until any kernel changes.

Numba's own cache looks at the file of a function alone, so that a change in a kernel that it calls goes unseen ("cache
invalidation fails to recognize changes in functions defined in a different file", numba's manual). Here the stamp of a
cached kernel covers the text of all of them. It stands where Numba expects its own version, which is compared before
anything else of a cache is read: the rest may name a type that is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
from numba import njit


def _stamp() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_STAMP = _stamp()


def kernel(function: Callable[..., Any] | None = None, *, inline: bool = False) -> Any:
    """Compile a function on its first call; ``inline`` copies it into its callers.

    A division by zero gives infinity or NaN, as in NumPy: the check of Python keeps loops from being vectorised.
    """
    if function is None:
        return partial(kernel, inline=inline)
    dispatcher: Any = njit(nogil=True, error_model="numpy", inline="always" if inline else "never")(function)
    try:
        dispatcher.enable_caching()
    except RuntimeError:  # no folder to write to: an installation without a home; compile in every process
        return dispatcher
    dispatcher._cache._cache_file._version = _STAMP
    return dispatcher
