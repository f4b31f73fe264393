"""Lists of orientations over the fundamental zone of a phase (PHYSICS §8), by orix."""

from __future__ import annotations

import numpy as np
from orix.crystal_map import Phase
from orix.sampling import get_sample_fundamental

from difsims_core.errors import CrystalError


def orientation_grid(phase: Phase, method: str, resolution_deg: float) -> np.ndarray:
    """Return (m, 4) unit quaternions that cover the fundamental zone of the proper point group of a phase.

    Parameters
    ----------
    phase
        orix phase with its point group.
    method
        ``cubochoric``, ``haar_euler`` or ``quaternion``.
    resolution_deg
        Characteristic distance of neighbours, degrees.
    """
    if phase.point_group is None:
        raise CrystalError(f"{phase.name}: no point group is known, so no fundamental zone can be sampled")
    rotations = get_sample_fundamental(resolution_deg, point_group=phase.point_group.proper_subgroup, method=method)
    return np.ascontiguousarray(rotations.data.reshape(-1, 4))
