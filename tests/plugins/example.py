"""A package of somebody else: an imperfection at each stage, a network. Tests install it into a folder of their own."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from difsims_core.config.base import Spec
from difsims_core.config.distributions import Distribution, Uniform
from difsims_core.diffraction.imperfections.base import (
    CountsImperfection,
    DrawsImperfection,
    ProfileImperfection,
    SpotsImperfection,
    sample,
)


class DriftSpec(Spec):
    """The calibration is off, the same for all patterns; how far a scan has drifted is drawn."""

    calibration_scale: float = 1.01
    drift_px: Distribution = Uniform(uniform=(0.0, 3.0))


class Drift(DrawsImperfection):
    """Replaces one quantity and adds another."""

    version, section = "1", DriftSpec

    def draw(self, section, draws, random):
        scale = np.full_like(draws["calibration_scale"], section.calibration_scale)
        return {"calibration_scale": scale, "drift_px": sample(section.drift_px, random, "drift")}


class FadeSpec(Spec):
    """Which spots are gone, and how much the others differ."""

    g_max_per_angstrom: float = Field(default=0.4, gt=0)
    scatter: float = Field(default=0.5, ge=0, le=1)


class Fade(SpotsImperfection):
    """Takes spots beyond a circle away and dims the others at random."""

    version, section = "1", FadeSpec

    def change_spots(self, section, spots, draws, random):
        kept = np.linalg.norm(spots.g, axis=1) < section.g_max_per_angstrom
        return replace(spots, intensity=spots.intensity * kept * (1 - section.scatter * random.uniform("dimming")))


class BlurSpec(Spec):
    """Thermal motion."""

    b_angstrom2: float = Field(default=2.0, ge=0, description="B of exp(−B q² / 4)")


class Blur(ProfileImperfection):
    """Damps what lies far out, in profiles, polar patterns and images alike."""

    version, section, routes = "1", BlurSpec, frozenset(("profile", "polar", "image"))

    def change_signal(self, section, values, axes, draws, random):
        return values * np.exp(-section.b_angstrom2 * axes.q_per_angstrom**2 / 4)


class GainSpec(Spec):
    """How uneven the detector is."""

    slope: float = 0.5


class Gain(CountsImperfection):
    """Reads too much far out."""

    version, section = "1", GainSpec

    def change_counts(self, section, values, axes, draws, random):
        return values * (1 + section.slope * axes.q_per_angstrom)


def flat_network(input_shape, n_classes, *, width=8):
    """Return one hidden layer."""
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(width), keras.layers.Dense(n_classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])
