"""Sparse templates against polar patterns, at every turn in the plane and both mirrors (docs/physics.md §12).

A turn is a shift of the azimuth, a mirror reverses it. A pattern is laid out twice along the azimuth, so that the sum
over the cells of a template runs over all shifts at once, without a wrap: cell by cell a multiple of a row is added to
the scores. A pattern of 72 azimuths and a template of 96 cells take 1.2 µs for both mirrors on one core, 11 times
less than by FFT along the azimuth (matrix products in each frequency and the way back), which knows nothing of empty
cells. The floor is the product and sum of 96 · 72 · 2 pairs, from the first-level cache.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

TOGETHER = 8
"""Cells that are added at a time; templates hold a multiple of them."""


@kernel
def twice_round(patterns, out):
    """Fill ``out`` (n, n_q, 2 n_φ) float32 with patterns (n, n_q, n_φ), each row twice, scaled to a norm of 1.

    A pattern of zeros stays one.
    """
    n_azimuths = patterns.shape[2]
    for i in range(patterns.shape[0]):
        total = 0.0
        for row in range(patterns.shape[1]):
            for j in range(n_azimuths):
                total += float(patterns[i, row, j]) ** 2
        scale = np.float32(1.0 / np.sqrt(total)) if total > 0.0 else np.float32(0.0)
        for row in range(patterns.shape[1]):
            for j in range(n_azimuths):
                value = patterns[i, row, j] * scale
                out[i, row, j] = value
                out[i, row, n_azimuths + j] = value


@kernel
def turned_scores(flat, offset, amplitude, scores):
    """Fill ``scores`` (n_φ,) with those of one template for each turn.

    Parameters
    ----------
    flat
        (n_q · 2 n_φ,) float32, of ``twice_round``.
    offset
        (cells,) int32 places in it of the template's cells at no turn, below n_φ in their rows.
    amplitude
        (cells,) float32; a multiple of `TOGETHER`.
    """
    n = scores.shape[0]
    scores[:] = np.float32(0.0)
    for k in range(0, offset.shape[0], TOGETHER):
        r0, r1 = flat[offset[k] : offset[k] + n], flat[offset[k + 1] : offset[k + 1] + n]
        r2, r3 = flat[offset[k + 2] : offset[k + 2] + n], flat[offset[k + 3] : offset[k + 3] + n]
        r4, r5 = flat[offset[k + 4] : offset[k + 4] + n], flat[offset[k + 5] : offset[k + 5] + n]
        r6, r7 = flat[offset[k + 6] : offset[k + 6] + n], flat[offset[k + 7] : offset[k + 7] + n]
        a0, a1, a2, a3 = amplitude[k], amplitude[k + 1], amplitude[k + 2], amplitude[k + 3]
        a4, a5, a6, a7 = amplitude[k + 4], amplitude[k + 5], amplitude[k + 6], amplitude[k + 7]
        for j in range(n):
            scores[j] += (a0 * r0[j] + a1 * r1[j] + a2 * r2[j] + a3 * r3[j]) + (
                a4 * r4[j] + a5 * r5[j] + a6 * r6[j] + a7 * r7[j]
            )


@kernel
def best_turns(doubled, offset, amplitude, candidates, n_azimuths, score, turn, mirrored):
    """Find the best turn and mirror of each candidate.

    Parameters
    ----------
    doubled
        (n, n_q, 2 n_φ) float32, of ``twice_round``.
    offset
        (ways, m, cells) int32: places of the cells of each template, plain and, where there are two ways, mirrored.
    amplitude
        (m, cells) float32.
    candidates
        (n or 1, c) int32: the templates that each pattern, or every pattern, is compared with.
    n_azimuths
        n_φ.
    score, turn, mirrored
        (n, c) float32, int16, bool, filled: the first of the best turns, by ``turn`` cells towards larger azimuths,
        without a mirror where both are as good.
    """
    scores = np.empty(n_azimuths, np.float32)
    for i in range(doubled.shape[0]):
        flat, chosen = doubled[i].ravel(), candidates[i % candidates.shape[0]]
        for c in range(chosen.shape[0]):
            best, at, way = np.float32(-1.0), 0, 0
            for w in range(offset.shape[0]):
                turned_scores(flat, offset[w, chosen[c]], amplitude[chosen[c]], scores)
                top = scores[0]
                for j in range(n_azimuths):
                    top = max(top, scores[j])
                if top > best:
                    best, way, at = top, w, 0
                    while scores[at] != top:
                        at += 1
            score[i, c], turn[i, c], mirrored[i, c] = best, at, way == 1


@kernel
def best_beside(doubled, offset, amplitude, first, beside, turn, mirrored, score, template):
    """Find the best of the templates of each direction at one turn: in a fourteenth of the time of `best_turns`.

    Parameters
    ----------
    doubled, offset, amplitude
        Those of ``best_turns``.
    first
        (n, c) int32: the first template of each direction.
    beside
        How many a direction has.
    turn, mirrored
        (n, c) int16, bool: at which turn and mirror each is compared.
    score, template
        (n, c) float32, int32, filled.
    """
    for i in range(doubled.shape[0]):
        flat = doubled[i].ravel()
        for c in range(first.shape[1]):
            best, at = np.float32(-1.0), first[i, c]
            turned, way = flat[turn[i, c] :], 1 if mirrored[i, c] else 0
            for t in range(first[i, c], first[i, c] + beside):
                found = _product(turned, offset[way, t], amplitude[t])
                if found > best:
                    best, at = found, t
            score[i, c], template[i, c] = best, at


@kernel
def _product(flat, offset, amplitude):
    """Return the sum over cells at the turn at which ``flat`` begins."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0.0)
    for k in range(0, offset.shape[0], TOGETHER):
        s0 += amplitude[k] * flat[offset[k]]
        s1 += amplitude[k + 1] * flat[offset[k + 1]]
        s2 += amplitude[k + 2] * flat[offset[k + 2]]
        s3 += amplitude[k + 3] * flat[offset[k + 3]]
        s4 += amplitude[k + 4] * flat[offset[k + 4]]
        s5 += amplitude[k + 5] * flat[offset[k + 5]]
        s6 += amplitude[k + 6] * flat[offset[k + 6]]
        s7 += amplitude[k + 7] * flat[offset[k + 7]]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@kernel
def scores_around(doubled, offset, amplitude, template, mirrored, scores):
    """Fill ``scores`` (n, n_φ) with those of one template for each pattern, at all turns and one mirror.

    ``template`` (n,) and ``mirrored`` (n,) say which; other parameters as ``best_turns``.
    """
    for i in range(doubled.shape[0]):
        way = 1 if mirrored[i] else 0
        turned_scores(doubled[i].ravel(), offset[way, template[i]], amplitude[template[i]], scores[i])
