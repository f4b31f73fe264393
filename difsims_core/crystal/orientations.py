"""Lists of orientations: over the fundamental zone of a phase, by orix, or from a file (PHYSICS §8)."""

from __future__ import annotations

import hashlib
import io

import numpy as np

from difsims_core.crystal.libraries import POINT_GROUPS, Rotation, get_sample_fundamental
from difsims_core.crystal.point_group import proper_point_group
from difsims_core.crystal.structure import Structure
from difsims_core.errors import InputError
from difsims_core.storage.urls import read_url


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
    standard = next(candidate for candidate in POINT_GROUPS if candidate.name == group.name)
    rotations = get_sample_fundamental(resolution_deg, point_group=standard, method=method)
    turn = group.turn_from(standard.to_matrix())
    if not np.array_equal(turn, np.eye(3)):
        rotations = Rotation.from_matrix(turn) * rotations
    return np.ascontiguousarray(rotations.data.reshape(-1, 4))


def read_orientations(url: str) -> tuple[np.ndarray, str]:
    """Read a list of orientations (crystal ← sample) from an npy file.

    Parameters
    ----------
    url
        Path or URL of (n, 4) quaternions or (n, 3) Bunge–Euler angles in degrees.

    Returns
    -------
    quaternions : (n, 4) float64
        Normalised.
    sha256 : str
        Of the file.

    Raises
    ------
    InputError
        If it holds something else.
    MissingObjectError
        If there is no such file.
    """
    data = read_url(url)
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise InputError(f"{url}: not an npy file of numbers; write one with numpy.save(file, array)") from None
    expected = "expected (n, 4) quaternions or (n, 3) Bunge angles in degrees"
    if not isinstance(array, np.ndarray):
        raise InputError(f"{url}: {expected} in an npy file, found an npz archive; save one array with numpy.save")
    if array.ndim != 2 or array.shape[1] not in {3, 4} or len(array) == 0:
        raise InputError(f"{url}: {expected}, found an array of shape {array.shape}; one row is one orientation")
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"{url}: {expected}, found {array.dtype}")
    array = array.astype(float)
    if not np.isfinite(array).all():
        raise InputError(f"{url}: {np.count_nonzero(~np.isfinite(array).all(axis=1))} rows hold NaN or infinity")
    if array.shape[1] == 3:
        array = np.asarray(Rotation.from_euler(array, degrees=True).data).reshape(-1, 4)
    norm = np.linalg.norm(array, axis=1, keepdims=True)
    worst = int(np.argmax(np.abs(norm - 1)))
    if not abs(norm[worst, 0] - 1) < 1e-3:
        raise InputError(
            f"{url}: row {worst} is no unit quaternion (length {norm[worst, 0]:.3g}); "
            "quaternions are (a, b, c, d) with a the cosine of half the angle"
        )
    return array / norm, hashlib.sha256(data).hexdigest()
