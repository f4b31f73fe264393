"""How crystals diffract, and which orientations they take (docs/physics.md §§3–4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from difsims_core.config.base import Spec, is_stored
from difsims_core.config.distributions import Distribution, Fixed, LogUniform, within
from difsims_core.config.keys.fingerprint import AddedLater
from difsims_core.families import ENGINES
from difsims_core.unit_names import AngleUnit, GridMethod

MOST_THICKNESSES = 64
"""Of a library."""
_LIBRARY_DEG = 0.7

ShapeFactor = Literal["lorentzian", "linear", "sinc", "sin2c", "atanc", "binary", "slab"]


class DiffractionSpec(Spec):
    """Which reflections are excited and how strongly (docs/physics.md §§3–4)."""

    engine: Annotated[str, AddedLater("kinematical")] = Field(
        default="kinematical",
        max_length=100,
        description="model of diffraction, by name; kinematical: single scattering",
    )
    max_excitation_error_per_angstrom: float = Field(
        default=0.03, gt=0, le=0.5, description="reflections farther from the Ewald sphere are left out, Å⁻¹"
    )
    relrod_width_per_angstrom: Annotated[Distribution, within(5e-4, 0.5, "Å⁻¹")] = Field(
        default=LogUniform(log_uniform=(0.005, 0.05)), description="width of the shape factor ≈ 1/thickness, Å⁻¹"
    )
    thickness_angstrom: Annotated[Distribution, within(2.0, 1e5, "Å")] | None = Field(
        default=None, description="thickness of the crystal, Å; when given, the relrod width is 1/thickness"
    )
    precession_angle_deg: Annotated[Distribution, within(0.0, 15.0, "degrees")] = Field(
        default=Fixed(fixed=0.0), description="half-angle of the precession cone, degrees (Lorentzian only)"
    )
    shape_factor: ShapeFactor = Field(
        default="lorentzian", description="model of the relrod, diffsims' definitions; slab: a plane-parallel crystal"
    )
    scattering_factors: Literal["lobato", "xtables"] = Field(
        default="lobato", description="Lobato & Van Dyck (2014), or International Tables"
    )
    debye_waller: Literal["none", "from_cif"] | dict[str, float] = Field(
        default="none", description="none, from_cif (B = 8π²U), or {element: B in Å²}"
    )

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str, info: ValidationInfo) -> str:
        if not is_stored(info):
            ENGINES.check(name)
        return name

    @field_validator("debye_waller")
    @classmethod
    def _sensible_b(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for element, b in value.items():
                if not 0 <= b <= 50:
                    raise ValueError(f"B of {element} must lie in 0 … 50 Å², found {b:g} (B = 8π²U)")
        return value

    @model_validator(mode="after")
    def _precession_is_lorentzian(self) -> DiffractionSpec:
        if self.precession_angle_deg.support()[1] > 0 and self.shape_factor != "lorentzian":
            raise ValueError(
                f"precession is defined for the lorentzian shape factor, found {self.shape_factor!r}; "
                "set precession_angle_deg to 0 or shape_factor to lorentzian"
            )
        return self


class OrientationsSpec(Spec):
    """Which orientations the crystals take."""

    kind: Literal["uniform", "grid", "list", "library"] = Field(
        default="uniform",
        description="uniform: random rotations; grid: an orix fundamental-zone grid; list: those of a file; library: "
        "uniform ones, the beam along the nearest of many directions whose spots are computed once for all patterns",
    )
    method: GridMethod = Field(default="cubochoric", description="sampling method of the grid")
    resolution_deg: float = Field(
        default=3.0,
        ge=0.1,
        le=45,
        description="resolution of the grid, 1 … 45°, or of the directions of a library, 0.1 … 3°, by default 0.7°",
    )
    thicknesses: Annotated[int, AddedLater(16)] = Field(
        default=16,
        ge=2,
        le=MOST_THICKNESSES,
        description="of a library: levels that a range of diffraction.thickness_angstrom has",
    )
    file: str | None = Field(
        default=None,
        description="npy file or URL of (n, 4) unit quaternions or (n, 3) Bunge angles, crystal ← sample; {phase} in "
        "its name stands for the phase",
    )
    unit: AngleUnit | None = Field(
        default=None,
        description="unit of the angles in the file, deg or rad; null: degrees, and a file that may hold radians is "
        "asked about",
    )
    order: Literal["random", "sequential"] = Field(
        default="random", description="members of a grid or list at random, or one after another"
    )

    @model_validator(mode="before")
    @classmethod
    def _library_is_finer(cls, data: Any) -> Any:
        """Give a library a default of its own."""
        if isinstance(data, dict) and data.get("kind") == "library":
            return {"resolution_deg": _LIBRARY_DEG, **data}
        return data

    @model_validator(mode="after")
    def _sensible_resolution(self) -> OrientationsSpec:
        low, high = (0.1, 3.0) if self.kind == "library" else (1.0, 45.0)
        if not low <= self.resolution_deg <= high:
            raise ValueError(
                f"resolution_deg of orientations of kind {self.kind} lies in {low:g} … {high:g}°, found "
                f"{self.resolution_deg:g}"
            )
        return self

    @model_validator(mode="after")
    def _list_has_a_file(self) -> OrientationsSpec:
        if (self.kind == "list") != (self.file is not None):
            raise ValueError("orientations of kind list need a file, and only they do; set kind: list and file: ….npy")
        if self.unit is not None and self.file is None:
            raise ValueError("unit is that of the angles in a file; leave it out, or set kind: list and file: ….npy")
        if self.kind in ("uniform", "library") and self.order == "sequential":
            raise ValueError(
                f"order: sequential takes a grid or list in turn; orientations of kind {self.kind} have no order"
            )
        return self
