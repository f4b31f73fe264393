"""Rows times a sparse operator, term by term in a fixed order, so that bytes do not depend on the batch."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel


@kernel
def apply_rows(profiles, indptr, indices, weights, out):
    """Fill ``out`` (n, m) with ``profiles`` (n, k) times the transpose of a CSR operator (m, k)."""
    for i in range(profiles.shape[0]):
        for row in range(out.shape[1]):
            total = 0.0
            for place in range(indptr[row], indptr[row + 1]):
                total += weights[place] * profiles[i, indices[place]]
            out[i, row] = total
