"""What the kernels of dynamical diffraction take."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from difsims_core.kernels.spots.records import SpotBuffer


class Potential(NamedTuple):
    """Fourier coefficients U of the crystal's potential at all differences of two beams (docs/physics.md §11).

    Attributes
    ----------
    real, imaginary : (levels of B, levels of the lattice scale, n) float32
        U times the cube of the scale, Å⁻². ``imaginary`` is empty (n = 0) where the crystal has a centre of inversion
        at its origin and does not absorb. The absorbing part is without its mean.
    mean : (levels of B, levels of the lattice scale, 2) float64
        The coefficient 000 likewise, real and absorbing part: the latter damps all beams alike.
    places : (reflections,) int64
        Place of each reflection; that of a difference g − h is ``places[g] − places[h] + origin``.
    origin : int
        Place of the coefficient 000.
    b, scale : (2,) float64
        First level and distance of two levels, Å² and 1.
    """

    real: np.ndarray
    imaginary: np.ndarray
    mean: np.ndarray
    places: np.ndarray
    origin: int
    b: np.ndarray
    scale: np.ndarray


class BeamChoice(NamedTuple):
    """Which beams are taken into account, and how.

    Attributes
    ----------
    strong, strong_zone, weak, far : float
        Excitation errors up to which beams are propagated, up to which they are near a zone axis, up to which they get
        first-order amplitudes, and up to which those do that the direct beam leads to at once, Å⁻¹.
    far_coupling : float
        Least |U_g| / 2K of those beyond ``weak``, over their excitation error.
    back : float
        Excitation error up to which weak beams act back on strong ones away from zone axes, Å⁻¹; near one, it is
        ``weak``.
    g_strong, g_weak : float
        In-plane |g| up to which beams are propagated, whether they are asked for or not, and up to which weak ones act
        back on them near a zone axis, Å⁻¹.
    near, g_near : float
        Excitation error and in-plane |g| of the beams that tell how near a zone axis is, Å⁻¹.
    zone : float
        A direction in which their |U|² sum to more is near a zone axis, Å⁻⁴.
    most_strong : int
        How many beams are propagated at most; those of the smallest excitation errors are.
    """

    strong: float
    strong_zone: float
    weak: float
    far: float
    far_coupling: float
    back: float
    g_strong: float
    g_weak: float
    near: float
    g_near: float
    zone: float
    most_strong: int


class Crystals(NamedTuple):
    """Crystals that diffract, one entry each.

    Attributes
    ----------
    orientation : (m, 4) float64
        Quaternions of the orix rotations (crystal ← sample).
    lattice_scale, b : (m,) float64
        Lattice scale, and Debye–Waller B, Å².
    start : (m + 1,) int64
        The thicknesses of crystal ``i`` are ``thickness[start[i]:start[i + 1]]``.
    thickness : (n,) float64
        Å.
    seen : (m,) float64
        Largest in-plane |g| that is asked for, Å⁻¹.
    angle, disc : (m,) float64
        Precession angle, radians, and radius of the convergence disc, Å⁻¹.
    cone, rings : (m,) int64
        Directions on the precession cone, 1 without; rings of directions around the middle of the disc, 0 without.
    """

    orientation: np.ndarray
    lattice_scale: np.ndarray
    b: np.ndarray
    start: np.ndarray
    thickness: np.ndarray
    seen: np.ndarray
    angle: np.ndarray
    disc: np.ndarray
    cone: np.ndarray
    rings: np.ndarray


class Beams(NamedTuple):
    """Beams of one direction.

    Attributes
    ----------
    g : (n, 3) float64
        Vectors in the laboratory, Å⁻¹.
    error : (n,) float64
        ς = (K² − |K + g|²)/2K, Å⁻¹; positive inside the Ewald sphere.
    reflection, place : (n,) int64
        Number of the reflection in its list, and its place in the potential.
    """

    g: np.ndarray
    error: np.ndarray
    reflection: np.ndarray
    place: np.ndarray


class Room(NamedTuple):
    """Where one direction of the beam is computed; overwritten by each.

    Attributes
    ----------
    candidates : SpotBuffer
    found, beams : Beams
    real, imaginary : (n,) float32
        Coefficients of the potential.
    tilt, diagonal : (m,) float64
        1/√(1 + g_n/K) of each beam, and its place on the diagonal of the matrix, Å⁻¹.
    matrix : (1 or 2, N, N) float32
        Real and imaginary part.
    psi, work : (t, 2, N) and (2, 2, N) float32
        Waves at the thicknesses, and vectors on the way to them.
    powers, start : (t, orders, 2, N) and (orders, 2, N) float32
        Powers of the matrix times these waves, and times the incident one.
    intensity : (t, m) float32
        What is wanted.
    """

    candidates: SpotBuffer
    found: Beams
    beams: Beams
    real: np.ndarray
    imaginary: np.ndarray
    tilt: np.ndarray
    diagonal: np.ndarray
    matrix: np.ndarray
    psi: np.ndarray
    work: np.ndarray
    powers: np.ndarray
    start: np.ndarray
    intensity: np.ndarray
