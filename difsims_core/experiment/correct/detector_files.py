"""Masks, dark and gain references: files of the detector beside a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PixelsSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.frames import DetectorCorrection
from difsims_core.storage.npz.npy import read_array

_ENDING = "_mask.npy"


def read_mask(pixels: PixelsSpec, scan: str | Path, frame: tuple[int, ...]) -> np.ndarray | None:
    """Return the mask that is given, or lies beside the scan as <name>_mask.npy: (rows, columns) bool; else None.

    Raises
    ------
    ExperimentError
        If it cannot be read, or is of another shape or type.
    """
    beside = Path(scan).with_name(Path(scan).stem + _ENDING)
    path = Path(pixels.mask) if pixels.mask else beside
    if not pixels.mask and not beside.is_file():
        return None
    mask = _read(path, frame)
    if mask.dtype != bool:
        raise ExperimentError(f"{path}: expected booleans, True for pixels that count, found {mask.dtype}")
    if not mask.any():
        raise ExperimentError(f"{path}: no pixel counts", "True stands for pixels that count")
    return mask


def read_correction(pixels: PixelsSpec, frame: tuple[int, ...]) -> DetectorCorrection:
    """Return the dark and gain references that are given; errors as `read_mask`."""
    dark, gain = (None if path is None else _reference(Path(path), frame) for path in (pixels.dark, pixels.gain))
    return DetectorCorrection(dark, gain)


def _reference(path: Path, frame: tuple[int, ...]) -> np.ndarray:
    values = _read(path, frame)
    if values.dtype.kind not in "uif":
        raise ExperimentError(f"{path}: expected real numbers, found {values.dtype}")
    return values.astype(np.float32)


def _read(path: Path, frame: tuple[int, ...]) -> np.ndarray:
    try:
        with path.open("rb") as stream:
            values = read_array(stream, path.stat().st_size)
    except OSError as error:
        raise ExperimentError(f"{path}: {error.strerror or error}", "check the path") from None
    except InputError as error:
        raise ExperimentError(f"{path}: {error.problem}", error.remedy or "save it with numpy.save") from None
    if values.shape != tuple(frame):
        raise ExperimentError(f"{path}: expected the shape of the frames, {tuple(frame)}, found {values.shape}")
    return values
