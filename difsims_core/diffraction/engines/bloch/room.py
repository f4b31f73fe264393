"""The arrays that the kernels of dynamical diffraction work in."""

from __future__ import annotations

import numpy as np

from difsims_core.diffraction.engines.bloch.tables import BlochTables
from difsims_core.kernels.bloch.matrix import padded
from difsims_core.kernels.bloch.records import Beams, Room
from difsims_core.kernels.bloch.weak import ORDERS
from difsims_core.kernels.spots.records import spot_buffer


def room_for(tables: BlochTables, n_thick: int) -> Room:
    """Return room for one direction of the beam at a time, with so many thicknesses."""
    n, potential = len(tables.hkl), tables.potential
    size = padded(min(tables.choice.most_strong, n))
    parts = 2 if potential.imaginary.shape[2] else 1
    return Room(
        candidates=spot_buffer(len(tables.lattice.h), n),
        found=_beams(n),
        beams=_beams(n),
        real=np.empty(potential.real.shape[2], np.float32),
        imaginary=np.empty(potential.imaginary.shape[2], np.float32),
        tilt=np.empty(n),
        diagonal=np.empty(size),
        matrix=np.empty((parts, size, size), np.float32),
        psi=np.empty((n_thick, 2, size), np.float32),
        work=np.empty((2, 2, size), np.float32),
        powers=np.empty((n_thick, ORDERS, 2, size), np.float32),
        start=np.empty((ORDERS, 2, size), np.float32),
        intensity=np.empty((n_thick, n), np.float32),
    )


def _beams(n: int) -> Beams:
    return Beams(np.empty((n, 3)), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64))
