"""Layers that turn and mirror with their input.

A pattern that is shifted along its azimuth gives shifted features, one that is mirrored gives mirrored ones; what is
pooled over all azimuths is the same for all of them (T. Cohen, M. Welling, ICML 2016, arXiv:1602.07576).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from difsims_core.learn.backend import keras

_PACKAGE = "difsims"
_HEIGHT = 0.15
_SMALLEST_SQUARE = 1e-12


@keras.saving.register_keras_serializable(_PACKAGE)
class RmsScaling(keras.layers.Layer):
    """Scale each pattern to one root mean square, its only weight; the brightest spot no longer sets the others' scale.

    A pattern of zeros stays one.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 the same for every shape
        """Make the weight: about the root mean square of amplitudes whose maximum is 1."""
        self.height = self.add_weight(shape=(), initializer=keras.initializers.Constant(_HEIGHT), name="height")

    def call(self, inputs: Any) -> Any:
        """Return (n, …) patterns, as they came in but for their scale."""
        ops = keras.ops
        square = ops.mean(ops.square(inputs), axis=tuple(range(1, len(inputs.shape))), keepdims=True)
        scale = ops.multiply(ops.cast(self.height, inputs.dtype), ops.rsqrt(ops.add(square, _SMALLEST_SQUARE)))
        return ops.multiply(inputs, scale)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape that came in."""
        return input_shape


@keras.saving.register_keras_serializable(_PACKAGE)
class HarmonicMixing(keras.layers.Layer):
    """Mix the channels of each circular harmonic of (n, n_azimuths, channels) features by real weights of its own.

    It is a convolution around the whole circle whose kernels are even, and therefore keep mirrored patterns mirrored.

    Parameters
    ----------
    filters
        Channels that come out.
    n_harmonics
        Orders 0 … n − 1 are kept.
    """

    def __init__(self, filters: int, n_harmonics: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.n_harmonics = filters, n_harmonics

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights, (n_harmonics, channels, filters), and the matrices of the transform."""
        _, n_azimuths, channels = input_shape
        if n_azimuths is None or channels is None:
            raise ValueError(f"expected (n, n_azimuths, channels) of known sizes, found {input_shape}")
        variance = keras.initializers.VarianceScaling(2.0, "fan_in", "truncated_normal")
        self.mixing = self.add_weight(
            shape=(self.n_harmonics, channels, self.filters), initializer=_each_order(variance), name="mixing"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        angle = 2 * np.pi * np.outer(np.arange(self.n_harmonics), np.arange(n_azimuths)) / n_azimuths
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) / np.sqrt(n_azimuths)
        twice = np.where(np.arange(self.n_harmonics) % n_azimuths == 0, 1, 2)  # the others have a partner of order −m
        self._analysis = waves.astype(np.float32)
        self._synthesis = (np.tile(twice, 2)[:, None] * waves).T.astype(np.float32)

    def call(self, inputs: Any) -> Any:
        """Return (n, n_azimuths, filters)."""
        ops = keras.ops
        analysis, synthesis = (ops.cast(waves, inputs.dtype) for waves in (self._analysis, self._synthesis))
        spectrum = ops.transpose(ops.matmul(analysis, inputs), (1, 0, 2))  # (2 n_harmonics, n, channels)
        mixing = ops.concatenate([self.mixing, self.mixing])
        mixed = ops.transpose(ops.matmul(spectrum, ops.cast(mixing, inputs.dtype)), (1, 0, 2))
        return ops.add(ops.matmul(synthesis, mixed), ops.cast(self.bias, inputs.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, n_azimuths, filters)."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return what it is built from."""
        return {**super().get_config(), "filters": self.filters, "n_harmonics": self.n_harmonics}


@keras.saving.register_keras_serializable(_PACKAGE)
class MirrorConvolution(keras.layers.Layer):
    """Convolve (n, n_q, n_azimuths, channels) features, around the circle, with kernels and their mirror images.

    Half of the channels that come out are those of a kernel, the other half those of its mirror image: a mirrored
    pattern gives mirrored features with the halves exchanged, and what is pooled over both is the same.

    Parameters
    ----------
    filters
        Channels that come out, an even number.
    size
        Radii and azimuths of a kernel, odd numbers but for ``whole``.
    whole
        Whether a kernel sees radii of the input alone; False: zeros lie around them, and as many come out.
    first
        Whether the input is a pattern, whose channels have no mirror images.
    """

    def __init__(
        self, filters: int, size: tuple[int, int], *, whole: bool = False, first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.size, self.whole, self.first = filters, tuple(size), whole, first

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights: a kernel for the features, and one for their mirror images where they have any."""
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(f"expected a known number of channels, found {input_shape}")
        parts = 1 if self.first else 2
        variance = keras.initializers.VarianceScaling(2.0 / parts, "fan_in", "truncated_normal")
        shape = (*self.size, channels // parts, self.filters // 2)
        self.kernels = [
            self.add_weight(shape=shape, initializer=variance, name=f"kernel_{number}") for number in range(parts)
        ]
        self.bias = self.add_weight(shape=(self.filters // 2,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Return (n, radii, n_azimuths, filters)."""
        ops = keras.ops
        mirrored = [ops.flip(kernel, axis=1) for kernel in self.kernels]
        halves = [ops.concatenate(self.kernels, axis=2), ops.concatenate(mirrored[::-1], axis=2)]
        around, across = self.size[1] // 2, 0 if self.whole else self.size[0] // 2
        if around:
            inputs = ops.concatenate([inputs[:, :, -around:], inputs, inputs[:, :, :around]], axis=2)
        if across:
            inputs = ops.pad(inputs, ((0, 0), (across, across), (0, 0), (0, 0)))
        features = ops.conv(inputs, ops.cast(ops.concatenate(halves, axis=3), inputs.dtype), padding="valid")
        return ops.add(features, ops.cast(ops.tile(self.bias, (2,)), inputs.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, radii, n_azimuths, filters)."""
        n, radii, azimuths, _ = input_shape
        lost = self.size[0] - 1 if self.whole and radii is not None else 0
        return (n, radii if radii is None else radii - lost, azimuths, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return what it is built from."""
        own = {"filters": self.filters, "size": self.size, "whole": self.whole, "first": self.first}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(_PACKAGE)
class BothSides(keras.layers.Layer):
    """Put mirror images beside what they are of: (n, 1, n_azimuths, 2 c) features become (n, 2 n_azimuths, c)."""

    def call(self, inputs: Any) -> Any:
        """Return (n, 2 n_azimuths, channels)."""
        half = inputs.shape[-1] // 2
        return keras.ops.concatenate([inputs[:, 0, :, :half], inputs[:, 0, :, half:]], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, 2 n_azimuths, channels)."""
        n, _, azimuths, channels = input_shape
        return (n, None if azimuths is None else 2 * azimuths, None if channels is None else channels // 2)


def _each_order(initializer: Any) -> Any:
    """Return an initializer that gives each order the weights of a dense layer."""

    def initialise(shape: tuple[int, ...], dtype: Any = None) -> Any:
        orders, channels, filters = shape
        flat = initializer((channels, orders * filters), dtype=dtype)
        return keras.ops.transpose(keras.ops.reshape(flat, (channels, orders, filters)), (1, 0, 2))

    return initialise
