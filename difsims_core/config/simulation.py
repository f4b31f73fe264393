"""The parameters of a simulated dataset; docs/physics.md §§1–8 define what each of them means."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from difsims_core.config.augmentation import BackgroundSpec, NoiseSpec, SpotsSpec
from difsims_core.config.base import Spec
from difsims_core.config.class_names import LONGEST, class_name
from difsims_core.config.diffraction import MOST_THICKNESSES, DiffractionSpec, OrientationsSpec
from difsims_core.config.distributions import Choice, Distribution, Uniform, within
from difsims_core.config.extensions import Extensions
from difsims_core.config.imperfections import (
    AmorphousRingSpec,
    BlochSpec,
    CutOffSpec,
    DistortionSpec,
    InelasticSpec,
    Intensities,
    OverlapSpec,
    TwoBeamSpec,
)
from difsims_core.config.keys.aliases import todays_path, with_first_names_replaced
from difsims_core.config.keys.fingerprint import AddedLater, FirstName
from difsims_core.config.signal import PolarSpec, PostprocessingSpec

_Relative = Annotated[Distribution, within(0.5, 2.0, "(relative; 1 leaves it alone)")]


class PhaseSpec(Spec):
    """One candidate phase. A bare name or path in a document stands for ``{name: …}`` or ``{name: …, cif: …}``."""

    name: str = Field(min_length=1, max_length=LONGEST, description="class name; letters that it cannot have go")
    cif: str | None = Field(
        default=None,
        description="path or s3:// URL of a CIF file, relative to the document, to crystal_folder or to the working "
        "directory; default: <name>.cif in crystal_folder, or of the phases that come along",
    )
    lattice_scale: _Relative | None = Field(
        default=None, description="isotropic factor on a, b, c of this phase; default: lattice_scale of the document"
    )

    @model_validator(mode="before")
    @classmethod
    def _usable_name(cls, data: Any) -> Any:
        """Turn the name into one that labels, files and tables can bear; the file keeps its own."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return data
        given = data["name"]
        name = class_name(given)
        if not name or "/" in given or "\\" in given:
            what = "is a path" if name else "has no letter or digit (A–Z, a–z, 0–9) for a class name"
            raise ValueError(
                f"the name {given!r} {what}; give the phase one, for example {{name: my_phase, cif: "
                f"{given or 'file'}.cif}}"
            )
        if name != given and data.get("cif") is None:
            return data | {"name": name, "cif": f"{given}.cif"}
        return data | {"name": name}


def _name_or_phase(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lower().endswith(".cif"):
        return {"name": value}
    return {"name": PurePosixPath(value).name[: -len(".cif")], "cif": value}


class MicroscopeSpec(Spec):
    """The electron beam."""

    beam_energy_kv: float = Field(default=200.0, ge=10, le=3000, description="accelerating voltage, kV")


class DetectorSpec(Spec):
    """A square detector with the beam at its centre (docs/physics.md §2)."""

    size_px: int = Field(default=515, ge=32, le=8192, description="pixels along one edge")
    calibration_per_angstrom: float = Field(default=0.00588, ge=1e-4, le=0.05, description="Å⁻¹ per pixel")


def _true_for_the_defaults(value: Any) -> Any:
    """Take true for ``{}`` and false for null, as the outputs beside it are given."""
    return ({} if value else None) if isinstance(value, bool) else value


class OutputSpec(Spec):
    """What a dataset keeps beside the classifier's input ``1d/x_px``."""

    x_all: bool = Field(default=True, description="keep the full 256-bin profiles (1d/x_all)")
    polar_px: Annotated[bool, FirstName("cake_px")] = Field(
        default=False, description="keep polar patterns over the pixel crop (2d/x_px); also read as cake_px"
    )
    polar_all: Annotated[bool, FirstName("cake_all")] = Field(
        default=False, description="keep polar patterns over all 256 annuli (2d/x_all); also read as cake_all"
    )
    polar: Annotated[PolarSpec | None, BeforeValidator(_true_for_the_defaults), AddedLater(None)] = Field(
        default=None,
        description="keep polar patterns on a reduced grid, that of preprocessed scans (polar/x); {} for 74 radii by "
        "72 azimuths, null for none",
    )
    peaks: bool = Field(default=False, description="keep the spots of each pattern: hkl, g, intensity (peaks/…)")
    precision: Literal["rounded", "exact"] = Field(
        default="rounded",
        description="rounded: intensities within 2.5e-4 of the exact ones (10 bits of mantissa) at about half the size",
    )

    @model_validator(mode="before")
    @classmethod
    def _first_names(cls, data: Any) -> Any:
        return with_first_names_replaced(data)


class SimulationSpec(Spec):
    """A simulated dataset: everything that its bytes depend on.

    >>> SimulationSpec(n_patterns=300, phases=["gratia_2h", "pb"]).class_names
    ('gratia_2h', 'pb')
    """

    n_patterns: int = Field(default=75_000, ge=1, le=10**10, description="patterns of all phases together")
    seed: int = Field(default=10, ge=0, lt=2**63, description="seed of all random numbers")
    phases: tuple[
        Annotated[PhaseSpec, BeforeValidator(_name_or_phase, json_schema_input_type=str | PhaseSpec)], ...
    ] = Field(
        default=(
            PhaseSpec(name="p4mbm_scaled_mixed_halide"),
            PhaseSpec(name="gratia_2h"),
            PhaseSpec(name="pbi2_2h"),
        ),
        min_length=1,
        max_length=250,
        description="candidate phases, in the order of the class labels",
    )
    crystal_folder: str | None = Field(
        default=None,
        description="folder or s3:// prefix of your own CIF files, beside the document or in the working directory; "
        "they come before those that come with the package",
    )
    microscope: MicroscopeSpec = MicroscopeSpec()
    detector: DetectorSpec = DetectorSpec()
    diffraction: DiffractionSpec = DiffractionSpec()
    orientations: OrientationsSpec = OrientationsSpec()
    lattice_scale: _Relative = Field(
        default=Uniform(uniform=(0.97, 1.03)), description="isotropic factor on a, b, c (docs/physics.md §3)"
    )
    calibration_scale: _Relative = Field(
        default=Uniform(uniform=(0.98, 1.02)), description="true Å⁻¹ per pixel over the nominal one"
    )
    spots: SpotsSpec = SpotsSpec()
    intensities: Intensities | None = Field(
        default=None, description="intensities unlike kinematical ones: bloch, two_beam or random; null: kinematical"
    )
    overlap: OverlapSpec | None = Field(default=None, description="a second grain in the beam; null: one grain")
    distortion: DistortionSpec | None = Field(default=None, description="ellipticity and centre error; null: none")
    cut_off: CutOffSpec | None = Field(default=None, description="beam stop and module gap; null: none")
    amorphous_ring: AmorphousRingSpec | None = Field(default=None, description="halo of amorphous material; null: none")
    inelastic: InelasticSpec | None = Field(default=None, description="inelastic background; null: none")
    noise: NoiseSpec | None = Field(default=NoiseSpec(), description="null for noise-free profiles")
    background: BackgroundSpec | None = Field(default=BackgroundSpec(), description="null for no background")
    extensions: Annotated[Extensions, AddedLater({})] = Field(
        default={}, description="imperfections of other packages, by name; {name: {}} takes the defaults of one"
    )
    background_class: bool = Field(default=False, description="add a last class without spots (docs/physics.md §7)")
    combinations: bool | tuple[str, ...] = Field(
        default=False,
        description="true: take all combinations of the quantities given as choices in turn, each orientation with all "
        "of them, instead of drawing them; or of those listed, such as [spots.sigma_px]",
    )
    noise_model: Annotated[Literal["physical", "historical"], FirstName("order")] = Field(
        default="physical",
        description="physical: counts after the background; historical: noise and order of the older platform "
        "(docs/physics.md §7); also read as order",
    )
    postprocessing: PostprocessingSpec = PostprocessingSpec()
    output: OutputSpec = OutputSpec()

    @model_validator(mode="before")
    @classmethod
    def _first_names(cls, data: Any) -> Any:
        return with_first_names_replaced(data)

    @field_validator("phases", mode="before")
    @classmethod
    def _names_stand_for_phases(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"expected a list of phases, found the single name {value!r}; write [{value}]")  # noqa: TRY004
        return value

    @field_validator("combinations", mode="before")
    @classmethod
    def _keys_are_listed(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if not isinstance(value, list | tuple) or not all(isinstance(key, str) for key in value):
            raise ValueError(
                "expected true, false or a list of keys that are given as {choice: [...]}, such as [spots.sigma_px]"
            )
        return tuple(todays_path(key) for key in value)

    @model_validator(mode="after")
    def _distinct_names(self) -> SimulationSpec:
        names = list(self.class_names)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every phase needs a name of its own; {', '.join(twice)} appears more than once")
        return self

    @model_validator(mode="after")
    def _historical_needs_noise(self) -> SimulationSpec:
        if self.noise_model == "historical" and self.background is None and self.noise is None:
            raise ValueError("noise_model: historical describes how noise and background combine; give one of the two")
        return self

    @model_validator(mode="after")
    def _fit_together(self) -> SimulationSpec:
        if self.diffraction.engine == "bloch" and not isinstance(self.intensities, BlochSpec):
            raise ValueError("diffraction.engine: bloch is asked for as intensities: {model: bloch}; write that")
        needs_thickness = isinstance(self.intensities, TwoBeamSpec | BlochSpec)
        if self.intensities is not None and needs_thickness and self.diffraction.thickness_angstrom is None:
            raise ValueError(
                f"intensities: {self.intensities.model} needs a thickness; set diffraction.thickness_angstrom, in Å"
            )
        return self

    @model_validator(mode="after")
    def _library_has_what_it_holds(self) -> SimulationSpec:
        if self.orientations.kind != "library":
            return self
        thickness, (least, most) = self.diffraction.thickness_angstrom, self.diffraction.precession_angle_deg.support()
        if thickness is None:
            raise ValueError(
                "orientations of kind library hold patterns of several thicknesses, not of relrod widths; set "
                "diffraction.thickness_angstrom, in Å"
            )
        if isinstance(thickness, Choice) and len(set(thickness.choice)) > MOST_THICKNESSES:
            raise ValueError(
                f"a library holds at most {MOST_THICKNESSES} thicknesses, found a choice of "
                f"{len(set(thickness.choice))} in diffraction.thickness_angstrom; give it as a range"
            )
        if least != most:
            raise ValueError(
                f"a library holds patterns of one precession angle, found diffraction.precession_angle_deg from "
                f"{least:g} to {most:g}; give one angle, or set orientations.kind to uniform"
            )
        return self

    @property
    def engine(self) -> str:
        """Name of the model of diffraction."""
        return "bloch" if isinstance(self.intensities, BlochSpec) else self.diffraction.engine

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in label order; the background class, when asked for, comes last."""
        names = tuple(phase.name for phase in self.phases)
        return (*names, "background") if self.background_class else names

    def lattice_scale_of(self, index: int) -> Distribution:
        """Return how the lattice scale of phase ``index`` is drawn."""
        return self.phases[index].lattice_scale or self.lattice_scale
