"""Wide spots on the nodes of polar cells, from which the means over their pixels follow (docs/physics.md §12)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from difsims_core.kernels.compile import kernel

_MOST = 40.0  # exponents beyond are taken for this one: 10⁻¹⁸, and far from denormal numbers, which are slow
_TURN = 2.0 * math.pi
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_PART = np.float32(1 / 64)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))


class CellLattices(NamedTuple):
    """Nodes within polar cells for several classes of σ, and what each counts in the mean over its cell.

    Radii with as many nodes along the azimuth make a band. Within a class, the nodes of a cell are as many along the
    radius, at the same places from its middle.

    Attributes
    ----------
    middle_px, width_px : float
        Middle of the first radius, and the width of each, pixels.
    n_azimuths : int
        Sectors.
    most : int
        Nodes of one radius at most.
    start : (classes + 1,) int64
        Bands of class c are ``start[c]:start[c + 1]``.
    n_radial : (classes,) int64
        Nodes of a cell along the radius.
    offset_px : (classes, …) float64
        Their places from the middle, pixels.
    first, stop : (bands,) int64
        Radii of a band.
    n_along : (bands,) int64
        Nodes of a cell along the azimuth.
    angles : (bands,) int64
        Where the angles of a band begin.
    cosine, sine : (…,) float64
        Of the angles of the nodes of one radius, band by band.
    rows : (bands,) int64
        Where the weights of a band begin, in the order (radius, radial node, angle).
    weights : (…,) float32
        What the nodes count in the mean over their cell.
    """

    middle_px: float
    width_px: float
    n_azimuths: int
    most: int
    start: np.ndarray
    n_radial: np.ndarray
    offset_px: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    n_along: np.ndarray
    angles: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    rows: np.ndarray
    weights: np.ndarray


@kernel(inline=True)
def falling(y):
    """Return exp(−y) of a float32 0 … 40 to 10⁻⁵ of itself: a polynomial, whose 64th power vectorises."""
    x = -y * _PART
    value = _ONE + x * (_ONE + x * (_C2 + x * (_C3 + x * (_C4 + x * (_C5 + x * _C6)))))
    value *= value
    value *= value
    value *= value
    value *= value
    value *= value
    return value * value


@kernel
def add_wide_spot(nodes, lattice, c, x, y, intensity, sigma, reach, work):
    """Add a spot to the nodes of class ``c``, intensity per pixel at each.

    A Gaussian is exp(−(r − ρ)²/2σ²) exp(−(r ρ/σ²)(1 − cos Δφ)) at a node; from one radius to the next, at the same
    angle, the second factor changes by one and the same ratio.

    Parameters
    ----------
    nodes
        As ``lattice.weights``, added to.
    x, y, intensity, sigma, reach
        Place from the centre, intensity, standard deviation and where the spot ends, pixels.
    work
        (3, lattice.most) float32 work space.
    """
    tilt, value, ratio = work[0], work[1], work[2]
    rho = math.sqrt(x * x + y * y)
    cosine, sine = (x / rho, y / rho) if rho > 0.0 else (1.0, 0.0)
    width, n_sectors = lattice.width_px, lattice.n_azimuths
    low = int(math.ceil((rho - reach - lattice.middle_px) / width - 0.5))
    high = int(math.floor((rho + reach - lattice.middle_px) / width + 0.5)) + 1
    half = math.asin(reach / rho) if rho > reach else math.pi
    sector = math.atan2(y, x) / _TURN * n_sectors
    first_sector = int(math.floor(sector - half / _TURN * n_sectors))
    sectors = min(int(math.floor(sector + half / _TURN * n_sectors)) + 1 - first_sector, n_sectors)
    first_sector %= n_sectors
    per_px = rho / (sigma * sigma)
    falloff = 0.5 / (sigma * sigma)
    height = intensity * falloff / math.pi
    step = math.exp(-2.0 * width * width * falloff)
    for band in range(lattice.start[c], lattice.start[c + 1]):
        below, above = max(low, lattice.first[band]), min(high, lattice.stop[band])
        if below >= above:
            continue
        n_along = lattice.n_along[band]
        begin, n, whole = first_sector * n_along, sectors * n_along, n_sectors * n_along
        until = min(n, whole - begin)
        inner = lattice.middle_px + below * width
        most = _MOST / (per_px * (inner + (above - below + 1) * width) + 1e-30)
        _tilts(tilt, n, until, begin, whole, lattice.angles[band], lattice.cosine, lattice.sine, cosine, sine, most)
        per_row = np.float32(width * per_px)
        for e in range(n):
            ratio[e] = falling(tilt[e] * per_row)
        for k in range(lattice.n_radial[c]):
            radius = inner + lattice.offset_px[c, k]
            per_node = np.float32(radius * per_px)
            for e in range(n):
                value[e] = falling(tilt[e] * per_node)
            away = radius - rho
            along = height * math.exp(-away * away * falloff)
            change = math.exp(-(2.0 * away + width) * width * falloff)
            for radius_number in range(below, above):
                at = lattice.rows[band] + ((radius_number - lattice.first[band]) * lattice.n_radial[c] + k) * whole
                amount = np.float32(along)
                line = nodes[at + begin : at + begin + until]
                for e in range(until):
                    line[e] += amount * value[e]
                    value[e] *= ratio[e]
                if until < n:  # around the circle
                    line = nodes[at : at + n - until]
                    for e in range(n - until):
                        line[e] += amount * value[until + e]
                        value[until + e] *= ratio[until + e]
                along *= change
                change *= step


@kernel
def _tilts(tilt, n, until, begin, whole, angles, cosines, sines, cosine, sine, most):
    """Fill ``tilt`` (n,) with 1 − cos Δφ of nodes from ``begin`` on around the circle, at most ``most``."""
    for e in range(n):
        at = angles + begin + e - (whole if e >= until else 0)
        tilt[e] = np.float32(min(1.0 - (cosines[at] * cosine + sines[at] * sine), most))


@kernel
def add_nodes(nodes, lattice, c, pattern, work):
    """Add the means over cells to a pattern (cells,) float32, and set the nodes of class ``c`` back to 0.

    Where a mean falls below 0 by what the interpolation leaves, it counts as 0.
    """
    line = work[0]
    k_all = lattice.n_radial[c]
    for band in range(lattice.start[c], lattice.start[c + 1]):
        n_along = lattice.n_along[band]
        n = lattice.n_azimuths * n_along
        at = lattice.rows[band]
        for radius in range(lattice.first[band], lattice.stop[band]):
            for e in range(n):
                line[e] = _ZERO
            for _ in range(k_all):
                some, weights = nodes[at : at + n], lattice.weights[at : at + n]
                for e in range(n):
                    line[e] += some[e] * weights[e]
                    some[e] = _ZERO
                at += n
            cell = radius * lattice.n_azimuths
            for j in range(lattice.n_azimuths):
                total = _ZERO
                for e in range(j * n_along, (j + 1) * n_along):
                    total += line[e]
                pattern[cell + j] += total if total > _ZERO else _ZERO
