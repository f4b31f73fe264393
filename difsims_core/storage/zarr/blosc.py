"""Blosc with its own zstd, whatever else a process has loaded: import it before Zarr.

TensorFlow shows its symbols to the whole process, another release of zstd among them. Blosc, when it is loaded later,
finds that one first, and the same rows become other bytes: 0.3 % of size, and a dataset that is not byte for byte what
another process would have written. ``RTLD_DEEPBIND`` (dlopen(3), glibc) makes a library prefer the symbols it brings.
It can go when TensorFlow keeps its zstd to itself (still so in 2.21; ``docs/decisions/blosc-loading.md``).
"""

from __future__ import annotations

import os
import sys

if hasattr(os, "RTLD_DEEPBIND"):
    _flags = sys.getdlopenflags()
    sys.setdlopenflags(_flags | os.RTLD_DEEPBIND)
    try:
        import numcodecs.blosc  # noqa: F401
    finally:
        sys.setdlopenflags(_flags)

from numcodecs import Blosc

__all__ = ["Blosc"]
