"""The long way to a radial profile: render an image, then average it over annuli (docs/physics.md §2, §5).

A spot is a Gaussian of unit volume; the image holds its density, intensity per native pixel, at pixel
centres. Super-sampled k times, it holds the density at the centres of k × k sub-pixels, so that the mean
over sub-pixels approaches the mean over the area of the annulus. The beam is at the centre of the frame,
which for an odd size is the centre of a pixel.

An annulus is 1.41 px wide. Where it runs along pixel columns, near the axes, it holds one column or two, so
that whole pixels assigned by their centres alias: one sharp spot there is wrong by tens of percent in single
bins (the sum over bins is right). k = 5 is the default because the annulus is then 7.05 sub-pixels wide, very
nearly a whole number. An image at native pixels is integrated well by sharing each pixel among the annuli
that it touches: :func:`split_pixels`.
"""

from functools import lru_cache

import numpy as np

from tests.oracles.ewald import Spots

N_BINS = 256
STEP_PER_ANGSTROM = 0.008290514530472063
CALIBRATION_PER_ANGSTROM = 0.00588
DETECTOR_SIZE_PX = 515
SUPERSAMPLE = 5
_WINDOW_IN_SIGMA = 6.0


def pixel_centres(size: int, supersample: int = 1) -> np.ndarray:
    """Return the coordinates of (sub-)pixel centres along one axis, in native pixels from the beam."""
    return (np.arange(size * supersample) + 0.5) / supersample - size / 2


def render(
    spots: Spots,
    *,
    sigma_px: float,
    calibration: float = CALIBRATION_PER_ANGSTROM,
    size: int = DETECTOR_SIZE_PX,
    supersample: int = SUPERSAMPLE,
) -> np.ndarray:
    """Return the image of ``spots``, (k·size, k·size), in intensity per native pixel; rows are y."""
    centres = pixel_centres(size, supersample)
    image = np.zeros((centres.size, centres.size))
    for gx, gy, intensity in zip(spots.gx, spots.gy, spots.intensity, strict=True):
        x, y = gx / calibration, gy / calibration
        columns = _window(centres, x, sigma_px)
        rows = _window(centres, y, sigma_px)
        profile_x = np.exp(-((centres[columns] - x) ** 2) / (2 * sigma_px**2))
        profile_y = np.exp(-((centres[rows] - y) ** 2) / (2 * sigma_px**2))
        density = intensity / (2 * np.pi * sigma_px**2)
        image[rows, columns] += density * profile_y[:, None] * profile_x[None, :]
    return image


def radial_mean(
    image: np.ndarray,
    *,
    calibration: float = CALIBRATION_PER_ANGSTROM,
    supersample: int = 1,
) -> np.ndarray:
    """Return the mean of ``image`` over the (sub-)pixel centres of every annulus, (256,); 0 where there are none."""
    size = image.shape[0] // supersample
    index = annulus_index(size, calibration, supersample)
    total = np.bincount(index, weights=image.ravel(), minlength=N_BINS + 1)[:N_BINS]
    count = np.bincount(index, minlength=N_BINS + 1)[:N_BINS]
    return np.divide(total, count, out=np.zeros(N_BINS), where=count > 0)


def split_pixels(image: np.ndarray, parts: int = SUPERSAMPLE) -> np.ndarray:
    """Cut every pixel into ``parts`` × ``parts`` of the same intensity per native pixel."""
    return np.repeat(np.repeat(image, parts, axis=0), parts, axis=1)


def pixel_counts(size: int, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return n_i, the number of pixel centres of the square frame in each annulus, (256,)."""
    return np.bincount(annulus_index(size, calibration, 1), minlength=N_BINS + 1)[:N_BINS]


def annulus_areas_px(calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return the areas of the whole annuli in px², (256,); bin 0 is a disc."""
    edges = annulus_edges_px(calibration)
    return np.pi * (edges[1:] ** 2 - edges[:-1] ** 2)


def annulus_edges_px(calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return the 257 radii that bound the annuli |q - q_i| <= step/2, in px; the first is 0."""
    return np.maximum(np.arange(N_BINS + 1) - 0.5, 0) * STEP_PER_ANGSTROM / calibration


def full_annuli(size: int = DETECTOR_SIZE_PX, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Tell which annuli lie inside the frame entirely, (256,) bool."""
    return annulus_edges_px(calibration)[1:] <= size / 2


@lru_cache(maxsize=8)
def annulus_index(size: int, calibration: float, supersample: int) -> np.ndarray:
    """Return the bin of every (sub-)pixel, flat; 256 stands for outside the grid."""
    centres = pixel_centres(size, supersample)
    q = np.hypot(centres[:, None], centres[None, :]) * calibration
    index = np.floor(q / STEP_PER_ANGSTROM + 0.5).astype(np.intp)
    return np.minimum(index, N_BINS).ravel()


def _window(centres: np.ndarray, position: float, sigma_px: float) -> slice:
    reach = _WINDOW_IN_SIGMA * sigma_px
    first, last = np.searchsorted(centres, [position - reach, position + reach])
    return slice(first, last)
