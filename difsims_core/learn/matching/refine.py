"""Orientations finer than the grid of templates: the top of the scores over turns and neighbouring directions."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.matching import turns
from difsims_core.learn.matching.search import BestMatches, PreparedPatterns, match
from difsims_core.learn.matching.sparse import SparseTemplates

_FARTHEST = 0.75  # of the distance of neighbours that a top may lie from the best direction


def refined_orientations(prepared: PreparedPatterns, templates: SparseTemplates, best: BestMatches) -> np.ndarray:
    """Return (n, 4) unit quaternions, crystal ← sample, of the best matches of n patterns.

    The turn is that of the parabola through the scores beside the best one; the direction of the beam that of the
    paraboloid, by least squares, through the scores of the eight directions around it at its thickness and lattice
    scale. Where that has no top nearby the best direction stays.
    """
    grid = templates.grid
    direction, beside = np.divmod(best.template, grid.beside)
    neighbours, places = grid.around
    candidates = np.concatenate([direction[:, None], neighbours[direction]], axis=1) * grid.beside + beside[:, None]
    scores = match(prepared, templates, candidates).score.astype(np.float64)
    beam = _top_of_paraboloid(grid.members[direction], places[direction], scores)
    return grid.orientation(direction, beam, _turn_deg(prepared, templates, best), best.mirrored)


def _turn_deg(prepared: PreparedPatterns, templates: SparseTemplates, best: BestMatches) -> np.ndarray:
    """Return (n,) turns, degrees, by the parabola through three scores."""
    n = prepared.n_azimuths
    scores = np.empty((len(best.template), n), np.float32)
    turns.scores_around(
        prepared.doubled, templates.offset, templates.amplitude, best.template, best.mirrored, scores
    )  # fmt: skip
    around = (best.turn[:, None] + np.array([-1, 0, 1])) % n
    below, middle, above = np.take_along_axis(scores, around, axis=1).T.astype(np.float64)
    bend = below - 2 * middle + above
    shift = np.divide(below - above, 2 * bend, out=np.zeros(len(bend)), where=bend < 0)
    return (best.turn + np.clip(shift, -0.5, 0.5)) * 360 / n


def _top_of_paraboloid(centre: np.ndarray, places: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return (n, 3) unit vectors at the tops of scores.

    ``scores`` (n, 1 + k) are those at ``centre`` (n, 3) and at ``places`` (n, k, 3) about it.
    """
    axis = np.eye(3)[np.abs(centre).argmin(axis=1)]
    one = np.cross(centre, axis)
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    other = np.cross(centre, one)
    at = np.stack([np.einsum("nki,ni->nk", places, way) for way in (one, other)], axis=-1)
    at = np.concatenate([np.zeros((len(centre), 1, 2)), at], axis=1)
    distance = np.linalg.norm(at, axis=2)
    reach = np.median(distance[:, 1:], axis=1)[:, None]
    x, y = np.moveaxis(at / reach[..., None], -1, 0)
    weight = np.exp(-((distance / (1.5 * reach)) ** 2))  # what lies far off does not shape the top
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1) * weight[..., None]
    fit = np.einsum("ntk,nk->nt", np.linalg.pinv(terms), scores * weight)
    gradient, (xx, xy, yy) = fit[:, 1:3], fit[:, 3:].T
    determinant = 4 * xx * yy - xy * xy
    curved = (determinant > 0) & (xx < 0)
    scale = np.where(curved, determinant, 1)
    top = np.stack([xy * gradient[:, 1] - 2 * yy * gradient[:, 0], xy * gradient[:, 0] - 2 * xx * gradient[:, 1]], 1)
    top = np.where(curved[:, None], top / scale[:, None], 0)
    length = np.linalg.norm(top, axis=1, keepdims=True)
    top *= np.minimum(1, _FARTHEST / np.maximum(length, 1e-12)) * reach
    moved = centre + top[:, :1] * one + top[:, 1:] * other
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
