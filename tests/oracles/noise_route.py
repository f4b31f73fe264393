"""Counting noise drawn pixel by pixel, then integrated; and what theory says of both routes (docs/physics.md §6).

The unit of intensity per pixel, and the "maximum of the pattern" that a hot pixel multiplies, is
P = max_j I_j / (2πσ²): the density at the centre of the brightest spot, were it alone.
"""

import numpy as np

from tests.oracles.ewald import Spots
from tests.oracles.image_route import CALIBRATION_PER_ANGSTROM, N_BINS, annulus_index, radial_mean


def intensity_unit(spots: Spots, sigma_px: float) -> float:
    """Return P; 1 for a pattern without spots."""
    if spots.intensity.size == 0:
        return 1.0
    return spots.intensity.max() / (2 * np.pi * sigma_px**2)


def noisy_image(
    image: np.ndarray,
    *,
    unit: float,
    dose: float,
    snr: float,
    intensity_spike: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return one noisy reading of ``image``, in its own intensity unit."""
    reading = rng.poisson(dose * image / unit) * (unit / dose)
    hot = rng.random(image.shape) < (1 - snr) / 2
    reading[hot] = intensity_spike * unit
    return reading


def noisy_profiles(image: np.ndarray, n: int, *, calibration: float = CALIBRATION_PER_ANGSTROM, **noise) -> np.ndarray:
    """Return the radial profiles of ``n`` noisy readings of one native image, (n, 256)."""
    return np.array([radial_mean(noisy_image(image, **noise), calibration=calibration) for _ in range(n)])


def theory(
    mean_per_pixel: np.ndarray,
    pixel_counts: np.ndarray,
    *,
    unit: float,
    dose: float,
    snr: float,
    intensity_spike: float,
    spread_within_annulus: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and variance of every bin of a noisy profile.

    With hot-pixel probability η = (1 - snr)/2 and x = p/P, the n pixels of an annulus give
    mean = P ((1 - η) x + η spike) and
    variance = P²/n ((1 - η) x / dose + η (1 - η) ((spike - x)² + v)), where v is the variance of the
    noise-free pixels over the annulus in units of P². The radial route knows only their mean: v = 0.
    """
    hot = (1 - snr) / 2
    x = mean_per_pixel / unit
    mean = (1 - hot) * x + hot * intensity_spike
    poisson = (1 - hot) * x / dose
    replaced = hot * (1 - hot) * ((intensity_spike - x) ** 2 + spread_within_annulus)
    return unit * mean, unit**2 * (poisson + replaced) / pixel_counts


def spread_within_annuli(image: np.ndarray, unit: float, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return v of :func:`theory` for a native image: the variance of its pixels in each annulus over P²."""
    index = annulus_index(image.shape[0], calibration, 1)
    mean = np.append(radial_mean(image, calibration=calibration), 0.0)
    deviation = (image.ravel() - mean[index]) / unit
    total = np.bincount(index, weights=deviation**2, minlength=N_BINS + 1)[:N_BINS]
    count = np.bincount(index, minlength=N_BINS + 1)[:N_BINS]
    return np.divide(total, count, out=np.zeros(N_BINS), where=count > 0)
