"""Wide spots on the nodes of polar cells, from which the means over their pixels follow (docs/physics.md §12)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from difsims_core.kernels.compile import kernel

_MOST = np.float32(40)  # exponents beyond are taken for this one: 10⁻¹⁸, and far from denormal numbers, which are slow
_TURN = 2.0 * math.pi
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_PART = np.float32(1 / 64)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))


class CellLattices(NamedTuple):
    """Nodes within polar cells for several classes of σ, and what each counts in the mean over its cell.

    Some neighbouring radii have nodes in common: a ring. Rings with equally many nodes along the azimuth of a cell make
    a band. Within a class, rings have equally many nodes along the radius, at the same places from their middle.

    Attributes
    ----------
    middle_px, width_px : float
        Middle of the first radius, and the width of each, pixels.
    n_azimuths : int
        Sectors.
    n_rings, most : int
        Rings, and nodes along the radius or at one radius, none has more.
    start : (classes + 1,) int64
        Bands of class c are ``start[c]:start[c + 1]``.
    together : (classes,) int64
        Radii of a ring.
    n_radial : (classes,) int64
        Nodes of a ring along the radius.
    offset_px : (classes, …) float64
        Their places from the middle, pixels.
    first, stop : (bands,) int64
        Radii of a band; the last ring may reach beyond them.
    n_along : (bands,) int64
        Nodes of a cell along the azimuth.
    angles : (bands,) int64
        Where the angles of a band begin.
    cosine, sine : (…,) float64
        Of the angles of the nodes of one radius, band by band.
    rings : (bands,) int64
        Where the nodes of a band begin, in the order (ring, radial node, angle).
    n_nodes : int
        Number of all nodes.
    rows : (bands,) int64
        Where the weights of a band begin, in the order (radius, radial node, angle).
    weights : (…,) float32
        What a node of the ring counts in the mean over a cell.
    """

    middle_px: float
    width_px: float
    n_azimuths: int
    n_rings: int
    most: int
    start: np.ndarray
    together: np.ndarray
    n_radial: np.ndarray
    offset_px: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    n_along: np.ndarray
    angles: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    rings: np.ndarray
    n_nodes: int
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
def reach_of(intensity, least, most):
    """Return where a spot ends, σ: it falls to ``least`` there, in units of its intensity, or ``most`` is reached."""
    return min(math.sqrt(2.0 * math.log(intensity / least)), most) if intensity > least else 0.0


@kernel
def add_wide_spots(nodes, lattice, c, spots, n_spots, sigma, ends, work):
    """Add spots to the nodes of class ``c``, intensity per pixel at each.

    A Gaussian is exp(−(r − ρ)²/2σ²) exp(−(r ρ/σ²)(1 − cos Δφ)) at a node; from one ring to the next, at the same angle,
    the second factor changes by one and the same ratio.

    Parameters
    ----------
    nodes
        (lattice.n_nodes,) float32, added to.
    spots, n_spots
        ``SpotBuffer`` and how many.
    sigma
        Standard deviation, pixels.
    ends
        Where a spot ends, as ``least`` and ``most`` of ``reach_of``, and where the cells end, pixels from the centre.
    work
        (4, lattice.most) float32 work space.
    """
    tilt, value, ratio, along = work[0], work[1], work[2], work[3]
    together, n_radial, n_sectors = lattice.together[c], lattice.n_radial[c], lattice.n_azimuths
    offset_px, cosines, sines = lattice.offset_px[c], lattice.cosine, lattice.sine
    width = together * lattice.width_px
    innermost = lattice.middle_px + 0.5 * (together - 1) * lattice.width_px
    least, most_sigma, outer_px = ends
    for i in range(n_spots):
        x, y = spots.x_px[i], spots.y_px[i]
        rho, reach = math.sqrt(x * x + y * y), sigma * reach_of(spots.intensity[i], least, most_sigma)
        if reach == 0.0 or rho >= outer_px + reach:
            continue
        cosine, sine = (x / rho, y / rho) if rho > 0.0 else (1.0, 0.0)
        half = math.asin(reach / rho) / _TURN * n_sectors if rho > reach else 0.5 * n_sectors
        sector = math.atan2(y, x) / _TURN * n_sectors
        first_sector = int(math.floor(sector - half))
        sectors = min(int(math.floor(sector + half)) + 1 - first_sector, n_sectors)
        first_sector %= n_sectors
        low = max(int(math.ceil((rho - reach - innermost) / width - 0.5)), 0)
        high = min(int(math.floor((rho + reach - innermost) / width + 0.5)) + 1, lattice.n_rings)
        _amounts(along, low, high, innermost - rho, width, offset_px, n_radial, spots.intensity[i], sigma)
        per_px = rho / (sigma * sigma)
        for band in range(lattice.start[c], lattice.start[c + 1]):
            first = lattice.first[band] // together
            below, above = max(low, first), min(high, (lattice.stop[band] + together - 1) // together)
            if below >= above:
                continue
            n_along = lattice.n_along[band]
            begin, n, whole = first_sector * n_along, sectors * n_along, n_sectors * n_along
            until = min(n, whole - begin)
            inner = innermost + below * width
            most = _MOST / (per_px * (inner + (above - below) * width) + 1e-30)
            at = lattice.angles[band]
            _tilts(tilt, 0, until, cosines, sines, at + begin, cosine, sine, most)
            _tilts(tilt, until, n, cosines, sines, at, cosine, sine, most)
            per_ring = np.float32(width * per_px)
            for e in range(n):
                ratio[e] = falling(tilt[e] * per_ring)
            for k in range(n_radial):
                per_node = np.float32((inner + offset_px[k]) * per_px)
                for e in range(n):
                    value[e] = falling(tilt[e] * per_node)
                for ring in range(below, above):
                    at = lattice.rings[band] + ((ring - first) * n_radial + k) * whole
                    amount = along[(ring - low) * n_radial + k]
                    line = nodes[at + begin : at + begin + until]
                    for e in range(until):
                        line[e] += amount * value[e]
                        value[e] *= ratio[e]
                    if until < n:  # around the circle
                        line = nodes[at : at + n - until]
                        for e in range(n - until):
                            line[e] += amount * value[until + e]
                            value[until + e] *= ratio[until + e]


@kernel
def _amounts(along, low, high, from_spot, width, offset_px, n_radial, intensity, sigma):
    """Fill ``along`` with the height of a spot at the radii of the nodes of the rings low … high.

    ``from_spot`` is the middle of ring 0 less the radius of the spot, pixels.
    """
    falloff = 0.5 / (sigma * sigma)
    n = 0
    for ring in range(low, high):
        for k in range(n_radial):
            away = from_spot + ring * width + offset_px[k]
            along[n] = away * away * falloff
            n += 1
    height = np.float32(intensity * falloff / math.pi)
    for e in range(n):
        along[e] = height * falling(along[e] if along[e] < _MOST else _MOST)


@kernel
def _tilts(tilt, start, stop, cosines, sines, at, cosine, sine, most):
    """Fill ``tilt[start:stop]`` with 1 − cos Δφ of the nodes from ``at`` on, at most ``most``.

    Unsigned numbers of elements cannot count from the end of an array, so that the loop is vectorised.
    """
    to, place = np.uint64(start), np.uint64(at)
    for e in range(np.uint64(stop - start)):
        turn = 1.0 - (cosines[place + e] * cosine + sines[place + e] * sine)
        tilt[to + e] = np.float32(turn if turn < most else most)


@kernel
def add_nodes(nodes, lattice, c, pattern, work):
    """Add the means over cells to a pattern (cells,) float32, and set the nodes of class ``c`` back to 0.

    Where a mean falls below 0 by what the interpolation leaves, it counts as 0.
    """
    line, weights = work[0], lattice.weights
    together, n_radial, n_sectors = lattice.together[c], lattice.n_radial[c], lattice.n_azimuths
    for band in range(lattice.start[c], lattice.start[c + 1]):
        n_along = lattice.n_along[band]
        n = np.uint64(n_sectors * n_along)
        begin, at = np.uint64(lattice.rings[band]), np.uint64(lattice.rows[band])
        for first in range(lattice.first[band], lattice.stop[band], together):
            for radius in range(first, min(first + together, lattice.stop[band])):
                for e in range(n):
                    line[e] = nodes[begin + e] * weights[at + e]
                at += n
                for k in range(np.uint64(1), np.uint64(n_radial)):
                    for e in range(n):
                        line[e] += nodes[begin + k * n + e] * weights[at + e]
                    at += n
                _add_sectors(line, n_along, pattern[radius * n_sectors : (radius + 1) * n_sectors])
            for e in range(n * np.uint64(n_radial)):
                nodes[begin + e] = _ZERO
            begin += n * np.uint64(n_radial)


@kernel
def _add_sectors(line, n_along, row):
    """Add the sums of runs of ``n_along`` numbers to a row of a pattern, none below 0."""
    for j in range(row.shape[0]):
        total = _ZERO
        for e in range(j * n_along, (j + 1) * n_along):
            total += line[e]
        row[j] += total if total > _ZERO else _ZERO
