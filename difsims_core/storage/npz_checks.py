"""What single arrays of npz files must be; every failure is an ``ExperimentError`` with file, expected and found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from difsims_core.errors import ExperimentError

_LEAST_OF_CONTRAST = 1e-3
_ROUNDING = 1e-12  # of the largest number of a row: less is what float64 makes of a constant
_LAST_CHARACTER = 0x10FFFF


def axis(url: str | Path, x: np.ndarray, key: str = "x") -> np.ndarray:
    """Return a q axis as float64 if it is a row of at least two increasing numbers."""
    with np.errstate(over="ignore"):
        x = real(url, key, x).astype(np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise ExperimentError(f"{url}: expected {key} of shape (nq,), the q axis in Å⁻¹, found {x.shape}")
    if not np.isfinite(x).all():
        raise ExperimentError(f"{url}: {key} holds NaN or infinite values; expected the q axis in Å⁻¹, save it again")
    rising = x[1:] > x[:-1]
    if not rising.all():
        raise ExperimentError(f"{url}: {key} must increase, found a step back after {x[np.argmin(rising)]:g}; sort it")
    return x


def real(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return an array if it holds real numbers."""
    if values.dtype.kind not in "fiu":
        raise ExperimentError(f"{url}: expected real numbers in {key}, found dtype {values.dtype}; save it as float32")
    return values


def held_values(values: np.ndarray) -> np.ndarray:
    """Return rows of real numbers (…, n) as float32, or as float64 where float32 would lose what they say.

    That is where numbers lie beyond its range, or where all that a row says is small beside its largest number (an
    offset, or counts of more than 24 bits): rounding must stay below a thousandth of the contrast of each row.
    """
    if np.can_cast(values.dtype, np.float32):
        return np.ascontiguousarray(values, np.float32)
    usable = np.where(np.isfinite(values), values, np.nan) if values.dtype.kind == "f" else values
    limits = np.finfo(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (reduce(usable, axis=-1).astype(np.float64) for reduce in (np.fmin.reduce, np.fmax.reduce))
        size, contrast = np.maximum(np.abs(low), np.abs(high)), high - low
        rounding = size * float(limits.eps) + float(limits.smallest_subnormal)
        said = contrast > _ROUNDING * size
        lost = (size > float(limits.max)) | (said & (rounding > _LEAST_OF_CONTRAST * contrast))
        return np.ascontiguousarray(values, np.float64 if lost.any() else np.float32)


def single(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return real numbers as float32; those beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return real(url, key, values).astype(np.float32)


def flags(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return truth values."""
    if values.dtype.kind not in "biu":
        raise ExperimentError(f"{url}: expected {key} to be true or false, found dtype {values.dtype}; save it as bool")
    return values.astype(bool)


def texts(url: str | Path, key: str, values: np.ndarray) -> tuple[str, ...]:
    """Return a row of text."""
    if values.ndim != 1 or (values.dtype.kind != "U" and values.size):
        raise ExperimentError(f"{url}: expected {key} to be a row of text, found {values.shape} {values.dtype}")
    _check_characters(url, key, values)
    return tuple(str(value) for value in values)


def text(url: str | Path, key: str, value: np.ndarray) -> str:
    """Return a single text."""
    if value.size != 1 or value.dtype.kind != "U":
        raise ExperimentError(f"{url}: expected {key} to be one text, found {value.shape} {value.dtype}")
    _check_characters(url, key, value)
    return str(value.reshape(-1)[0])


def as_texts(values: tuple[str, ...]) -> np.ndarray:
    """Return texts as an array that needs no pickle."""
    return np.array(values, dtype=f"<U{max(map(len, values), default=1)}")


def _check_characters(url: str | Path, key: str, values: np.ndarray) -> None:
    """Refuse code points that are no characters: Python cannot make a text of them, or not write it."""
    codes = np.frombuffer(values.astype(values.dtype.newbyteorder("=")).tobytes(), np.uint32)
    if np.any((codes > _LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))):
        raise ExperimentError(f"{url}: {key} holds bytes that are no text; copy or make the file again")
