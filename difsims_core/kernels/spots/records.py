"""What the kernels take: arrays and numbers that belong together, by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

N_AZIMUTH = 360
"""Azimuthal bins of a polar pattern, a degree each."""


class Lattice(NamedTuple):
    """Reflections of a phase as rows along its shortest reciprocal axis, all vectors Å⁻¹.

    Attributes
    ----------
    axes : (3, 3) float64
        Reciprocal axes of the unscaled lattice as rows; the last one runs along the rows of reflections.
    h, j : (m,) float32
        First two indices of each row of reflections.
    low, high : (m,) float32
        First and last third index of each row.
    offsets : (m,) int32
        Index of the reflection with the third index 0; the one with index t lies at ``offsets + t``.
    intensity : (n, d) float32
        Coefficients of |F|² as a polynomial in (scale − centre) / half, lowest first; zeros where extinct.
    centre, half : float
        What the polynomial is in.
    """

    axes: np.ndarray
    h: np.ndarray
    j: np.ndarray
    low: np.ndarray
    high: np.ndarray
    offsets: np.ndarray
    intensity: np.ndarray
    centre: float
    half: float


class Beam(NamedTuple):
    """1/λ and the largest excitation error, Å⁻¹, and the number of the shape factor."""

    k: float
    s_max: float
    model: int


class Frame(NamedTuple):
    """The detector in pixels about the centre of the annuli.

    Attributes
    ----------
    half_x, half_y : float
        Half the edges of the frame.
    rim : float
        How far beside the frame a spot still counts; such spots are marked.
    square : bool
        Whether the rim goes around the frame, as an image needs it, or around the circle of radius ``half_x``, beyond
        which the frame cuts annuli.
    reach : float
        Largest distance from the centre that counts.
    """

    half_x: float
    half_y: float
    rim: float
    square: bool
    reach: float


class Conditions(NamedTuple):
    """What differs from pattern to pattern; all arrays have one entry a pattern.

    Attributes
    ----------
    pattern : (m,) int64
        Global index, the address of random numbers.
    orientation : (m, 4) float64
        Quaternions of the orix rotations (crystal ← sample).
    lattice_scale, per_px, thickness, width, angle : (m,) float64
        Lattice scale, Å⁻¹ per pixel, thickness (Å; 0: not given), relrod width (Å⁻¹), precession angle (radians).
    sigma, level : (m,) float64 and int64
        Standard deviation of a spot, pixels, and which spread operator belongs to it.
    weight : (m,) float64
        Factor on all intensities.
    removed : (m,) uint64
        Bit r removes the (r + 1)-th brightest spot.
    beam : (m,) float64
        Direct beam relative to the brightest spot.
    distortion : (m, 5) float64
        xx, xy, yy of the matrix that turns circles into ellipses, and the shift of the centre in x and y, pixels.
    extinction : (m,) float64
        A / |F| of Blackman's formula; 0: kinematical.
    displacement : (m,) float64
        Root mean square displacement of the atoms, Å.
    exponent, scatter : (m,) float64
        Exponent of the intensities and standard deviation of their logarithm from spot to spot; 1 and 0: none.
    disc : (m,) float64
        Radius of the discs, Å⁻¹; 0: points.
    points : (m,) int64
        Points that stand for a disc; 1 without.
    hidden : (m, 4) float64
        Radius of the beam stop, width and offset of the gap, all pixels, and 0 for a gap along y or 1 along x.
    """

    pattern: np.ndarray
    orientation: np.ndarray
    lattice_scale: np.ndarray
    per_px: np.ndarray
    thickness: np.ndarray
    width: np.ndarray
    angle: np.ndarray
    sigma: np.ndarray
    level: np.ndarray
    weight: np.ndarray
    removed: np.ndarray
    beam: np.ndarray
    distortion: np.ndarray
    extinction: np.ndarray
    displacement: np.ndarray
    exponent: np.ndarray
    scatter: np.ndarray
    disc: np.ndarray
    points: np.ndarray
    hidden: np.ndarray


class Spread(NamedTuple):
    """Spread operators of several σ, end to end: from cubic B-splines of spot radius to groups of eight annuli.

    Attributes
    ----------
    inverse_spacing : (k,) float64
        Nodes a pixel, for each σ.
    n_nodes : (k,) int64
        Number of nodes.
    first, last : (k, n_groups) int64
        Nodes that a group of eight annuli receives intensity from.
    offset : (k, n_groups) int64
        Where the weights of a group begin.
    weights : (…,) float32
        Eight weights a node: mean intensity per pixel of each annulus, for unit intensity.
    whole : int
        Number of annuli that the frame does not cut.
    """

    inverse_spacing: np.ndarray
    n_nodes: np.ndarray
    first: np.ndarray
    last: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    whole: int


class PixelsOfCells(NamedTuple):
    """The pixels of each cell of a polar grid, on a square frame.

    Attributes
    ----------
    start : (cells + 1,) int32
        Entries of cell i, in the order (radius, azimuth), are ``start[i]:start[i + 1]``.
    pixel : (m,) int32
        row · size + column.
    weight : (m,) float32
        Shared area over the area of the cell: what the pixel's intensity counts in the mean over the cell.
    """

    start: np.ndarray
    pixel: np.ndarray
    weight: np.ndarray


class SharesOfPixels(NamedTuple):
    """The same the other way round: which cells each of the size² pixels gives to; ``cell`` in place of ``pixel``."""

    start: np.ndarray
    cell: np.ndarray
    weight: np.ndarray


class GivenSpots(NamedTuple):
    """Spots of several patterns that were computed elsewhere, end to end, as the kernels take them to the detector.

    Attributes
    ----------
    start : (m + 1,) int64
        Spots of pattern ``i`` are ``start[i]:start[i + 1]``.
    x, y : (n,) float64
        In-plane scattering vectors in the laboratory, Å⁻¹.
    reflection : (n,) int64
        Number of the reflection in the phase, the address of its random numbers.
    intensity, s : (n,) float64
        Intensity of a grain that fills the beam, and excitation error, Å⁻¹.
    disc : (k,) float64
        Where discs converge: the intensities of their points over ``intensity``, spot by spot.
    disc_start : (m,) int64
        Where those of a pattern begin.
    """

    start: np.ndarray
    x: np.ndarray
    y: np.ndarray
    reflection: np.ndarray
    intensity: np.ndarray
    s: np.ndarray
    disc: np.ndarray
    disc_start: np.ndarray


class SpotBuffer(NamedTuple):
    """Room for the spots of one pattern, and for what is needed on the way to them.

    Attributes
    ----------
    low, high : (m,) float32 · rows : (m,) int32
        Range of indices of each row that may be excited; rows where there is one.
    x, y, z : (n,) float64 · reflection : (n,) int32
        Vectors, Å⁻¹, first of candidates, then of excited reflections; their indices in ``Lattice.intensity``. Of given
        spots, ``z`` holds which one of the pattern it is.
    s, factor, intensity : (n,) float64
        Excitation error, shape factor, intensity.
    x_px, y_px : (n,) float64
        Place on the detector, pixels from the centre of the annuli.
    beside : (n,) int64
        1 for a spot beside the frame.
    """

    low: np.ndarray
    high: np.ndarray
    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    reflection: np.ndarray
    s: np.ndarray
    factor: np.ndarray
    intensity: np.ndarray
    x_px: np.ndarray
    y_px: np.ndarray
    beside: np.ndarray


def spot_buffer(n_rows: int, n_reflections: int, n_points: int = 0) -> SpotBuffer:
    """Return room for as many rows and reflections, and for ``n_points`` points of convergence discs."""
    m, n = n_rows, n_reflections + 1
    size = max(n, n_points)
    return SpotBuffer(
        np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.int32),
        np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int32), np.empty(n), np.empty(n),
        np.empty(size), np.empty(size), np.empty(size), np.zeros(size, np.int64),
    )  # fmt: skip
