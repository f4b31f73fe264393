"""Intensities compressed by a random exponent and scattered from spot to spot, as those of multiple scattering look.

Thickness takes intensities from |F|² towards |F|, an exponent γ between 1 and 1/2, and dynamical diffraction moves each
spot further, up or down; nothing of it is computed, but a classifier learns not to rely on intensities.

References
----------
R. Vincent, P. A. Midgley, Double conical beam-rocking system for measurement of integrated electron diffraction
intensities, Ultramicroscopy 53 (1994) 271.
"""

from __future__ import annotations

from difsims_core.randomness import Purpose


def scatter_purpose(*, second: bool) -> Purpose:
    """Return the address of the random numbers of a grain's spots; the second grain of a pattern has its own."""
    return Purpose.SECOND_SPOT_SCATTER if second else Purpose.SPOT_SCATTER
