"""Noise-free polar patterns of one phase, drawn into their cells without an image (PHYSICS §§2, 5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.pattern import spots_of_pattern
from difsims_core.kernels.spread import GROUP

N_AZIMUTH = 360
_DEGREE = math.pi / 180.0
_SHARP = 50.0  # κ from which the von Mises distribution is a normal one in the chord
_REACH = 4.5  # σ, along the azimuth; what lies beyond is shared among the rest
_TABLE_REACH, _PER_SIGMA = 6.0, 256.0
_NORMAL = np.array(
    [0.5 * (1.0 + math.erf((i / _PER_SIGMA - _TABLE_REACH) / math.sqrt(2.0))) for i in range(int(12 * _PER_SIGMA) + 2)]
)


@kernel
def radial_share(place, level, spread, low, high, share):
    """Fill ``share`` for the bins low … high: mean intensity per pixel of each annulus for a spot at ``place`` nodes."""
    c = int(place)
    f = place - c
    g = 1.0 - f
    w0, w1 = g * g * g / 6.0, ((3.0 * f - 6.0) * f * f + 4.0) / 6.0
    w2, w3 = ((3.0 * g - 6.0) * g * g + 4.0) / 6.0, f * f * f / 6.0
    for b in range(low, high):
        group = b // GROUP
        first, last = spread.first[level, group], spread.last[level, group]
        at = spread.place[level, group] + b - group * GROUP
        total = 0.0
        for k in range(4):
            node = c + k if c + k > 0 else 2  # node 0 is the mirror image of node 2
            if first <= node < last:
                w = w0 if k == 0 else (w1 if k == 1 else (w2 if k == 2 else w3))
                total += w * spread.weights[at + (node - first) * GROUP]
        share[b] = total


@kernel
def add_round(row, amount, kappa, azimuth):
    """Add ``amount`` to the azimuthal bins of one annulus, by the von Mises distribution about ``azimuth``, degrees."""
    total = 0.0
    for j in range(N_AZIMUTH):
        total += math.exp(kappa * (math.cos((j + 0.5 - azimuth) * _DEGREE) - 1.0))
    for j in range(N_AZIMUTH):
        row[j] += amount * math.exp(kappa * (math.cos((j + 0.5 - azimuth) * _DEGREE) - 1.0)) / total


@kernel
def add_arc(row, amount, root_kappa, chords, first, low, high, below):
    """Add ``amount`` to the azimuthal bins low … high − 1 of one annulus, by a normal distribution along the chord.

    Bins count from ``first``, where ``chords`` begin with the lower edge of the first bin; ``below`` is work space.
    """
    for e in range(low - first, high - first + 1):
        x = (chords[e] * root_kappa + _TABLE_REACH) * _PER_SIGMA
        x = min(max(x, 0.0), 2.0 * _TABLE_REACH * _PER_SIGMA)
        cell = int(x)
        below[e] = _NORMAL[cell] + (x - cell) * (_NORMAL[cell + 1] - _NORMAL[cell])
    whole = below[high - first] - below[low - first]
    scale = amount / whole
    for j in range(low, high):
        to = j % N_AZIMUTH
        row[to] += scale * (below[j - first + 1] - below[j - first])


@kernel
def add_spot(cake, first_bin, x, y, intensity, sigma, step_px, low, high, share, density, chords, below):
    """Add one spot to a polar pattern.

    Each annulus gets exactly what the radial route gives it; along the azimuth it is shared as the Gaussian is,
    exp(κ (cos Δ − 1)) with κ = r ρ / σ².

    Parameters
    ----------
    cake, first_bin
        (n_rows, 360) float32, and the annulus of its first row.
    x, y, intensity, sigma
        Place in pixels from the centre, intensity, standard deviation in pixels.
    step_px
        Width of an annulus, pixels.
    low, high, share
        Annuli that the spot reaches, and the mean intensity per pixel of each for unit intensity.
    density
        (n_bins,) mean over the whole annulus from the mean over its part on the frame.
    chords, below
        Work space, (362,) float64.
    """
    rho = math.sqrt(x * x + y * y)
    azimuth = math.atan2(y, x) / _DEGREE
    azimuth = azimuth if azimuth >= 0.0 else azimuth + N_AZIMUTH
    low, high = max(low, first_bin), min(high, first_bin + cake.shape[0])
    if high <= low:
        return
    per_kappa = rho * step_px / (sigma * sigma)
    widest = 0.0
    for b in range(low, high):
        kappa = max(b, 0.25) * per_kappa
        if kappa >= _SHARP:
            widest = _REACH / math.sqrt(kappa) / _DEGREE
            break
    start = int(math.floor(azimuth - widest)) + N_AZIMUTH
    stop = int(math.ceil(azimuth + widest)) + N_AZIMUTH
    if widest > 0.0:
        for e in range(stop - start + 1):
            chords[e] = 2.0 * math.sin(0.5 * (start + e - N_AZIMUTH - azimuth) * _DEGREE)
    for b in range(low, high):
        amount = intensity * share[b] * N_AZIMUTH * density[b]
        if amount <= 0.0:
            continue
        kappa = max(b, 0.25) * per_kappa
        row = cake[b - first_bin]
        if kappa < _SHARP:
            add_round(row, amount, kappa, azimuth)
        else:
            width = _REACH / math.sqrt(kappa) / _DEGREE
            near = int(math.floor(azimuth - width)) + N_AZIMUTH
            far = int(math.ceil(azimuth + width)) + N_AZIMUTH
            add_arc(row, amount, math.sqrt(kappa), chords, start, near, far, below)


@kernel
def phase_cakes(conditions, lattice, beam, frame, spread, polar, points, random, spots, where, cakes):
    """Add the noise-free polar patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, lattice, beam, frame, spread, points, random, spots, where
        As ``phase_profiles``.
    polar
        First annulus of ``cakes``, number of annuli of the grid, width of an annulus in pixels, reach of a spot in σ,
        and ``density`` of ``add_spot``.
    cakes
        (n, n_rows, 360) float32, added to: mean intensity per pixel of each cell.
    """
    first_bin, n_bins, step_px, reach_sigma, density = polar
    brightest = np.zeros(where.shape[0])
    share, chords, below = np.zeros(n_bins), np.empty(N_AZIMUTH + 4), np.empty(N_AZIMUTH + 4)
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, frame, points, random, spots)
        brightest[i] = top
        level, sigma = conditions.level[i], conditions.sigma[i]
        reach = reach_sigma * sigma
        for j in range(n):
            x, y = spots.x_px[j], spots.y_px[j]
            rho = math.sqrt(x * x + y * y)
            low = max(int((rho - reach) / step_px), 0, first_bin)
            high = min(int((rho + reach) / step_px) + 2, first_bin + cakes.shape[1], n_bins)
            if spots.beside[j]:
                high = min(high, spread.whole)
            if high <= low or spots.intensity[j] <= 0.0:
                continue
            radial_share(rho * spread.inverse_spacing[level], level, spread, low, high, share)
            add_spot(
                cakes[where[i]], first_bin, x, y, spots.intensity[j], sigma, step_px, low, high, share, density,
                chords, below,
            )  # fmt: skip
    return brightest
