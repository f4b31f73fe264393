"""All radii of a few azimuths first, then convolutions around the circle (docs/architecture.md §8)."""

from __future__ import annotations

from difsims_core.learn.backend import keras
from difsims_core.learn.networks.polar.layers import BothSides, MirrorConvolution
from difsims_core.learn.networks.polar.shape import classes, polar_input


def polar_radial(input_shape: tuple[int, ...], n_classes: int, filters: int = 128, dropout: float = 0.2) -> keras.Model:
    """Build the network; 187 012 weights for (74, 72, 1) and 3 classes.

    Its answer is the same for mirrored patterns, and for shifts along the azimuth by as many sectors as are pooled: 4.

    Parameters
    ----------
    input_shape
        (n_q, n_azimuths, 1); the number of azimuths is a multiple of 4.
    n_classes
        At least 2.
    filters
        Channels of each layer, an even number.
    dropout
        Part of the pooled features that is left out in each step of the training.

    Raises
    ------
    ModelError
        If the patterns are not polar, or too small.
    """
    inputs, features = polar_input("polar_radial", input_shape, (2, 16))
    layers = keras.layers
    for number, (size, pool) in enumerate(
        [((input_shape[0], 3), 2), ((1, 5), 2), ((1, 5), None), ((1, 9), None)], start=1
    ):
        layer = MirrorConvolution(2 * (int(filters) // 2), size, whole=True, first=number == 1, name=f"around_{number}")
        features = layers.ReLU(name=f"relu_{number}")(layer(features))
        features = features if pool is None else layers.MaxPooling2D((1, pool), name=f"pool_{number}")(features)
    answer = classes(BothSides(name="both_sides")(features), n_classes, 128, dropout)
    return keras.Model(inputs, answer, name="polar_radial")
