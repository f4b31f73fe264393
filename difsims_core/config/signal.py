"""What is done to measured and simulated profiles alike (docs/physics.md §§2, 7)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from difsims_core.config.base import Spec
from difsims_core.config.distributions import Distribution, within


class QCropSpec(Spec):
    """Rebin to ``n_points`` over [q_min, q_max], conserving the mean (docs/physics.md §2)."""

    q_min_per_angstrom: float = Field(default=0.11, ge=0, le=10)
    q_max_per_angstrom: float = Field(default=1.30, gt=0, le=10)
    n_points: int = Field(default=147, ge=2, le=10_000)
    jitter: Annotated[Distribution, within(0.8, 1.25, "(relative; 1 leaves it alone)")] | None = Field(
        default=None,
        description="factor on q_min and q_max, drawn for each pattern, as a wrong calibration has; the axis stays",
    )

    @model_validator(mode="after")
    def _ordered(self) -> QCropSpec:
        if self.q_min_per_angstrom >= self.q_max_per_angstrom:
            raise ValueError(f"q_min {self.q_min_per_angstrom:g} must be below q_max {self.q_max_per_angstrom:g} Å⁻¹")
        return self


class PolarSpec(Spec):
    """A reduced polar grid over the pixel crop, that of preprocessed scans (docs/physics.md §12)."""

    annuli_per_radius: int = Field(default=2, ge=1, le=8, description="annuli that make one radius")
    n_azimuths: int = Field(default=72, ge=8, le=360, description="sectors of the full circle")


class PostprocessingSpec(Spec):
    """From a noisy profile to what a network sees; min–max to [0, 1] always comes last."""

    sqrt: bool = Field(default=False, description="square root of the profile before the crop")
    q_crop: QCropSpec | None = Field(default=None, description="also write profiles over a q range (1d/x_q)")
