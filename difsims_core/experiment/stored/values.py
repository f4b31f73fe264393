"""Single values of metadata, of whatever type a file has them."""

from __future__ import annotations

import math

import numpy as np


def text(value: object) -> str:
    """Return a text; empty where there is none."""
    value = _plain(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").rstrip("\0")
    return value if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """Return a finite number, also one that is written as text; None where there is none."""
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str | bytes):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def truth(value: object) -> bool | None:
    """Return a truth value; None where there is none."""
    value = _plain(value)
    return value if isinstance(value, bool) else None


def _plain(value: object) -> object:
    """Return what NumPy wraps: a scalar, or an array of one."""
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.size == 1 else None
    return value
