"""A detector frame as an integrator sees it: its size, its scale, the beam, the pixels that count.

See docs/physics.md §2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.errors import InputError
from difsims_core.signal.grid import RadialGrid


@dataclass(frozen=True, slots=True)
class ImageGeometry:
    """What an operator depends on; ``bad_pixels`` is the packed inverse of a mask, empty without one."""

    shape: tuple[int, int]
    calibration_per_angstrom: float
    grid: RadialGrid
    centre_px: tuple[float, float]
    bad_pixels: bytes

    def good(self) -> np.ndarray:
        """Return (ny · nx,) bool."""
        n = self.shape[0] * self.shape[1]
        if not self.bad_pixels:
            return np.ones(n, bool)
        return ~np.unpackbits(np.frombuffer(self.bad_pixels, np.uint8), count=n).astype(bool)


def check_images(images: np.ndarray) -> np.ndarray:
    """Return the images as an array; refuse what is no stack of real images."""
    images = np.asarray(images)
    if images.ndim < 2 or images.dtype.kind not in "biuf":
        raise InputError(f"expected images of real numbers, shape (…, ny, nx), found {images.dtype} {images.shape}")
    return images


def image_geometry(
    shape: tuple[int, ...],
    calibration: float,
    grid: RadialGrid,
    centre_px: tuple[float, float] | None,
    mask: np.ndarray | None,
) -> ImageGeometry:
    """Check the parameters of an operator and make them hashable."""
    ny, nx = (int(n) for n in shape)
    if not (np.isfinite(calibration) and calibration > 0) or min(ny, nx) < 1:
        raise InputError(f"expected a calibration above 0 Å⁻¹/px and a shape (ny, nx), found {calibration}, {shape}")
    x, y = ((nx - 1) / 2, (ny - 1) / 2) if centre_px is None else (float(value) for value in centre_px)
    if not np.isfinite([x, y]).all():
        raise InputError(f"expected the centre (x, y) in pixels, found {centre_px}")
    if mask is None:
        return ImageGeometry((ny, nx), float(calibration), grid, (x, y), b"")
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (ny, nx):
        raise InputError(
            f"expected a mask of booleans (True for good pixels) of shape {(ny, nx)}, found {mask.dtype} {mask.shape}"
        )
    bad = b"" if mask.all() else np.packbits(~mask).tobytes()
    return ImageGeometry((ny, nx), float(calibration), grid, (x, y), bad)
