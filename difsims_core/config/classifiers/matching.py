"""The parameters of classifiers that compare patterns with templates (docs/physics.md §12)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from difsims_core.config.learning import TrainingDocument


class MatchingDocument(TrainingDocument):
    """What is chosen of any templates."""

    resolution_deg: float = Field(default=1.5, ge=0.3, le=3, description="between the beam directions, degrees")
    thicknesses: int = Field(
        default=3, ge=1, le=16, description="of the range of the simulated ones: the middles of so many even parts"
    )
    lattice_scales: int = Field(default=5, ge=1, le=41, description="lattice scales, evenly over scale_range")
    scale_range: float = Field(
        default=0.02, ge=0, le=0.2, description="how far these go from the middle of the simulated ones, relative"
    )
    intensities: Literal["simulated", "kinematical"] = Field(
        default="simulated", description="of the templates: by the engine of the simulation, or kinematical"
    )
    sigma_px: float | None = Field(
        default=None,
        ge=0.5,
        le=40,
        description="spots of templates, pixels; null: the middle of the simulated ones",
    )
    calibrate_on: int = Field(
        default=2000, ge=50, le=100_000, description="simulated patterns by which scores become probabilities"
    )


class TemplatesSpec(MatchingDocument):
    """How polar patterns are matched: templates at every turn and mirror, phase and orientation.

    Examples
    --------
    >>> TemplatesSpec(resolution_deg=2).cells
    384
    """

    kind: Literal["templates"] = "templates"  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
    cells: int = Field(
        default=384, ge=32, le=2048, multiple_of=8, description="the strongest cells of a template are compared"
    )
    power: float = Field(
        default=0.2, gt=0, le=1, description="of what rises above its ring: 0.5, amplitudes; small: where spots are"
    )
    directions_by_profile: float = Field(
        default=0.35, gt=0, le=1, description="part of the beam directions that the profile of a pattern leaves"
    )
    directions_by_few: float = Field(
        default=0.05, gt=0, le=1, description="part of these that a match of the strongest cells leaves"
    )


class ProfileMatchingSpec(MatchingDocument):
    """How profiles are matched: by their correlation, backgrounds aside.

    Examples
    --------
    >>> ProfileMatchingSpec().kind
    'profile_matching'
    """

    kind: Literal["profile_matching"] = "profile_matching"  # pyright: ignore[reportIncompatibleVariableOverride]
    smooth_degree: int = Field(
        default=5, ge=0, le=12, description="of the polynomial in q that stands for backgrounds and halos"
    )


class NnlsSpec(ProfileMatchingSpec):
    """How profiles are taken for mixtures: non-negative parts of one template of each phase, and backgrounds.

    Examples
    --------
    >>> NnlsSpec().kind
    'nnls'
    """

    kind: Literal["nnls"] = "nnls"  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
