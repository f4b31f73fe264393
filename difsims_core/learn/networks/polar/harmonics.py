"""Circular harmonics: all radii and azimuths at once, in a few layers (docs/architecture.md §8)."""

from __future__ import annotations

from difsims_core.learn.backend import keras
from difsims_core.learn.networks.polar.layers import HarmonicMixing
from difsims_core.learn.networks.polar.shape import classes, polar_input


def polar_harmonics(
    input_shape: tuple[int, ...], n_classes: int, filters: int = 160, harmonics: int = 36, dropout: float = 0.2
) -> keras.Model:
    """Build the network; 1 850 596 weights for (74, 72, 1) and 3 classes.

    The first layer sees each radius as a channel. Its answer is the same for every shift along the azimuth by whole
    sectors, and for mirrored patterns.

    Parameters
    ----------
    input_shape
        (n_q, n_azimuths, 1).
    n_classes
        At least 2.
    filters
        Channels of each layer.
    harmonics
        Orders of the first layer, 0 … n − 1, at most half as many as there are azimuths; the others, of broader
        features, have three quarters of them.
    dropout
        Part of the pooled features that is left out in each step of the training.

    Raises
    ------
    ModelError
        If the patterns are not polar, or too small.
    """
    inputs, scaled = polar_input("polar_harmonics", input_shape, (2, 16))
    layers = keras.layers
    features = layers.Permute((2, 1), name="by_azimuth")(layers.Reshape(input_shape[:2], name="one_channel")(scaled))
    first = max(1, min(int(harmonics), input_shape[1] // 2))
    orders = [first, *2 * [max(1, 3 * first // 4)]]
    for number, order in enumerate(orders, start=1):
        features = HarmonicMixing(int(filters), order, name=f"mixing_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
    return keras.Model(inputs, classes(features, n_classes, 128, dropout), name="polar_harmonics")
