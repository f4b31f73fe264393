"""How much one electron reads, by how much neighbouring pixels scatter (docs/physics.md §17)."""

from __future__ import annotations

import numpy as np

_EDGE_PX = 2  # of what is compared: a pixel shares electrons with its neighbours
_TILE = 4  # squares along the edge of a tile, 16 px: so large a part of a background is alike
_MOST_FRAMES = 128
_MOST_SQUARES = 2**22
_QUANTILE = 0.25  # of the tiles: the others may hold edges and spots, which scatter more
_COUNTING = 1.25  # so near to 1 readings are taken for electrons


def counts_scale(frames: np.ndarray, good: np.ndarray) -> float:
    """Return the mean reading of one electron; 1 where it is near that, less in whole numbers, or cannot be told.

    Of four neighbouring squares with readings a, b, c, d, (a − b − c + d)² is on average a + b + c + d times what an
    electron reads, for whatever sum: so squares may be chosen by their sums. Taken are, in each tile of the detector,
    the frames in which it is no brighter than usual, hence without spots.

    Parameters
    ----------
    frames
        (n, rows, columns) readings.
    good
        (rows, columns) bool: True for pixels that count.
    """
    span = 2 * _EDGE_PX * _TILE
    rows, columns = (edge // span for edge in good.shape)
    if not rows or not columns:
        return 1.0
    most = max(min(_MOST_FRAMES, _MOST_SQUARES // (rows * columns * _TILE**2)), 1)
    chosen = np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))
    cut = np.s_[: rows * span, : columns * span]
    each = [_tiles(frames[k][cut], good[cut]) for k in chosen]
    scatter, total = (np.stack(values) for values in zip(*each, strict=True))  # (n, rows, columns)
    usual = np.median(total, axis=0)
    usual = np.where(usual > 0, np.minimum(usual, total.mean(axis=0)), total.mean(axis=0))
    quiet = total <= usual
    scatter, total = (np.where(quiet, values, 0.0).sum(axis=0) for values in (scatter, total))
    told = (total > 0) & (scatter > 0)
    if not told.any():
        return 1.0
    scale = float(np.quantile(scatter[told] / total[told], _QUANTILE))
    if frames.dtype.kind in "iu":  # smooth ones, of a camera that packs them, tell no larger number of electrons
        scale = max(scale, 1.0)
    return 1.0 if 1 / _COUNTING <= scale <= _COUNTING else scale


def _tiles(frame: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared differences of the squares of each tile, and what these read, without those of bad pixels."""
    counts = good & np.isfinite(frame)
    edges = (frame.shape[0] // _EDGE_PX, _EDGE_PX, frame.shape[1] // _EDGE_PX, _EDGE_PX)
    square = np.where(counts, frame, 0).astype(np.float64).reshape(edges).sum(axis=(1, 3))
    whole = np.asarray(counts.reshape(edges).all(axis=(1, 3)))
    four = (square[::2, ::2], square[::2, 1::2], square[1::2, ::2], square[1::2, 1::2])
    whole = whole[::2, ::2] & whole[::2, 1::2] & whole[1::2, ::2] & whole[1::2, 1::2]
    scatter, total = np.square(four[0] - four[1] - four[2] + four[3]), sum(four)
    tiles = (whole.shape[0] // _TILE, _TILE, whole.shape[1] // _TILE, _TILE)
    first, second = (np.where(whole, values, 0.0).reshape(tiles).sum(axis=(1, 3)) for values in (scatter, total))
    return first, second
