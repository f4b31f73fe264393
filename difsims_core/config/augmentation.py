"""What a microscope and a detector do to a pattern, training data only (docs/physics.md §§5–7)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, field_validator, model_validator

from difsims_core.config.base import Spec
from difsims_core.config.distributions import Choice, Distribution, LogUniform, Uniform, within
from difsims_core.config.keys.aliases import hot_probability, left_alone, with_first_names_replaced
from difsims_core.config.keys.fingerprint import FirstName

MOST_SIGMAS = 64
STEEPEST_POWER = 8.0


class SpotRemovalSpec(Spec):
    """Drop some of the brightest spots; never all of them (docs/physics.md §5)."""

    among: int = Field(default=5, ge=1, le=64, description="N: the brightest spots that may go")
    count: Annotated[StrictInt, Field(ge=0)] | Literal["uniform"] = Field(
        default="uniform", description="n: how many of them go; uniform draws 0 … N for each pattern"
    )

    @model_validator(mode="after")
    def _count_within_among(self) -> SpotRemovalSpec:
        if self.count != "uniform" and self.count > self.among:
            raise ValueError(f"count {self.count} is more than among {self.among}: n of the N brightest spots go")
        return self


class SpotsSpec(Spec):
    """Spots on the detector (docs/physics.md §5)."""

    sigma_px: Annotated[Distribution, within(0.5, 40.0, "pixels")] = Field(
        default=Uniform(uniform=(1.0, 4.0)),
        description="standard deviation of a spot, pixels; a range is drawn as one of 64 evenly spaced values",
    )
    removal: SpotRemovalSpec | None = Field(default=SpotRemovalSpec(), description="drop some of the brightest spots")
    direct_beam: Annotated[Distribution, within(0.0, 1e6, "times the brightest reflection")] | None = Field(
        default=None, description="intensity of the direct beam relative to the brightest reflection; null: none"
    )
    convergence_semi_angle_mrad: Annotated[Distribution, within(0.0, 20.0, "mrad")] | None = Field(
        default=None, description="spots are discs of this semi-angle, partially excited, blurred by σ; null: points"
    )

    @field_validator("sigma_px")
    @classmethod
    def _few_sizes(cls, value: Distribution) -> Distribution:
        if isinstance(value, Choice) and len(value.choice) > MOST_SIGMAS:
            raise ValueError(
                f"{len(value.choice)} spot sizes are listed, at most {MOST_SIGMAS} can be; give a range instead"
            )
        return value


class NoiseSpec(Spec):
    """A counting detector (docs/physics.md §6)."""

    dose: Annotated[Distribution, within(1e-3, 1e9, "counts")] = Field(
        default=LogUniform(log_uniform=(20.0, 1e5)),
        description="expected counts in the pixel at the centre of the brightest spot",
    )
    hot_pixel_probability: Annotated[
        Distribution, within(0.0, 0.5, "(a probability)"), FirstName("snr", left_alone)
    ] = Field(
        default=Uniform(uniform=(0.0, 0.0001)),
        description="probability that a pixel reads hot; also read as snr, which is 1 − 2 · hot_pixel_probability",
    )
    hot_pixel_intensity: Annotated[
        Distribution, within(0.0, 1e4, "times the maximum"), FirstName("intensity_spike")
    ] = Field(
        default=Uniform(uniform=(0.5, 1.0)),
        description="what a hot pixel reads over the maximum of the pattern; also read as intensity_spike",
    )

    @model_validator(mode="before")
    @classmethod
    def _first_names(cls, data: Any) -> Any:
        return with_first_names_replaced(data, {"snr": hot_probability})

    @field_validator("hot_pixel_probability")
    @classmethod
    def _evenly_drawn(cls, value: Distribution) -> Distribution:
        if isinstance(value, LogUniform):
            raise ValueError(  # noqa: TRY004
                "expected a number, {uniform: [low, high]} or {choice: [...]}, found log_uniform: the drawn value is "
                "kept as 1 − 2 · probability, which has no digits for it"
            )
        return value

    @property
    def snr(self) -> Distribution:
        """How snr = 1 − 2 · ``hot_pixel_probability`` is drawn, the probability that a pixel is left alone.

        ``draws/snr`` holds it.
        """
        plain = self.hot_pixel_probability.model_dump()
        return type(self.hot_pixel_probability).model_validate(left_alone(plain))


class BackgroundSpec(Spec):
    """A smooth radial background relative to the maximum of the profile (docs/physics.md §7)."""

    model: Literal["exponential", "power_law"] = Field(default="exponential", description="A · exp(−τ q) or A · q^(−τ)")
    amplitude: Annotated[Distribution, within(0.0, 1e4, "times the maximum")] = Field(
        default=Uniform(uniform=(0.0, 2.0)), description="A, times the maximum of the noise-free profile"
    )
    decay_angstrom: Annotated[Distribution, within(0.0, 200.0, "Å")] = Field(
        default=Uniform(uniform=(0.5, 6.0)), description="τ: Å for the exponential, an exponent for the power law"
    )

    @model_validator(mode="after")
    def _power_is_an_exponent(self) -> BackgroundSpec:
        steepest = self.decay_angstrom.support()[1]
        if self.model == "power_law" and steepest > STEEPEST_POWER:
            raise ValueError(
                f"the power law's exponent may be {STEEPEST_POWER:g} at most, found {steepest:g}; "
                "q^(−τ) is no longer a background beyond"
            )
        return self
