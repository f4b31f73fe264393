"""Masks, dark and gain references: files of the detector beside a scan."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PixelsSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.frames import DetectorCorrection
from difsims_core.storage.names import as_written, child_url, file_name, parent_url
from difsims_core.storage.npz.npy import read_array
from difsims_core.storage.objects import object_exists, read_url

MASK_ENDING = "_mask.npy"


def read_mask(pixels: PixelsSpec, scan: str | Path, frame: tuple[int, ...]) -> np.ndarray | None:
    """Return the mask that is given, or lies beside the scan as <name>_mask.npy: (rows, columns) bool; else None.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it cannot be read, or is of another shape or type.
    """
    path = pixels.mask or child_url(parent_url(scan), f"{PurePosixPath(file_name(scan)).stem}{MASK_ENDING}")
    if not pixels.mask and not object_exists(path):
        return None
    mask = _read(path, frame)
    if mask.dtype != bool:
        raise ExperimentError(f"{path}: expected booleans, True for pixels that count, found {mask.dtype}")
    if not mask.any():
        raise ExperimentError(f"{path}: no pixel counts", "True stands for pixels that count")
    return mask


def read_correction(pixels: PixelsSpec, frame: tuple[int, ...]) -> DetectorCorrection:
    """Return the dark and gain references that are given; errors as `read_mask`."""
    dark, gain = (None if path is None else _reference(path, frame) for path in (pixels.dark, pixels.gain))
    return DetectorCorrection(dark, gain)


def _reference(path: str, frame: tuple[int, ...]) -> np.ndarray:
    values = _read(path, frame)
    if values.dtype.kind not in "uif":
        raise ExperimentError(f"{path}: expected real numbers, found {values.dtype}")
    return values.astype(np.float32)


def _read(path: str, frame: tuple[int, ...]) -> np.ndarray:
    data, shown = read_url(path), as_written(path)
    try:
        values = read_array(io.BytesIO(data), len(data))
    except InputError as error:
        raise ExperimentError(f"{shown}: {error.problem}", error.remedy or "save it with numpy.save") from None
    if values.shape != tuple(frame):
        raise ExperimentError(f"{shown}: expected the shape of the frames, {tuple(frame)}, found {values.shape}")
    return values
