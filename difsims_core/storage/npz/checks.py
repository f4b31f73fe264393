"""What single arrays of npz files must be; every failure is an ``ExperimentError`` with file, expected and found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from difsims_core.errors import ExperimentError

_LEAST_OF_CONTRAST = 1e-3
_ROUNDING = 1e-12  # of the largest number of a row: less is what float64 makes of a constant
_LAST_CHARACTER = 0x10FFFF
_MOST_TEXTS = 10_000  # such as the datasets behind a model
_LONGEST_TEXT = 10_000  # characters, such as the URL of a scan
_MOST_CHARACTERS = 10_000_000  # of a row of texts, each as long as the longest
_LONGEST_CLASS_NAME = 200
_FROM_ONE = 1e-3  # that probabilities of half precision may be
_BELOW_ZERO = 1e-6  # that the rounding of 1 − p may be
_LARGEST_STEP_NM = 1e6
_MOST_BITS = 255
_PIXELS_AT_ONCE = 2**20


@contextmanager
def memory_for(url: str | Path) -> Iterator[None]:
    """Say of which file it is when there is not enough memory for it."""
    try:
        yield
    except MemoryError:
        raise ExperimentError(
            f"{url}: reading it needs more memory than there is",
            "save less in one file, or read it where there is more",
        ) from None


def axis(url: str | Path, x: np.ndarray, key: str = "x") -> np.ndarray:
    """Return a q axis as float64 if it is a row of at least two increasing numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = real(url, key, x).astype(np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise ExperimentError(f"{url}: expected {key} of shape (nq,), the q axis in Å⁻¹, found {x.shape}")
    if not np.isfinite(x).all():
        raise ExperimentError(f"{url}: {key} holds NaN or infinite values", "expected the q axis in Å⁻¹, save it again")
    rising = x[1:] > x[:-1]
    if not rising.all():
        raise ExperimentError(
            f"{url}: {key} must increase, found a step back after {x[np.argmin(rising)]:g}", "sort it"
        )
    return x


def real(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return an array if it holds real numbers."""
    if values.dtype.kind not in "fiu":
        raise ExperimentError(
            f"{url}: expected real numbers in {key}, found dtype {values.dtype}", "save it as float32"
        )
    return values


def held_values(values: np.ndarray) -> np.ndarray:
    """Return rows of real numbers (…, n) as float32, or as float64 where float32 would lose what they say.

    That is where numbers lie beyond its range, or where all that a row says is small beside its largest number (an
    offset, or counts of more than 24 bits): rounding must stay below a thousandth of the contrast of each row.
    """
    if np.can_cast(values.dtype, np.float32):
        with np.errstate(invalid="ignore"):  # NaN of every kind
            return np.ascontiguousarray(values, np.float32)
    usable = np.where(np.isfinite(values), values, np.nan) if values.dtype.kind == "f" else values
    limits = np.finfo(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (reduce(usable, axis=-1).astype(np.float64) for reduce in (np.fmin.reduce, np.fmax.reduce))
        size, contrast = np.maximum(np.abs(low), np.abs(high)), high - low
        rounding = size * float(limits.eps) + float(limits.smallest_subnormal)
        distinct = contrast > _ROUNDING * size
        lost = (size > float(limits.max)) | (distinct & (rounding > _LEAST_OF_CONTRAST * contrast))
        return np.ascontiguousarray(values, np.float64 if lost.any() else np.float32)


def single(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return real numbers as float32; those beyond its range become infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return real(url, key, values).astype(np.float32)


def flags(url: str | Path, key: str, values: np.ndarray) -> np.ndarray:
    """Return truth values."""
    if values.dtype.kind not in "biu":
        raise ExperimentError(
            f"{url}: expected {key} to be true or false, found dtype {values.dtype}", "save it as bool"
        )
    return values.astype(bool)


def bits(url: str | Path, key: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return flags of eight bits, one number for each scan position."""
    if values.dtype.kind not in "iu" or values.shape != shape:
        raise ExperimentError(
            f"{url}: expected {key} of shape {shape}, an integer for each profile, found {values.shape} {values.dtype}",
            f"cut and save {key} together with the profiles, or leave {key} out",
        )
    if not 0 <= int(values.min()) <= int(values.max()) <= _MOST_BITS:
        raise ExperimentError(
            f"{url}: expected {key} from 0 to {_MOST_BITS}, found {values.min()} … {values.max()}",
            f"save {key} as uint8, or leave it out",
        )
    return values.astype(np.uint8)


def quaternions(url: str | Path, values: np.ndarray) -> np.ndarray:
    """Return orientations (…, 4) as unit quaternions, float64; four NaN where there is none."""
    turns = real(url, "orientation", values).astype(np.float64)
    if turns.ndim < 1 or turns.shape[-1] != 4:
        raise ExperimentError(f"{url}: expected orientation of shape (…, 4), quaternions, found {turns.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(turns, axis=-1, keepdims=True)
        wrong = ~(np.abs(length - 1) <= _FROM_ONE) & ~np.isnan(turns).all(axis=-1, keepdims=True)
    if wrong.any():
        raise ExperimentError(
            f"{url}: expected unit quaternions (w, x, y, z) in orientation, found one of length {length[wrong][0]:g}",
            "predict the experiment again",
        )
    return turns / length


def grain_numbers(url: str | Path, values: np.ndarray) -> np.ndarray:
    """Return the numbers of grains, −1 where there is none, as int32."""
    limit = np.iinfo(np.int32).max
    if values.dtype.kind not in "iu":
        raise ExperimentError(f"{url}: expected integers in grain, found dtype {values.dtype}", "save it as int32")
    if values.size and not -1 <= int(values.min()) <= int(values.max()) <= limit:
        raise ExperimentError(f"{url}: expected grain from −1 to {limit}, found {values.min()} … {values.max()}")
    return values.astype(np.int32)


def texts(url: str | Path, key: str, values: np.ndarray) -> tuple[str, ...]:
    """Return a row of text."""
    if values.ndim != 1 or (values.dtype.kind != "U" and values.size):
        raise ExperimentError(f"{url}: expected {key} to be a row of text, found {values.shape} {values.dtype}")
    if values.size > _MOST_TEXTS:
        raise ExperimentError(f"{url}: expected {_MOST_TEXTS:,} texts in {key} at most, found {values.size:,}")
    _check_characters(url, key, values)
    return tuple(str(value) for value in values)


def text(url: str | Path, key: str, value: np.ndarray) -> str:
    """Return a single text."""
    if value.size != 1 or value.dtype.kind != "U":
        raise ExperimentError(f"{url}: expected {key} to be one text, found {value.shape} {value.dtype}")
    _check_characters(url, key, value)
    return str(value.reshape(-1)[0])


def scan_step(url: str | Path, value: np.ndarray) -> float:
    """Return the distance of neighbouring scan positions, nm."""
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise ExperimentError(f"{url}: expected scan_step_nm to be one number, found {value.shape} {value.dtype}")
    step = float(value.reshape(-1)[0])
    if not 0 < step <= _LARGEST_STEP_NM:
        raise ExperimentError(
            f"{url}: expected scan_step_nm from 0 to {_LARGEST_STEP_NM:g}, found {step:g}",
            "give it in nm, or leave it out",
        )
    return step


def as_texts(values: tuple[str, ...]) -> np.ndarray:
    """Return texts as an array that needs no pickle."""
    return np.array(values, dtype=f"<U{max(map(len, values), default=1)}")


def class_names(url: str | Path, key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of classes, each given once, in signs that can be shown."""
    for name in names:
        if not name.strip() or not name.isprintable() or len(name) > _LONGEST_CLASS_NAME:
            raise ExperimentError(
                f"{url}: expected each of {key} to be a name of 1 to {_LONGEST_CLASS_NAME} characters that can be "
                f"shown, found {name[:_LONGEST_CLASS_NAME]!a}",
                "rename the class",
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ExperimentError(f"{url}: expected {key} to name each class once, found {twice!r} again", "rename one")
    return names


def check_probabilities(url: str | Path, key: str, values: np.ndarray) -> None:
    """Refuse rows (…, n) that are no distributions: from 0 to 1, and 1 together."""
    rows = values.reshape(-1, values.shape[-1])
    for start in range(0, len(rows), _PIXELS_AT_ONCE):
        with np.errstate(invalid="ignore", over="ignore"):
            chunk = rows[start : start + _PIXELS_AT_ONCE].astype(np.float64)
            total = chunk.sum(axis=-1)
            wrong = ~((chunk >= -_BELOW_ZERO).all(axis=-1) & (np.abs(total - 1) <= _FROM_ONE))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ExperimentError(
                f"{url}: expected probabilities in {key}, from 0 to 1 and 1 together, found {_shown(chunk[first])}, "
                f"together {total[first]:g}, in row {start + first}",
                "predict the experiment again",
            )


def check_shares(url: str | Path, key: str, values: np.ndarray) -> None:
    """Refuse numbers that are not from 0 to 1; NaN stands for none."""
    wrong = (values < -_FROM_ONE) | (values > 1 + _FROM_ONE)
    if wrong.any():
        raise ExperimentError(
            f"{url}: expected {key} from 0 to 1, found {values[wrong][0]:g}", "predict the experiment again"
        )


def _shown(row: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in row[:4]) + ", …" * (len(row) > 4)


def _check_characters(url: str | Path, key: str, values: np.ndarray) -> None:
    """Refuse code points that are no characters: Python cannot make a text of them, or not write it."""
    length = values.dtype.itemsize // 4
    if length > _LONGEST_TEXT or length * values.size > _MOST_CHARACTERS:
        raise ExperimentError(
            f"{url}: expected texts of {_LONGEST_TEXT:,} characters in {key} at most, found {values.size:,} of "
            f"{length:,}",
            "shorten them",
        )
    codes = np.frombuffer(values.astype(values.dtype.newbyteorder("=")).tobytes(), np.uint32)
    if np.any((codes > _LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))):
        raise ExperimentError(f"{url}: {key} holds bytes that are no text", "copy or make the file again")
