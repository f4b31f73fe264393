"""What single arrays of npz files must be; every failure is an ``ExperimentError`` with file, expected and found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from difsims_core.errors import ExperimentError


def axis(url: str | Path, x: np.ndarray) -> np.ndarray:
    """Return a q axis as float64 if it is a row of at least two increasing numbers."""
    x = real(url, "x", x).astype(np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise ExperimentError(f"{url}: expected x of shape (nq,), the q axis in Å⁻¹, found {x.shape}")
    if not np.isfinite(x).all():
        raise ExperimentError(f"{url}: x holds NaN or infinite values; expected the q axis in Å⁻¹, save it again")
    if not (np.diff(x) > 0).all():
        raise ExperimentError(
            f"{url}: x must increase, found a step back after {x[np.argmin(np.diff(x) > 0)]:g}; sort it"
        )
    return x


def real(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return an array if it holds real numbers."""
    if values.dtype.kind not in "fiu":
        raise ExperimentError(f"{url}: expected real numbers in {key}, found dtype {values.dtype}; save it as float32")
    return values


def texts(url: str | Path, key: str, values: np.ndarray) -> tuple[str, ...]:
    """Return a row of text."""
    if values.ndim != 1 or (values.dtype.kind != "U" and values.size):
        raise ExperimentError(f"{url}: expected {key} to be a row of text, found {values.shape} {values.dtype}")
    return tuple(str(value) for value in values)


def text(url: str | Path, key: str, value: np.ndarray) -> str:
    """Return a single text."""
    if value.size != 1 or value.dtype.kind != "U":
        raise ExperimentError(f"{url}: expected {key} to be one text, found {value.shape} {value.dtype}")
    return str(value.reshape(-1)[0])


def as_texts(values: tuple[str, ...]) -> np.ndarray:
    """Return texts as an array that needs no pickle."""
    return np.array(values, dtype=f"<U{max(map(len, values), default=1)}")
