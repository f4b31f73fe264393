"""Frames as the counters of a Merlin detector send them (``R64``).

Pixels lie in 64-bit words, most significant byte first: the pixel with the smallest column in the least significant
bits. A pixel takes 1, 8 or 16 bits for a counter of 1, 6 or 12 bits; of a counter of 24 bits the upper 12 come first,
as an image of their own. Four chips lie side by side, the last first; two of them stand on their heads in the square.
(Merlin's manual; checked against LiberTEM's reader, ``libertem.io.dataset.mib``.)
"""

from __future__ import annotations

import numpy as np

from difsims_core.experiment.stored.binary import BinaryFrames
from difsims_core.experiment.stored.frames import StoredFrames

PIXEL_BITS = {1: 1, 6: 8, 12: 16, 24: 32}
"""Bits in the file by bits of the counter."""

_TYPES = {1: np.uint8, 6: np.uint8, 12: np.uint16, 24: np.uint32}


class MerlinRawFrames(StoredFrames):
    """Raw frames of one chip or of a square of four.

    Parameters
    ----------
    packed
        The bytes of each frame, (1, n_bytes) uint8.
    chip_shape
        Rows and columns of a chip.
    n_chips
        One or four.
    depth
        Bits of a counter: 1, 6, 12 or 24.
    """

    def __init__(self, packed: BinaryFrames, chip_shape: tuple[int, int], n_chips: int, depth: int) -> None:
        rows, columns = chip_shape
        edge = 2 if n_chips == 4 else 1
        super().__init__(packed.n_frames, (edge * rows, edge * columns), np.dtype(_TYPES[depth]), ())
        self._packed, self._chip, self._n_chips, self._depth = packed, chip_shape, n_chips, depth

    def _read(self, start: int, stop: int) -> np.ndarray:
        rows, columns = self._chip
        packed = self._packed.read(start, stop)[:, 0]
        if self._depth == 24:
            halves = unpacked(packed, 12).reshape(stop - start, 2, rows, -1).astype(np.uint32)
            lines = (halves[:, 0] << 12) | halves[:, 1]
        else:
            lines = unpacked(packed, self._depth).reshape(stop - start, rows, -1)
        return lines if self._n_chips == 1 else _square(lines, columns)


def unpacked(packed: np.ndarray, depth: int) -> np.ndarray:
    """Return the pixels of 64-bit words, (n, n_pixels), from (n, n_bytes) uint8.

    Parameters
    ----------
    packed
        Bytes as they lie in the file.
    depth
        Bits of the counter: 1, 6 or 12.
    """
    words = np.ascontiguousarray(packed).view(">u8").astype("<u8").view(np.uint8)
    if depth == 1:
        return np.unpackbits(words, axis=-1, bitorder="little")
    return words if depth == 6 else words.view("<u2")


def _square(lines: np.ndarray, columns: int) -> np.ndarray:
    """Return four chips as they lie: [4 | 3 | 2 | 1] → [[1, 2], [3, 4]], the lower ones turned by 180°."""
    fourth, third, second, first = (lines[:, :, place : place + columns] for place in range(0, 4 * columns, columns))
    above = np.concatenate([first, second], axis=-1)
    below = np.concatenate([third[:, ::-1, ::-1], fourth[:, ::-1, ::-1]], axis=-1)
    return np.concatenate([above, below], axis=-2)
