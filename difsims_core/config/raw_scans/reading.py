"""How a raw scan is read: what its file does not say, or says wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from difsims_core.config.base import Spec
from difsims_core.config.raw_scans.named_files import PlainText

Edge = Annotated[int, Field(ge=1, le=1_000_000)]
DataType = Literal["uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"]
StoredOrder = Literal["scan_first", "detector_first"]


class CameraLengthSpec(Spec):
    """A row of the microscope's table of camera lengths."""

    camera_length_mm: float = Field(gt=0, le=1e6, description="as the microscope shows it")
    calibration_per_angstrom: float = Field(gt=0, le=10, description="width of a detector pixel at it, Å⁻¹")


class MagnificationSpec(Spec):
    """A row of the microscope's table of magnifications."""

    magnification: float = Field(gt=0, le=1e10, description="as the microscope shows it")
    scan_step_nm: float = Field(gt=0, le=1e6, description="distance of neighbouring scan positions at it")


class ReadingSpec(Spec):
    """What is taken from here and not from the file; null: as the file says."""

    also_called: ClassVar[Mapping[str, str]] = {
        "shape": "scan_shape", "navigation_shape": "scan_shape", "flyback": "extra_frames_per_row",
        "calibration": "calibration_per_angstrom", "voltage": "beam_energy_kv", "dataset": "dataset_path",
        "dtype": "data_type", "flip": "flip_up_down",
    }  # fmt: skip

    scan_shape: tuple[Edge, Edge] | None = Field(
        default=None, description="rows and columns of the scan; null: by the file, a file beside it or a square count"
    )
    first_frame: int = Field(default=0, ge=0, le=1_000_000_000, description="frames before the scan begins")
    extra_frames_per_row: int = Field(
        default=0, ge=0, le=100_000, description="frames after each row that are left out, such as those of the flyback"
    )
    stored_order: StoredOrder | None = Field(
        default=None,
        description="which axes come first in the file; null: those of the scan, unless the file says otherwise",
    )
    flip_up_down: bool = Field(default=False, description="turn each pattern upside down")
    flip_left_right: bool = Field(default=False, description="mirror each pattern")

    calibration_per_angstrom: float | None = Field(
        default=None, gt=0, le=10, description="width of a detector pixel, Å⁻¹ (q = 1/d)"
    )
    scan_step_nm: float | None = Field(default=None, gt=0, le=1e6, description="distance of neighbouring positions")
    beam_energy_kv: float | None = Field(default=None, gt=0, le=3000, description="accelerating voltage")
    scan_rotation_deg: float | None = Field(
        default=None, ge=-360, le=360, description="angle between scan and detector; kept with the scan, not undone"
    )
    camera_length_mm: float | None = Field(default=None, gt=0, le=1e6, description="looked up in camera_lengths")
    camera_lengths: tuple[CameraLengthSpec, ...] = Field(
        default=(), max_length=1000, description="calibration for each camera length, for files that have none"
    )
    magnification: float | None = Field(default=None, gt=0, le=1e10, description="looked up in magnifications")
    magnifications: tuple[MagnificationSpec, ...] = Field(
        default=(), max_length=1000, description="scan step for each magnification, for files that have none"
    )

    dataset_path: PlainText | None = Field(
        default=None, min_length=1, max_length=1000, description="which array of an HDF5 or Zarr file is the scan"
    )
    missing_chunks: Literal["refuse", "fill"] = Field(
        default="refuse",
        description="chunks that a Zarr group lacks: an error, or no counts, where its writer leaves empty ones out",
    )
    detector_shape: tuple[Edge, Edge] | None = Field(
        default=None, description="rows and columns of a frame in a file of bare numbers (.raw, .bin)"
    )
    data_type: DataType | None = Field(default=None, description="of the numbers in a file of bare numbers")
    big_endian: bool = Field(default=False, description="their most significant byte comes first")
    header_bytes: int = Field(default=0, ge=0, le=2**40, description="before the first frame of bare numbers")
    frame_header_bytes: int = Field(default=0, ge=0, le=2**30, description="before each frame of bare numbers")
    frame_footer_bytes: int = Field(default=0, ge=0, le=2**30, description="after each frame of bare numbers")

    @model_validator(mode="after")
    def _extra_frames_need_a_shape(self) -> ReadingSpec:
        if self.extra_frames_per_row and self.scan_shape is None:
            raise ValueError("extra_frames_per_row needs scan_shape, the rows and columns that remain")
        return self
