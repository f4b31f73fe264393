"""What weak beams do to the couplings of strong ones: Bethe's potentials (docs/physics.md §11).

A weak beam that follows the strong ones at once leads back to them: A_ij becomes A_ij − A_iw A_wj / ς_w.

References
----------
H. Bethe, Ann. Phys. 392 (1928) 55.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

_AT_ONCE = 8


@kernel
def fold_in_weak_beams(room, origin, n_strong, n, largest, size, half_inverse):
    """Add to ``room.matrix`` and ``room.diagonal`` what weak beams bring about.

    Parameters
    ----------
    room
        ``Room``. Its matrix (rows are columns) has the couplings of strong beams, and zeros on its diagonal and beyond
        ``n_strong`` up to ``size``.
    origin
        Place of 000 in the potential.
    n_strong, n
        Weak beams are ``n_strong`` … ``n``.
    largest
        Those with a larger excitation error have no part, Å⁻¹.
    half_inverse
        1/2K, Å.
    """
    matrix, diagonal = room.matrix, room.diagonal
    real = matrix.shape[0] == 1
    back = np.zeros((2, _AT_ONCE, size), np.float32)
    there = np.zeros((2, _AT_ONCE, size), np.float32)
    m = 0
    for w in range(n_strong, n):
        if abs(room.beams.error[w]) <= largest:
            _couplings(room.real, room, origin, w, n_strong, half_inverse, back[0, m], there[0, m])
            if not real:
                _couplings(room.imaginary, room, origin, w, n_strong, half_inverse, back[1, m], there[1, m])
            m += 1
        if m == _AT_ONCE or (w == n - 1 and m > 0):
            back[:, m:], there[:, m:] = np.float32(0.0), np.float32(0.0)
            m = 0
            one = np.float32(1.0)
            _subtract_products(matrix[0], back[0], there[0], size, one, real)
            if not real:
                _subtract_products(matrix[0], back[1], there[1], size, -one, False)
                _subtract_products(matrix[1], back[0], there[1], size, one, False)
                _subtract_products(matrix[1], back[1], there[0], size, one, False)
    for j in range(n_strong):
        if real:
            for i in range(j + 1, n_strong):
                matrix[0, i, j] = matrix[0, j, i]
        diagonal[j] += matrix[0, j, j]
        matrix[0, j, j] = np.float32(0.0)


@kernel
def _couplings(table, room, origin, w, n_strong, half_inverse, back, there):
    """Fill A_iw and A_wi / ς_w of a weak beam w and all strong ones i, one part of them."""
    place, tilt = room.beams.place, room.tilt
    factor = np.float32(half_inverse * tilt[w])
    by_error = np.float32(half_inverse / (tilt[w] * room.beams.error[w]))
    for i in range(n_strong):
        own = np.float32(tilt[i])
        back[i] = factor * own * table[place[i] - place[w] + origin]
        there[i] = by_error * own * table[place[w] - place[i] + origin]


@kernel
def _subtract_products(matrix, back, there, size, sign, half):
    """Subtract ``sign`` times the products of eight pairs of vectors from a matrix whose rows are its columns.

    Of a symmetric one ``half`` is enough: what follows the diagonal in each row.
    """
    b0, b1, b2, b3, b4, b5, b6, b7 = back[0], back[1], back[2], back[3], back[4], back[5], back[6], back[7]
    for j in range(size):
        x0, x1, x2, x3 = sign * there[0, j], sign * there[1, j], sign * there[2, j], sign * there[3, j]
        x4, x5, x6, x7 = sign * there[4, j], sign * there[5, j], sign * there[6, j], sign * there[7, j]
        row = matrix[j]
        for i in range(j // _AT_ONCE * _AT_ONCE if half else 0, size):
            left = (b0[i] * x0 + b1[i] * x1) + (b2[i] * x2 + b3[i] * x3)
            right = (b4[i] * x4 + b5[i] * x5) + (b6[i] * x6 + b7[i] * x7)
            row[i] -= left + right
