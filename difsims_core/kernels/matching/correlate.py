"""Profiles against many profiles: every scalar product, in an order that no split of the work changes."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

TOGETHER = 4
"""Patterns, and radii, that are worked on at a time."""
_TILE = 1024  # templates: their scores of four patterns, and four of their radii, stay in the first-level cache
_BINS = 1024


@kernel
def correlate(profiles, templates, scores):
    """Fill ``scores`` with the scalar products of profiles and templates.

    Parameters
    ----------
    profiles
        (n, n_q) float32; n and n_q multiples of `TOGETHER`, with zeros where there is nothing.
    templates
        (n_q, m) float32.
    scores
        (n, m) float32.
    """
    n_q, m = templates.shape
    for first in range(0, m, _TILE):
        size = min(_TILE, m - first)
        for i in range(0, profiles.shape[0], TOGETHER):
            s0, s1 = scores[i, first : first + size], scores[i + 1, first : first + size]
            s2, s3 = scores[i + 2, first : first + size], scores[i + 3, first : first + size]
            scores[i : i + TOGETHER, first : first + size] = np.float32(0.0)
            for q in range(0, n_q, TOGETHER):
                t0, t1 = templates[q, first : first + size], templates[q + 1, first : first + size]
                t2, t3 = templates[q + 2, first : first + size], templates[q + 3, first : first + size]
                a, b = profiles[i, q : q + TOGETHER], profiles[i + 1, q : q + TOGETHER]
                c, d = profiles[i + 2, q : q + TOGETHER], profiles[i + 3, q : q + TOGETHER]
                a0, a1, a2, a3 = a[0], a[1], a[2], a[3]
                b0, b1, b2, b3 = b[0], b[1], b[2], b[3]
                c0, c1, c2, c3 = c[0], c[1], c[2], c[3]
                d0, d1, d2, d3 = d[0], d[1], d[2], d[3]
                for j in range(size):
                    x, y, z, w = t0[j], t1[j], t2[j], t3[j]
                    s0[j] += a0 * x + a1 * y + a2 * z + a3 * w
                    s1[j] += b0 * x + b1 * y + b2 * z + b3 * w
                    s2[j] += c0 * x + c1 * y + c2 * z + c3 * w
                    s3[j] += d0 * x + d1 * y + d2 * z + d3 * w


@kernel
def largest(scores, chosen):
    """Fill ``chosen`` (n, c) int32 with the places of c large scores of each row (n, m), in increasing order.

    All are there that exceed the c-th largest by more than a thousandth of the range of the row, and the first of those
    about as large as it: a selection in linear time.
    """
    m, c = scores.shape[1], chosen.shape[1]
    count = np.empty(_BINS, np.int64)
    for i in range(scores.shape[0]):
        row = scores[i]
        low, high = row[0], row[0]
        for j in range(m):
            low, high = min(low, row[j]), max(high, row[j])
        per_unit = np.float32(0.999) * np.float32(_BINS) / (high - low) if high > low else np.float32(0.0)
        count[:] = 0
        for j in range(m):
            count[int((row[j] - low) * per_unit)] += 1
        edge, above = _BINS - 1, 0
        while above + count[edge] < c:
            above += count[edge]
            edge -= 1
        room, at = c - above, 0
        for j in range(m):
            place = int((row[j] - low) * per_unit)
            if place > edge or (place == edge and room > 0):
                room -= place == edge
                chosen[i, at] = j
                at += 1
