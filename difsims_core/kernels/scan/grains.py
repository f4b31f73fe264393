"""Patterns that are alike, and regions of a scan that are merged by it (docs/physics.md §12)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

LANES = 16
"""Values that are multiplied at a time; patterns are padded with zeros to a multiple of it."""


@kernel
def fill_vectors(patterns, weight, level, out):
    """Write the vectors of patterns: (shape − level) · weight, 0 where that is no finite number.

    Parameters
    ----------
    patterns
        (n, n_q, n_azimuth) float32 or float64. Of profiles, one azimuth; their shape is that over its finite mean.
    weight, level
        (n_q,) float32 each. The level of polar patterns is the mean of each ring, and this one is 0.
    out
        (n, c) float32, zeros beyond n_q · n_azimuth.
    """
    n_q, n_azimuth = patterns.shape[1:]
    for i in range(patterns.shape[0]):
        scale = 1.0
        if n_azimuth == 1:
            total, n = 0.0, 0
            for r in range(n_q):
                if abs(patterns[i, r, 0]) < np.inf:
                    total += patterns[i, r, 0]
                    n += 1
            scale = n / total if total > 0.0 else 1.0
        for r in range(n_q):
            mean = 0.0
            if n_azimuth > 1:
                for j in range(n_azimuth):
                    mean += patterns[i, r, j]
                mean /= n_azimuth
            for j in range(n_azimuth):
                value = np.float32((patterns[i, r, j] * scale - mean - level[r]) * weight[r])
                out[i, r * n_azimuth + j] = value if abs(value) < np.inf else np.float32(0.0)
        out[i, n_q * n_azimuth :] = np.float32(0.0)


@kernel
def product(one, other):
    """Return the scalar product of two rows (c,) float32, c a multiple of `LANES`."""
    sums = np.zeros(LANES, np.float32)
    for first in range(0, len(one), LANES):
        for lane in range(LANES):
            sums[lane] += one[first + lane] * other[first + lane]
    return np.float64(sums.sum())


@kernel
def products(rows, others, one, other, out):
    """Fill ``out`` (m,) with the scalar products of ``rows[one]`` and ``others[other]``, (n, c) float32 both."""
    for k in range(len(out)):
        out[k] = product(rows[one[k]], others[other[k]])


@kernel
def root_of(parent, i):
    """Return the root of a node of a forest, and make the way to it shorter."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def merge_regions(sums, squares, sizes, strength, pairs, parent, least_likeness, least_product):
    """Merge neighbouring regions that show one pattern, pair by pair, and return how many were merged.

    The likeness of two regions is 2 D / (P₁ + P₂): D the mean product of a pattern of one with a pattern of the other,
    P the mean product of two patterns within. Noise of different patterns is independent, so that none of them holds
    any.

    Parameters
    ----------
    sums, squares, sizes, strength
        Of each node, in place: (n, c) float32 sum of its patterns, (n,) float64 sum of their squares, number of them,
        and P.
    pairs
        (m, 2) int64 neighbouring nodes, the most alike first.
    parent
        (n,) int64 forest of the nodes, in place.
    least_likeness
        Of regions that are merged.
    least_product
        The least D of two single patterns that noise does not make.
    """
    merged = 0
    for k in range(len(pairs)):
        i, j = root_of(parent, pairs[k, 0]), root_of(parent, pairs[k, 1])
        if i == j or strength[i] + strength[j] <= 0.0:
            continue
        both = float(sizes[i]) * float(sizes[j])
        mean = product(sums[i], sums[j]) / both
        if 2.0 * mean < least_likeness * (strength[i] + strength[j]) or mean * np.sqrt(both) < least_product:
            continue
        if sizes[j] > sizes[i]:
            i, j = j, i
        parent[j] = i
        for c in range(sums.shape[1]):
            sums[i, c] += sums[j, c]
        sizes[i] += sizes[j]
        squares[i] += squares[j]
        strength[i] = (product(sums[i], sums[i]) - squares[i]) / (float(sizes[i]) * float(sizes[i] - 1))
        merged += 1
    return merged


@kernel
def roots_of(parent, out):
    """Fill ``out`` (n,) with the root of each node."""
    for i in range(len(out)):
        out[i] = root_of(parent, i)
