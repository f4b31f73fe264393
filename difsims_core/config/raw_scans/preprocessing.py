"""How a raw scan becomes profiles and polar patterns (docs/physics.md §17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from difsims_core.config.base import Spec
from difsims_core.config.raw_scans.named_files import NamedFile, NamedPhase
from difsims_core.config.raw_scans.reading import ReadingSpec

_Pixel = Annotated[float, Field(ge=0, le=1e6)]
_Ellipse = Annotated[float, Field(ge=-0.14, le=0.14)]


class PixelsSpec(Spec):
    """Which pixels of the detector count, and how their readings become counts."""

    also_called: ClassVar[Mapping[str, str]] = {"bad_pixels": "mask", "flat": "gain", "background": "dark"}

    mask: NamedFile | None = Field(
        default=None,
        description=".npy of booleans, True for pixels that count; null: <name>_mask.npy beside the scan, if any",
    )
    find_bad: bool = Field(default=True, description="leave out dead and hot pixels that the scan shows")
    dark: NamedFile | None = Field(default=None, description=".npy that is subtracted from each frame")
    gain: NamedFile | None = Field(default=None, description=".npy that each frame is then divided by; about 1")


class BeamSpec(Spec):
    """Where the direct beam lies in each pattern."""

    also_called: ClassVar[Mapping[str, str]] = {"center_px": "centre_px", "center": "centre_px", "centre": "centre_px"}

    method: Literal["disc", "friedel", "given"] = Field(
        default="disc",
        description="disc: its own disc; friedel: pairs of spots, where a stop hides it; given: centre_px as it is",
    )
    centre_px: tuple[_Pixel, _Pixel] | None = Field(
        default=None, description="row and column of the beam: exact for given, to 12 px for friedel"
    )
    blank: Literal["refuse", "flag"] = Field(
        default="flag", description="patterns whose beam is not found: an error, or centred by the drift and flagged"
    )

    @model_validator(mode="after")
    def _given_needs_a_place(self) -> BeamSpec:
        if self.method == "given" and self.centre_px is None:
            raise ValueError("method given needs centre_px, the row and the column of the beam")
        return self


class StandardSpec(Spec):
    """A powder pattern of a crystal whose lattice is known, recorded as the scan was."""

    location: NamedFile = Field(min_length=1, description="raw file of it, one pattern or a scan")
    phase: NamedPhase = Field(min_length=1, description="name or CIF file")
    reading: ReadingSpec = Field(
        default=ReadingSpec(),
        description="how it is read; a calibration is taken for good to 10 %, without it all are tried",
    )
    centre_px: tuple[_Pixel, _Pixel] | None = Field(
        default=None, description="row and column of the beam, to 2 px, where a stop hides it"
    )


class GeometrySpec(Spec):
    """How the detector distorts patterns."""

    ellipse: Literal["fit"] | tuple[_Ellipse, _Ellipse] = Field(
        default="fit",
        description="fit: to the rings of the standard, without one to the spots of the whole scan and the candidate "
        "phases; or (a, b), (0, 0) for none",
    )
    standard: StandardSpec | None = Field(
        default=None, description="whose rings give the calibration, and the ellipse where it is to be fitted"
    )
    refine_calibration: bool = Field(
        default=False, description="make the mean lattice scale of the scan 1; for crystals whose lattices are known"
    )


class IntegrationSpec(Spec):
    """Which patterns are written."""

    range: Literal["crop", "all"] = Field(default="crop", description="147 annuli that classifiers read, or all 256")
    polar: bool = Field(default=True, description="also polar patterns, on the reduced grid")
    n_azimuths: int = Field(default=72, ge=8, le=360, description="sectors of a polar pattern")
    annuli_per_radius: int = Field(default=2, ge=1, le=8, description="annuli that make one radius of it")
    uncovered: Literal["refuse", "flag"] = Field(
        default="refuse", description="patterns that do not reach the end of the range: an error, or NaN and a flag"
    )


class PreprocessingSpec(Spec):
    """From a raw scan to what classifiers read.

    Examples
    --------
    >>> from difsims_core import PreprocessingSpec
    >>> spec = PreprocessingSpec(phases=("pb", "pbi2_2h"), beam={"method": "friedel"})
    >>> spec.geometry.ellipse, spec.integration.n_azimuths
    ('fit', 72)
    """

    reading: ReadingSpec = ReadingSpec()
    phases: tuple[NamedPhase, ...] = Field(
        default=(), max_length=250, description="candidates, to whose lines the ellipse is fitted: names or CIF files"
    )
    pixels: PixelsSpec = PixelsSpec()
    beam: BeamSpec = BeamSpec()
    geometry: GeometrySpec = GeometrySpec()
    integration: IntegrationSpec = IntegrationSpec()
