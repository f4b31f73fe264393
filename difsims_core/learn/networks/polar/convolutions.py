"""Convolutions of a few cells, pooled step by step, and mirror images of each (docs/architecture.md §8)."""

from __future__ import annotations

from difsims_core.learn.backend import keras
from difsims_core.learn.networks.polar.layers import BothSides, MirrorConvolution
from difsims_core.learn.networks.polar.shape import classes, polar_input

_HALVED = 8  # radii, and azimuths, that become one


def polar_convolutions(input_shape: tuple[int, ...], n_classes: int, dropout: float = 0.2) -> keras.Model:
    """Build the network; 185 524 weights for (74, 72, 1) and 3 classes.

    Its answer is the same for mirrored patterns, and for shifts along the azimuth by as many sectors as are pooled: 4.

    Parameters
    ----------
    input_shape
        (n_q, n_azimuths, 1); the number of azimuths is a multiple of 4.
    n_classes
        At least 2.
    dropout
        Part of the pooled features that is left out in each step of the training.

    Raises
    ------
    ModelError
        If the patterns are not polar, or too small.
    """
    inputs, features = polar_input("polar_convolutions", input_shape, (2 * _HALVED, 2 * _HALVED))
    layers, first = keras.layers, True
    for number, (filters, size, pool) in enumerate(
        [(16, (5, 5), (2, 2)), (32, (3, 3), (2, 1)), (64, (3, 3), (2, 2)), (96, (3, 3), None)], start=1
    ):
        features = MirrorConvolution(filters, size, first=first, name=f"convolution_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
        features = features if pool is None else layers.MaxPooling2D(pool, name=f"pool_{number}")(features)
        first = False
    for number, size in enumerate([(int(features.shape[1]), 1), (1, 9)], start=5):
        features = MirrorConvolution(128, size, whole=True, name=f"convolution_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
    answer = classes(BothSides(name="both_sides")(features), n_classes, 128, dropout)
    return keras.Model(inputs, answer, name="polar_convolutions")
