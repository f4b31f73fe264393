"""Masks, dark and gain references: files of the detector beside a scan."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PixelsSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.frames import DetectorCorrection
from difsims_core.experiment.raw_scan import RawScan
from difsims_core.experiment.scan_files import mask_names
from difsims_core.messages import printable
from difsims_core.storage.names import as_written, child_url, file_name, parent_url
from difsims_core.storage.npz.npy import read_array
from difsims_core.storage.objects import object_exists, read_url


def find_mask(pixels: PixelsSpec, scan: str | Path) -> str | None:
    """Return the place of the mask that is given, or lies beside a scan under its name; None: there is none."""
    if pixels.mask:
        return pixels.mask
    places = (child_url(parent_url(scan), name) for name in mask_names(file_name(scan)))
    return next(filter(object_exists, places), None)


def read_mask(place: str | None, scan: RawScan) -> np.ndarray | None:
    """Return a mask as the frames lie, (rows, columns) bool, of a file as the raw file lies; None of none.

    Raises
    ------
    MissingObjectError
        If there is no such file.
    ExperimentError
        If it cannot be read, or is of another shape or type.
    """
    if place is None:
        return None
    mask, shown = _read(place, scan), as_written(place)
    if mask.dtype != bool:
        raise ExperimentError(f"{shown}: expected booleans, True for pixels that count, found {mask.dtype}")
    if not mask.any():
        raise ExperimentError(f"{shown}: no pixel counts", "True stands for pixels that count")
    return mask


def read_correction(pixels: PixelsSpec, scan: RawScan) -> DetectorCorrection:
    """Return the dark and gain references that are given, as the frames lie; errors as `read_mask`."""
    dark, gain = (None if path is None else _reference(path, scan) for path in (pixels.dark, pixels.gain))
    return DetectorCorrection(dark, gain)


def remarks_on_files(pixels: PixelsSpec, mask: str | None, scan: RawScan) -> tuple[str, ...]:
    """Return what is to be said of the detector's files: which mask was found, and that they are turned."""
    remarks = []
    if mask and not pixels.mask:
        remarks.append(f"The mask {printable(file_name(mask))} was found beside the scan and is used.")
    if any(scan.turned) and (mask or pixels.dark or pixels.gain):
        remarks.append(
            "Mask, dark and gain references are taken to lie as the rows and columns of the raw file, and are turned "
            "as its patterns are."
        )
    return tuple(remarks)


def _reference(path: str, scan: RawScan) -> np.ndarray:
    values = _read(path, scan)
    if values.dtype.kind not in "uif":
        raise ExperimentError(f"{path}: expected real numbers, found {values.dtype}")
    return values.astype(np.float32)


def _read(path: str, scan: RawScan) -> np.ndarray:
    """Return the array of a file, turned as the frames are."""
    data, shown = read_url(path), as_written(path)
    try:
        values = read_array(io.BytesIO(data), len(data))
    except InputError as error:
        raise ExperimentError(f"{shown}: {error.problem}", error.remedy or "save it with numpy.save") from None
    if values.shape != scan.frame_shape:
        raise ExperimentError(f"{shown}: expected the shape of the frames, {scan.frame_shape}, found {values.shape}")
    up_down, left_right = (slice(None, None, -1 if turned else 1) for turned in scan.turned)
    return np.ascontiguousarray(values[up_down, left_right])
