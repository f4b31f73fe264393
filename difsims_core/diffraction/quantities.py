"""What is drawn for a pattern: names, where documents ask for it, the address of its random numbers.

See docs/physics.md §8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from difsims_core.config.distributions import Choice, Distribution, LogUniform, Uniform
from difsims_core.config.simulation import SimulationSpec
from difsims_core.kernels.random import draw
from difsims_core.randomness import Purpose

SIGMA_LEVELS = 64
_STORED_BITS = 16  # of the mantissa of a number drawn from a range: steps of 10⁻⁵, and two bytes less to store


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that is drawn for each pattern.

    Attributes
    ----------
    name
        Of the array ``draws/name``.
    purpose
        Address of its random numbers.
    path
        Dotted key in the document of how it is drawn.
    absent
        Its value when the document does not ask for it; None: there is no such array then.
    fine
        Whether it keeps the full precision of float32.
    """

    name: str
    purpose: Purpose
    path: str
    absent: float | None = None
    fine: bool = False

    def asked(self, spec: SimulationSpec) -> Distribution | None:
        """Return how a document says that it is drawn; None when it does not."""
        if self.purpose is Purpose.SNR and spec.noise is not None:
            return spec.noise.snr
        found: Any = reduce(lambda node, key: getattr(node, key, None), self.path.split("."), spec)
        return found

    def wanted(self, spec: SimulationSpec) -> Distribution | None:
        """Return how it is drawn, a range by its levels where tables have to be made of them; None: it is not."""
        found = self.asked(spec)
        if found is None:
            return None
        if self.purpose is Purpose.SIGMA:
            return by_levels(found, SIGMA_LEVELS)
        if self.purpose is Purpose.THICKNESS and spec.orientations.kind == "library":
            return by_levels(found, spec.orientations.thicknesses)
        return found


QUANTITIES = (
    Quantity("calibration_scale", Purpose.CALIBRATION_SCALE, "calibration_scale", 1),
    Quantity("thickness_angstrom", Purpose.THICKNESS, "diffraction.thickness_angstrom"),
    Quantity("relrod_width_per_angstrom", Purpose.RELROD_WIDTH, "diffraction.relrod_width_per_angstrom", 0),
    Quantity("precession_angle_deg", Purpose.PRECESSION_ANGLE, "diffraction.precession_angle_deg", 0),
    Quantity("sigma_px", Purpose.SIGMA, "spots.sigma_px", 0),
    Quantity("convergence_mrad", Purpose.CONVERGENCE, "spots.convergence_semi_angle_mrad"),
    Quantity("direct_beam", Purpose.DIRECT_BEAM, "spots.direct_beam", 0),
    Quantity("intensity_exponent", Purpose.INTENSITY_EXPONENT, "intensities.exponent"),
    Quantity("intensity_scatter", Purpose.INTENSITY_SCATTER, "intensities.scatter"),
    Quantity("rms_displacement_angstrom", Purpose.DISPLACEMENT, "intensities.rms_displacement_angstrom"),
    Quantity("ellipticity", Purpose.ELLIPTICITY, "distortion.ellipticity"),
    Quantity("beam_stop_radius_px", Purpose.BEAM_STOP, "cut_off.beam_stop_radius_px"),
    Quantity("gap_width_px", Purpose.GAP_WIDTH, "cut_off.gap_width_px"),
    Quantity("gap_offset_px", Purpose.GAP_OFFSET, "cut_off.gap_offset_px"),
    Quantity("ring_amplitude", Purpose.RING_AMPLITUDE, "amorphous_ring.amplitude"),
    Quantity("ring_position_per_angstrom", Purpose.RING_POSITION, "amorphous_ring.position_per_angstrom"),
    Quantity("ring_width_per_angstrom", Purpose.RING_WIDTH, "amorphous_ring.width_per_angstrom"),
    Quantity("inelastic_amplitude", Purpose.INELASTIC_AMPLITUDE, "inelastic.amplitude"),
    Quantity("screening_per_angstrom", Purpose.SCREENING, "inelastic.screening_per_angstrom"),
    Quantity("dose", Purpose.DOSE, "noise.dose", np.inf),
    Quantity("snr", Purpose.SNR, "noise.hot_pixel_probability", 1, fine=True),
    Quantity("intensity_spike", Purpose.INTENSITY_SPIKE, "noise.hot_pixel_intensity", 0),
    Quantity("background_amplitude", Purpose.BACKGROUND_AMPLITUDE, "background.amplitude", 0),
    Quantity("background_decay_angstrom", Purpose.BACKGROUND_DECAY, "background.decay_angstrom", 0),
    Quantity("q_crop_scale", Purpose.Q_CROP, "postprocessing.q_crop.jitter"),
)


def draw_quantity(
    wanted: Distribution, seed: int, purpose: Purpose, patterns: np.ndarray, *, fine: bool = False
) -> np.ndarray:
    """Return (n,) float32 draws of one quantity for patterns with the given indices."""
    out = np.empty(len(patterns), np.float32)
    if isinstance(wanted, Choice):
        index = np.empty(len(patterns), np.int64)
        draw.choice_index(seed, patterns, len(wanted.choice), int(purpose), index)
        return np.array(wanted.choice, np.float32)[index]
    low, high = wanted.support()
    if low == high:
        out[:] = low
        return out
    kernel = draw.log_uniform if isinstance(wanted, LogUniform) else draw.uniform
    kernel(seed, patterns, low, high, int(purpose), out)
    return out if fine else np.clip(round_mantissa(out, _STORED_BITS), np.float32(low), np.float32(high))


def round_mantissa(values: np.ndarray, bits: int) -> np.ndarray:
    """Return float32 values with ``bits`` bits of explicit mantissa, rounded to nearest, ties to even."""
    drop = 23 - bits
    words = values.view(np.uint32)
    words = words + (np.uint32((1 << (drop - 1)) - 1) + ((words >> np.uint32(drop)) & np.uint32(1)))
    return (words & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)


def levels(wanted: Distribution, of_a_range: int = SIGMA_LEVELS) -> np.ndarray:
    """Return the (k,) float32 increasing values that a quantity can take; a range stands for so many even ones."""
    if isinstance(wanted, Choice):
        return np.unique(np.array(wanted.choice, np.float32))
    low, high = wanted.support()
    if low == high:
        return np.array([low], np.float32)
    spaced = np.geomspace if isinstance(wanted, LogUniform) else np.linspace
    return spaced(low, high, of_a_range).astype(np.float32)


def by_levels(wanted: Distribution, of_a_range: int) -> Distribution:
    """Return how a quantity is drawn: a range as one of so many levels."""
    if isinstance(wanted, Uniform | LogUniform):
        return Choice(choice=tuple(float(value) for value in levels(wanted, of_a_range)))
    return wanted
