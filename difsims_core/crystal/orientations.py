"""Lists of orientations: over the fundamental zone of a phase, by orix, or from a file (docs/physics.md §8)."""

from __future__ import annotations

import hashlib
import io
import logging
import math

import numpy as np

from difsims_core.crystal import libraries
from difsims_core.crystal.point_group import proper_point_group, quaternions_of
from difsims_core.crystal.structure import Structure
from difsims_core.errors import InputError
from difsims_core.storage.npz.npy import read_array
from difsims_core.storage.urls import exists_already, object_exists, read_url, write_url
from difsims_core.unit_names import AngleUnit

logger = logging.getLogger(__name__)

_ZIP = b"PK"
_MANY_ROWS = 20  # angles of that many orientations do not all happen to lie within 2π degrees
_MOST_TURNS = 2  # that an angle in radians makes


def orientation_grid(structure: Structure, method: str, resolution_deg: float) -> np.ndarray:
    """Return (m, 4) unit quaternions that cover the fundamental zone of the proper point group of a structure.

    orix samples the group in its standard orientation; where the crystal has its axes elsewhere (unique axis b or a,
    312, rhombohedral axes), the samples are turned with them.

    Parameters
    ----------
    structure
        The crystal.
    method
        ``cubochoric``, ``haar_euler`` or ``quaternion``.
    resolution_deg
        Characteristic distance of neighbours, degrees.
    """
    group = proper_point_group(structure)
    standard = next(candidate for candidate in libraries.POINT_GROUPS if candidate.name == group.name)
    rotations = libraries.get_sample_fundamental(resolution_deg, point_group=standard, method=method)
    turn = group.turn_from(standard.to_matrix())
    if not np.array_equal(turn, np.eye(3)):
        rotations = libraries.Rotation(quaternions_of(turn)) * rotations
    return np.ascontiguousarray(rotations.data.reshape(-1, 4))


def write_orientations(
    structure: Structure, url: str, method: str, resolution_deg: float, *, overwrite: bool = False
) -> int:
    """Write the grid of `orientation_grid` as an npy file of quaternions, as documents read it; return its rows.

    Parameters
    ----------
    structure, method, resolution_deg
        See `orientation_grid`.
    url
        Path or URL; ends with ``.npy``.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        If the name ends otherwise, or something is there already.
    """
    if not url.endswith(".npy"):
        raise InputError(f"{url}: expected a name that ends with .npy", "change the name")
    if not overwrite and object_exists(url):
        raise exists_already(url)
    grid, buffer = orientation_grid(structure, method, resolution_deg), io.BytesIO()
    np.save(buffer, grid, allow_pickle=False)
    write_url(url, buffer.getvalue())
    return len(grid)


def read_orientations(url: str, unit: AngleUnit | None = None) -> tuple[np.ndarray, str]:
    """Read a list of orientations (crystal ← sample) from an npy file.

    Parameters
    ----------
    url
        Path or URL of (n, 4) quaternions or (n, 3) Bunge–Euler angles.
    unit
        Of the angles; None: not stated, degrees are expected, and many rows that could be radians are refused.

    Returns
    -------
    quaternions : (n, 4) float64
        Normalised.
    sha256 : str
        Of the file.

    Raises
    ------
    InputError
        If it holds something else, or its angles look like those of the other unit.
    MissingObjectError
        If there is no such file.
    """
    data = read_url(url)
    expected = "expected (n, 4) quaternions or (n, 3) Bunge angles"
    if data.startswith(_ZIP):
        raise InputError(f"{url}: {expected} in an npy file, found an npz archive", "save one array with numpy.save")
    try:
        array = read_array(io.BytesIO(data), len(data))
    except InputError as error:
        raise InputError(f"{url}: {expected} in an npy file (numpy.save); it {error.problem}", error.remedy) from None
    if array.ndim != 2 or array.shape[1] not in {3, 4} or len(array) == 0:
        raise InputError(f"{url}: {expected}, found an array of shape {array.shape}", "one row is one orientation")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{url}: {expected}, found {array.dtype}")
    array = array.astype(float)
    if not np.isfinite(array).all():
        raise InputError(f"{url}: {np.count_nonzero(~np.isfinite(array).all(axis=1))} rows hold NaN or infinity")
    if array.shape[1] == 3:
        degrees = _in_degrees(url, array, unit)
        array = np.asarray(libraries.Rotation.from_euler(degrees, degrees=True).data).reshape(-1, 4)
    elif unit is not None:
        raise InputError(f"{url}: holds quaternions, which have no unit", f"leave out orientations.unit ({unit})")
    norm = np.linalg.norm(array, axis=1, keepdims=True)
    worst = int(np.argmax(np.abs(norm - 1)))
    if not abs(norm[worst, 0] - 1) < 1e-3:
        raise InputError(
            f"{url}: row {worst} is no unit quaternion (length {norm[worst, 0]:.3g})",
            "quaternions are (a, b, c, d) with a the cosine of half the angle",
        )
    return array / norm, hashlib.sha256(data).hexdigest()


def _in_degrees(url: str, angles: np.ndarray, unit: AngleUnit | None) -> np.ndarray:
    """Return (n, 3) angles in degrees, or ask about those that look like the other unit."""
    largest = float(np.abs(angles).max())
    if unit == "rad":
        if largest > _MOST_TURNS * 2 * math.pi:
            raise InputError(
                f"{url}: its angles reach {largest:.4g}, in radians {largest / (2 * math.pi):.1f} turns",
                "are these degrees? Set orientations.unit: deg",
            )
        return np.degrees(angles)
    if unit is None and 0 < largest <= 2 * math.pi:
        question = f"{url}: none of its {len(angles)} rows of angles goes beyond {largest:.4g}; are these radians?"
        if len(angles) >= _MANY_ROWS:
            raise InputError(f"{question} Set orientations.unit: rad, or deg when they are degrees")
        logger.warning("%s They are read as degrees; set orientations.unit to rad or deg", question)
    return angles
