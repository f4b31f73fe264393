"""From reciprocal space to the detector: pixels, discs, beam stop, removed spots (docs/physics.md §5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.spots.excite import point_factor, point_of_disc

ON, BESIDE = 0, 1
_MOST_RANKS = 64
_HIDDEN = 1e-6  # of a spot: less than this is not seen


@kernel
def to_pixels(spots, n, per_px, distortion, frame):
    """Place spots on the detector and leave out those that it does not see; return how many are left.

    Parameters
    ----------
    spots, n
        ``SpotBuffer`` and how many.
    per_px
        Å⁻¹ per pixel.
    distortion
        (5,) xx, xy, yy of a matrix and the shift of the centre, pixels.
    frame
        ``Frame``.
    """
    xx, xy, yy, dx, dy = distortion[0], distortion[1], distortion[2], distortion[3], distortion[4]
    inverse = 1.0 / per_px
    edge2, reach2 = (frame.half_x + frame.rim) ** 2, frame.reach * frame.reach
    kept = 0
    for i in range(n):
        gx, gy = spots.x[i] * inverse, spots.y[i] * inverse
        x, y = xx * gx + xy * gy + dx, xy * gx + yy * gy + dy
        r2 = x * x + y * y
        outside = (abs(x) > frame.half_x) | (abs(y) > frame.half_y)
        if frame.square:
            near = (abs(x) <= frame.half_x + frame.rim) & (abs(y) <= frame.half_y + frame.rim)
        else:
            near = r2 <= edge2
        seen = (r2 <= reach2) & (near | (not outside))
        spots.x_px[kept], spots.y_px[kept], spots.beside[kept] = x, y, outside
        spots.x[kept], spots.y[kept], spots.z[kept] = spots.x[i], spots.y[i], spots.z[i]
        spots.reflection[kept], spots.s[kept] = spots.reflection[i], spots.s[i]
        spots.factor[kept], spots.intensity[kept] = spots.factor[i], spots.intensity[i]
        kept += seen
    return kept


@kernel
def remove_brightest(spots, n, mask):
    """Remove the r-th brightest spot on the detector for each bit r of ``mask``, but never the last one.

    The intensity of a removed spot becomes 0, so that places and order stay. Of equals the earlier one ranks first.
    """
    among = 0
    while among < _MOST_RANKS and mask >> np.uint64(among) != np.uint64(0):
        among += 1
    ranked = np.empty(_MOST_RANKS, np.int64)
    value = np.empty(_MOST_RANKS)
    found = left = 0
    for i in range(n):
        intensity = spots.intensity[i]
        if intensity <= 0.0 or spots.beside[i] != ON:
            continue
        left += 1
        if found == among and intensity <= value[among - 1]:
            continue
        found += found < among
        place = found - 1
        while place > 0 and value[place - 1] < intensity:
            value[place], ranked[place] = value[place - 1], ranked[place - 1]
            place -= 1
        value[place], ranked[place] = intensity, i
    for rank in range(found):
        if mask >> np.uint64(rank) & np.uint64(1) and left > 1:
            spots.intensity[ranked[rank]] = 0.0
            left -= 1


@kernel
def brightest_of(spots, n):
    """Return the intensity of the brightest spot on the detector; 0 without spots."""
    brightest = 0.0
    for i in range(n):
        if spots.beside[i] == ON and spots.intensity[i] > brightest:
            brightest = spots.intensity[i]
    return brightest


@kernel
def into_discs(spots, n, points, radius, beam, width, angle, per_px, distortion, frame):
    """Replace each spot by ``points`` points of its convergence disc, excited by a beam each; return how many.

    The beam of transverse component u reaches the detector at g + u.
    """
    for i in range(n - 1, -1, -1):  # from the back, so that no spot is overwritten before its turn
        x_px, y_px = spots.x_px[i], spots.y_px[i]
        share = spots.intensity[i] / (spots.factor[i] * points)
        for p in range(points - 1, -1, -1):
            value = share * point_factor(spots, i, p, points, radius, beam, width, angle)
            _add_point(spots, i * points + p, x_px, y_px, value, p, points, radius, per_px, distortion, frame)
    return n * points


@kernel
def given_into_discs(spots, n, points, radius, given, disc_start, per_px, distortion, frame):
    """As ``into_discs`` for spots of ``given``, whose points are in ``given.disc`` from ``disc_start`` on."""
    for i in range(n - 1, -1, -1):
        x_px, y_px = spots.x_px[i], spots.y_px[i]
        share = spots.intensity[i] / points
        first = disc_start + int(spots.z[i]) * points
        for p in range(points - 1, -1, -1):
            value = share * given.disc[first + p]
            _add_point(spots, i * points + p, x_px, y_px, value, p, points, radius, per_px, distortion, frame)
    return n * points


@kernel
def _add_point(spots, place, x_px, y_px, intensity, p, points, radius, per_px, distortion, frame):
    """Write point ``p`` of the disc about a spot to ``place``."""
    ux, uy = point_of_disc(p, points, radius)
    x = x_px + (distortion[0] * ux + distortion[1] * uy) / per_px
    y = y_px + (distortion[1] * ux + distortion[2] * uy) / per_px
    spots.x_px[place], spots.y_px[place], spots.intensity[place] = x, y, intensity
    spots.beside[place] = (abs(x) > frame.half_x) | (abs(y) > frame.half_y)


@kernel
def hide(spots, n, sigma, hidden):
    """Reduce intensities to the part of each spot that lies beside the beam stop, as a straight edge, and the gap."""
    stop, width, offset, along_x = hidden[0], hidden[1], hidden[2], hidden[3]
    per_sigma = 1.0 / (sigma * math.sqrt(2.0))
    for i in range(n):
        x, y, whole = spots.x_px[i], spots.y_px[i], spots.intensity[i]
        if stop > 0.0:
            spots.intensity[i] *= 0.5 * math.erfc((stop - math.sqrt(x * x + y * y)) * per_sigma)
        if width > 0.0:
            across = y if along_x > 0.0 else x
            covered = math.erf((offset + width / 2 - across) * per_sigma)
            spots.intensity[i] *= 1.0 - 0.5 * (covered - math.erf((offset - width / 2 - across) * per_sigma))
        if spots.intensity[i] < _HIDDEN * whole:
            spots.intensity[i] = 0.0


@kernel
def add_direct_beam(spots, n, intensity, points, radius_px, distortion):
    """Append the direct beam, a point or the points of a disc; return how many spots there are."""
    count = points if radius_px > 0.0 else 1
    for p in range(count):
        ux, uy = point_of_disc(p, points, radius_px) if radius_px > 0.0 else (0.0, 0.0)
        x = distortion[3] + distortion[0] * ux + distortion[1] * uy
        y = distortion[4] + distortion[1] * ux + distortion[2] * uy
        spots.x_px[n], spots.y_px[n], spots.beside[n] = x, y, 0
        spots.intensity[n] = intensity / count
        n += 1
    return n
