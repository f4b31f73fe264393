"""The halo of amorphous material: a Gaussian ring in q, added before counting.

The first maximum of the structure factor of a disordered solid lies near the reciprocal of its mean nearest-neighbour
distance and is a few hundredths of an Å⁻¹ wide.

References
----------
D. J. H. Cockayne, D. R. McKenzie, Electron diffraction analysis of polycrystalline and amorphous thin films,
Acta Cryst. A44 (1988) 870.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.profile import background as kernels


def ring_shapes(q: np.ndarray, position: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return (n, n_bins) float32 exp(−(q − q₀)² / 2w²) for the grid ``q``, positions and widths (n,), all Å⁻¹."""
    shapes = np.empty((len(position), len(q)), np.float32)
    kernels.gaussian_ring(shapes, q, np.asarray(position, np.float64), np.asarray(width, np.float64))
    return shapes
