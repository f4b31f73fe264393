"""What real scans show beyond spots, counting and a smooth background; all off unless a document asks for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from difsims_core.config.base import Spec
from difsims_core.config.distributions import Distribution, Uniform, within

_Amplitude = Annotated[Distribution, within(0.0, 1e4, "times the maximum")]


class TwoBeamSpec(Spec):
    """Intensities of Blackman's two-beam theory; the thickness is ``diffraction.thickness_angstrom``."""

    model: Literal["two_beam"]


class RandomIntensitiesSpec(Spec):
    """Intensities compressed by a random exponent, and scattered from spot to spot, as dynamical ones look."""

    model: Literal["random"]
    exponent: Annotated[Distribution, within(0.05, 3.0, "(an exponent)")] = Field(
        default=Uniform(uniform=(0.4, 1.0)), description="I becomes I^γ, the brightest spot kept; 1 leaves it alone"
    )
    scatter: Annotated[Distribution, within(0.0, 3.0, "(a standard deviation of ln I)")] = Field(
        default=Uniform(uniform=(0.0, 0.7)), description="standard deviation of ln I from spot to spot"
    )


class BlochSpec(Spec):
    """Intensities of many-beam dynamical diffraction; the thickness is ``diffraction.thickness_angstrom``."""

    model: Literal["bloch"]
    beams: Literal["default", "fine"] = Field(
        default="default",
        description="how many beams are taken into account; fine: more of them, at several times the cost",
    )
    rms_displacement_angstrom: Annotated[Distribution, within(0.0, 0.5, "Å")] | None = Field(
        default=None,
        description="root mean square displacement u of all atoms along one direction, Å, drawn for each pattern; "
        "B = 8π²u² comes on top of diffraction.debye_waller",
    )
    absorption: Literal["phonons"] | Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0,
        description="absorbing part of the potential over its real part, 0: none; phonons: what vibrating atoms absorb",
    )


def _has_a_model(value: Any) -> Any:
    if isinstance(value, Spec) or (isinstance(value, dict) and value.get("model") in _MODELS):
        return value
    found = value.get("model") if isinstance(value, dict) else value
    asked = f"; write {{model: {found}}}" if found in _MODELS else f"; found model {found!r}" if found else ""
    raise ValueError(f"expected {{model: …}}, one of {', '.join(_MODELS)}, and what belongs to it{asked}")


_MODELS = ("two_beam", "random", "bloch")
Intensities = Annotated[
    Annotated[TwoBeamSpec | RandomIntensitiesSpec | BlochSpec, Field(discriminator="model")],
    BeforeValidator(_has_a_model),
]


class DistortionSpec(Spec):
    """What a correction of the scan leaves behind: an ellipse for a circle, and an error of the centre."""

    ellipticity: Annotated[Distribution, within(0.0, 0.2, "(long over short axis − 1)")] = Field(
        default=Uniform(uniform=(0.0, 0.02)), description="long over short axis of a ring, less 1; any direction"
    )
    centre_error_px: Annotated[Distribution, within(0.0, 50.0, "pixels")] = Field(
        default=Uniform(uniform=(0.0, 1.0)),
        description="distance of the pattern's centre from the centre of the annuli, pixels; any direction",
    )


class AmorphousRingSpec(Spec):
    """The halo of amorphous material: a Gaussian ring, relative to the maximum of the noise-free profile."""

    amplitude: _Amplitude = Field(default=Uniform(uniform=(0.0, 0.5)), description="times the maximum of the profile")
    position_per_angstrom: Annotated[Distribution, within(0.02, 2.0, "Å⁻¹")] = Field(
        default=Uniform(uniform=(0.28, 0.38)), description="q of the ring, Å⁻¹"
    )
    width_per_angstrom: Annotated[Distribution, within(0.002, 1.0, "Å⁻¹")] = Field(
        default=Uniform(uniform=(0.02, 0.06)), description="standard deviation of the ring, Å⁻¹"
    )


class InelasticSpec(Spec):
    """Electrons that lost energy in the specimen: Lenz's angular distribution."""

    amplitude: _Amplitude = Field(
        default=Uniform(uniform=(0.0, 1.0)), description="at q = 0.1 Å⁻¹, times the maximum of the profile"
    )
    screening_per_angstrom: Annotated[Distribution, within(0.02, 5.0, "Å⁻¹")] = Field(
        default=Uniform(uniform=(0.5, 1.5)), description="1 / (2π r₀), r₀ = 0.529 Å · Z^(−1/3): 1.1 Å⁻¹ for iodine"
    )
    energy_loss_ev: float = Field(default=20.0, ge=0.1, le=5000, description="mean energy loss, eV")


class OverlapSpec(Spec):
    """A second grain in the beam, turned differently, of the same phase or another; labels then carry fractions."""

    probability: float = Field(default=0.5, ge=0, le=1, description="part of the patterns that show two grains")
    fraction: Annotated[Distribution, within(0.0, 0.5, "(a volume fraction; the second grain is the smaller one)")] = (
        Field(default=Uniform(uniform=(0.05, 0.5)), description="volume fraction of the second grain")
    )
    second_phase: Literal["any", "same"] = Field(default="any", description="phase of the second grain")


class CutOffSpec(Spec):
    """Pixels that see nothing: a round beam stop, a straight gap between detector modules."""

    beam_stop_radius_px: Annotated[Distribution, within(0.0, 4096.0, "pixels")] = Field(
        default=Uniform(uniform=(0.0, 25.0)), description="radius of the beam stop, pixels; 0: none"
    )
    gap_width_px: Annotated[Distribution, within(0.0, 512.0, "pixels")] = Field(
        default=Uniform(uniform=(0.0, 4.0)), description="width of the gap, pixels; 0: none"
    )
    gap_offset_px: Annotated[Distribution, within(-4096.0, 4096.0, "pixels")] = Field(
        default=Uniform(uniform=(-60.0, 60.0)),
        description="distance of the gap from the beam, pixels; along rows or columns, at random",
    )
