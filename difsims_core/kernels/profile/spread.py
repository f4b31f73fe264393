"""Spots to radial profiles without an image (docs/physics.md §5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel

GROUP = 8
"""Annuli that are computed together, each node being read once for all of them."""
_ZERO, _ONE, _THREE, _FOUR, _SIX = (np.float32(n) for n in (0, 1, 3, 4, 6))


@kernel
def deposit(spots, n, inverse_spacing, n_nodes, nodes, weights, cells):
    """Add spots to a histogram of radii, by the weights of a cubic B-spline.

    Parameters
    ----------
    spots, n
        ``SpotBuffer`` and how many.
    inverse_spacing, n_nodes
        Nodes a pixel, and how many.
    nodes, weights
        Work space, (max_spots,) int64 and (max_spots, 4) float32.
    cells
        (2 · n_nodes,) float32: spots on the detector, then spots beside it. Node 1 is the radius 0; the operator is
        even in the radius, so node 0 is folded onto node 2.
    """
    for i in range(n):
        position = math.sqrt(spots.x_px[i] ** 2 + spots.y_px[i] ** 2) * inverse_spacing
        c = int(position)
        f = np.float32(position - c)
        g = _ONE - f
        share = np.float32(spots.intensity[i] / 6.0)
        within = c + 4 <= n_nodes  # beyond the last node nothing reaches an annulus
        c, share = (c, share) if within else (0, _ZERO)
        nodes[i] = c + spots.beside[i] * n_nodes
        weights[i, 0] = g * g * g * share
        weights[i, 1] = ((_THREE * f - _SIX) * f * f + _FOUR) * share
        weights[i, 2] = ((_THREE * g - _SIX) * g * g + _FOUR) * share
        weights[i, 3] = f * f * f * share
    for i in range(n):
        c = nodes[i]
        cells[c] += weights[i, 0]
        cells[c + 1] += weights[i, 1]
        cells[c + 2] += weights[i, 2]
        cells[c + 3] += weights[i, 3]
    for c in (0, n_nodes):
        cells[c + 2] += cells[c]
        cells[c] = _ZERO


@kernel
def gather(cells, lowest, first, last, offset, weights, profile, n_bins):
    """Add to ``profile`` what the histogram ``cells`` sends to the first ``n_bins`` annuli.

    Parameters
    ----------
    cells, lowest
        (n_nodes,) float32, and a node below which all are zero.
    first, last, offset, weights
        The operator of one σ, see ``Spread``.
    profile
        (n,) float32.
    n_bins
        Annuli from there on receive nothing.
    """
    for group in range(first.shape[0]):
        start = group * GROUP
        if start >= n_bins:
            break
        begin = max(first[group], lowest)
        if begin >= last[group]:
            continue
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = _ZERO
        at = offset[group] + (begin - first[group]) * GROUP
        for c in range(begin, last[group]):
            value = cells[c]
            w = weights[at : at + GROUP]
            a0 += value * w[0]
            a1 += value * w[1]
            a2 += value * w[2]
            a3 += value * w[3]
            a4 += value * w[4]
            a5 += value * w[5]
            a6 += value * w[6]
            a7 += value * w[7]
            at += GROUP
        sums = (a0, a1, a2, a3, a4, a5, a6, a7)
        for b in range(min(GROUP, n_bins - start)):
            profile[start + b] += sums[b]
