"""A mosaic of grains whose boundaries are a pixel or so wide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH_PX = 1.0  # of a boundary, between a pixel that shows one grain and one that shows the other
_CANDIDATES = 4


@dataclass(frozen=True)
class Mosaic:
    """Which seeds the positions (ny, nx) of a scan show.

    Attributes
    ----------
    larger, smaller
        Indices of seeds, of the larger and the smaller part.
    fraction
        Of the larger part, 0.5 … 1.
    """

    larger: np.ndarray
    smaller: np.ndarray
    fraction: np.ndarray

    @classmethod
    def of(cls, side: int, n: int, random: np.random.Generator) -> Mosaic:
        """Return the cells of n seeds; each is the farthest from the others of a few random places."""
        seeds = random.uniform(-0.5, side - 0.5, size=(1, 2))
        while len(seeds) < n:
            places = random.uniform(-0.5, side - 0.5, size=(_CANDIDATES, 2))
            nearest = np.linalg.norm(places[:, None] - seeds, axis=2).min(axis=1)
            seeds = np.concatenate([seeds, places[[nearest.argmax()]]])
        pixels = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1)
        distance = np.linalg.norm(pixels[:, :, None] - seeds, axis=3)
        larger, smaller = np.moveaxis(np.argsort(distance, axis=2)[..., :2], 2, 0)
        near, far = (np.take_along_axis(distance, which[..., None], axis=2)[..., 0] for which in (larger, smaller))
        from_boundary = (far**2 - near**2) / (2 * np.linalg.norm(seeds[larger] - seeds[smaller], axis=2))
        return cls(larger, smaller, np.minimum(0.5 + from_boundary / WIDTH_PX, 1))
