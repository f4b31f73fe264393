"""Noise-free polar patterns of one phase, drawn into their cells without an image (docs/physics.md §§2, 5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import spots_of_pattern
from difsims_core.kernels.profile.spread import GROUP
from difsims_core.kernels.spots.records import N_AZIMUTH

_DEGREE = math.pi / 180.0
_COS_STEP, _SIN_STEP = math.cos(0.5 * _DEGREE), math.sin(0.5 * _DEGREE)
_FAINT = 14.0  # −ln 10⁻⁶
_SHARP = 25.0  # κ from which the von Mises distribution is a normal one in the chord
_REACH = 4.0  # σ, along the azimuth; what lies beyond is shared among the rest
_TABLE_REACH, _PER_SIGMA = 6.0, 256.0
_NORMAL = np.array(
    [0.5 * (1.0 + math.erf((i / _PER_SIGMA - _TABLE_REACH) / math.sqrt(2.0))) for i in range(int(12 * _PER_SIGMA) + 2)]
)


@kernel
def radial_share(place, level, spread, low, high, share):
    """Fill ``share`` for the bins low … high: mean intensity per pixel of each annulus of a spot at node ``place``."""
    c = int(place)
    f = place - c
    g = 1.0 - f
    weights = (
        g * g * g / 6.0,
        ((3.0 * f - 6.0) * f * f + 4.0) / 6.0,
        ((3.0 * g - 6.0) * g * g + 4.0) / 6.0,
        f**3 / 6.0,
    )
    for b in range(low, high):
        share[b] = 0.0
    for group in range(low // GROUP, (high - 1) // GROUP + 1):
        first, last = spread.first[level, group], spread.last[level, group]
        start, stop = max(low, group * GROUP), min(high, (group + 1) * GROUP)
        for k in range(4):
            node = c + k if c + k > 0 else 2  # node 0 is the mirror image of node 2
            if first <= node < last:
                at = spread.offset[level, group] + (node - first) * GROUP - group * GROUP
                for b in range(start, stop):
                    share[b] += weights[k] * spread.weights[at + b]


@kernel
def add_round(row, amount, kappa, azimuth, arc):
    """Add ``amount`` to the azimuthal bins of one annulus, by the von Mises distribution about ``azimuth``, degrees.

    ``arc`` (360,) float32 is work space; bins with less than 10⁻⁶ of the brightest get nothing.
    """
    reach = math.acos(max(1.0 - _FAINT / kappa, -1.0)) / _DEGREE if kappa > 0.0 else 180.0
    start = int(math.floor(azimuth - reach))
    n = min(int(math.ceil(azimuth + reach)) - start, N_AZIMUTH)
    total = 0.0
    for e in range(n):
        value = math.exp(kappa * (math.cos((start + e + 0.5 - azimuth) * _DEGREE) - 1.0))
        arc[e] = value
        total += value
    add_arcs(row, start % N_AZIMUTH, n, np.float32(amount / total), np.float32(0), arc, arc)


@kernel
def fill_arc(root_kappa, chords, n, below, arc):
    """Fill ``arc`` (n,) with the parts of a spot in n azimuthal bins, a normal distribution along the chord.

    ``chords`` (n + 1,) belong to the edges of the bins; what lies beyond is shared among them. ``below`` is work space.
    """
    scale = root_kappa * _PER_SIGMA
    for e in range(n + 1):
        x = chords[e] * scale + _TABLE_REACH * _PER_SIGMA
        x = x if x > 0.0 else 0.0
        x = x if x < 2.0 * _TABLE_REACH * _PER_SIGMA else 2.0 * _TABLE_REACH * _PER_SIGMA
        cell = int(x)
        below[e] = _NORMAL[cell] + (x - cell) * (_NORMAL[cell + 1] - _NORMAL[cell])
    whole = 1.0 / (below[n] - below[0])
    for e in range(n):
        arc[e] = (below[e + 1] - below[e]) * whole


@kernel
def add_arcs(row, start, n, inner, outer, arc, other):
    """Add inner · arc + outer · other (n,) to a row (360,) from the bin ``start`` on, around the circle."""
    until = min(n, N_AZIMUTH - start)
    for e in range(until):
        row[start + e] += inner * arc[e] + outer * other[e]
    for e in range(until, n):
        row[start + e - N_AZIMUTH] += inner * arc[e] + outer * other[e]


@kernel
def add_spot(polar_pattern, first_bin, x, y, intensity, sigma, step_px, low, high, share, density, work):
    """Add one spot to a polar pattern.

    Each annulus gets exactly what the radial route gives it; along the azimuth it is shared as the Gaussian is,
    exp(κ (cos Δ − 1)) with κ = r ρ / σ². Its width changes slowly from annulus to annulus: it is worked out on the
    spot's own annulus and at both ends, and interpolated between them.

    Parameters
    ----------
    polar_pattern, first_bin
        (n_rows, 360) float32, and the annulus of its first row.
    x, y, intensity, sigma
        Place in pixels from the centre, intensity, standard deviation in pixels.
    step_px
        Width of an annulus, pixels.
    low, high, share
        Annuli that the spot reaches, on ``polar_pattern`` or not, and the mean intensity per pixel of each for unit
        intensity.
    density
        (n_bins,) mean over the whole annulus from the mean over its part on the frame.
    work
        Work space: twice (362,) float64 and three times (361,) float32.
    """
    chords, below, inner_arc, own_arc, outer_arc = work
    rho = math.sqrt(x * x + y * y)
    azimuth = math.atan2(y, x) / _DEGREE
    azimuth = azimuth if azimuth >= 0.0 else azimuth + N_AZIMUTH
    per_kappa = rho * step_px / (sigma * sigma)
    end_bin = first_bin + polar_pattern.shape[0]
    sharp = low
    while sharp < high and max(sharp, 0.25) * per_kappa < _SHARP:
        amount = intensity * share[sharp] * N_AZIMUTH * density[sharp]
        if amount > 0.0 and first_bin <= sharp < end_bin:
            add_round(polar_pattern[sharp - first_bin], amount, max(sharp, 0.25) * per_kappa, azimuth, own_arc)
        sharp += 1
    if sharp >= high:
        return
    widest = _REACH / math.sqrt(sharp * per_kappa) / _DEGREE
    start = int(math.floor(azimuth - widest))
    n = min(int(math.ceil(azimuth + widest)) - start, N_AZIMUTH)
    half = 0.5 * (start - azimuth) * _DEGREE
    sine, cosine = math.sin(half), math.cos(half)
    for e in range(n + 1):  # each edge is the last one turned by half a degree
        chords[e] = 2.0 * sine
        sine, cosine = sine * _COS_STEP + cosine * _SIN_STEP, cosine * _COS_STEP - sine * _SIN_STEP
    own = min(max(int(rho / step_px + 0.5), sharp), high - 1)
    fill_arc(math.sqrt(sharp * per_kappa), chords, n, below, inner_arc)
    fill_arc(math.sqrt(own * per_kappa), chords, n, below, own_arc)
    fill_arc(math.sqrt((high - 1) * per_kappa), chords, n, below, outer_arc)
    start %= N_AZIMUTH
    for b in range(max(sharp, first_bin), min(high, end_bin)):
        amount = intensity * share[b] * N_AZIMUTH * density[b]
        if amount <= 0.0:
            continue
        row = polar_pattern[b - first_bin]
        if b < own:
            t = (b - sharp) / (own - sharp)
            add_arcs(row, start, n, np.float32(amount * (1.0 - t)), np.float32(amount * t), inner_arc, own_arc)
        else:
            t = (b - own) / max(high - 1 - own, 1)
            add_arcs(row, start, n, np.float32(amount * (1.0 - t)), np.float32(amount * t), own_arc, outer_arc)


@kernel
def phase_polar_patterns(conditions, lattice, beam, given, frame, spread, polar, random, spots, where, polar_patterns):
    """Add the noise-free polar patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, lattice, beam, given, frame, spread, random, spots, where
        As ``phase_profiles``.
    polar
        First annulus of ``polar_patterns``, number of annuli of the grid, width of an annulus in pixels, reach of
        a spot in σ, and ``density`` of ``add_spot``.
    polar_patterns
        (n, n_rows, 360) float32, added to: mean intensity per pixel of each cell.
    """
    first_bin, n_bins, step_px, reach_sigma, density = polar
    brightest = np.zeros(where.shape[0])
    share = np.zeros(n_bins)
    chords, below = np.empty(N_AZIMUTH + 2), np.empty(N_AZIMUTH + 2)
    arcs = np.empty((3, N_AZIMUTH + 1), np.float32)
    work = (chords, below, arcs[0], arcs[1], arcs[2])
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots)
        brightest[i] = top
        level, sigma = conditions.level[i], conditions.sigma[i]
        reach = reach_sigma * sigma
        for j in range(n):
            x, y = spots.x_px[j], spots.y_px[j]
            rho = math.sqrt(x * x + y * y)
            low = max(int((rho - reach) / step_px), 0)
            high = min(int((rho + reach) / step_px) + 2, n_bins)
            if spots.beside[j]:
                high = min(high, spread.whole)
            if min(high, first_bin + polar_patterns.shape[1]) <= max(low, first_bin) or spots.intensity[j] <= 0.0:
                continue
            radial_share(rho * spread.inverse_spacing[level], level, spread, low, high, share)
            add_spot(
                polar_patterns[where[i]],
                first_bin,
                x,
                y,
                spots.intensity[j],
                sigma,
                step_px,
                low,
                high,
                share,
                density,
                work,
            )
    return brightest
