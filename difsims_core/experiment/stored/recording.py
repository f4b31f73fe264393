"""What a reader finds in a file: frames in their order, and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass

from difsims_core.experiment.stored.frames import StoredFrames


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit, as the file has them: 0.0588 ``1/nm``."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ScanLayout:
    """Which frames are the scan: ``ny`` rows of ``nx`` and ``extra`` more that are none, from ``first`` on.

    Attributes
    ----------
    ny, nx : int
        Rows and columns of the scan.
    first : int
        Frames before it.
    extra : int
        Frames after each row that are left out; those after the last row may be missing.
    reason : str
        How it is known, to follow "the scan has 4 × 2 positions: "; empty where the file is an array of this shape.
    """

    ny: int
    nx: int
    first: int = 0
    extra: int = 0
    reason: str = ""

    @property
    def n_frames(self) -> int:
        """Frames that are needed for it."""
        return self.first + self.ny * (self.nx + self.extra) - self.extra

    def frame_of(self, y: int, x: int) -> int:
        """Return the number of the frame of a scan position."""
        return self.first + y * (self.nx + self.extra) + x


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that was opened, before anything is decided about it.

    Attributes
    ----------
    frames : StoredFrames
        All of them.
    file_format : str
        For people.
    layout : ScanLayout or None
        Where file or a file beside it say how the frames make a scan.
    detector_pixel : Measure or None
        Width of a detector pixel in any unit: reciprocal length, angle, or length on the detector.
    scan_step : Measure or None
        Distance of scan positions in any unit.
    row_step : Measure or None
        Distance of rows, where the file says another one.
    beam_energy_kv, camera_length_mm, magnification : float or None
        As the file says.
    scan_rotation_deg : float or None
        Between scan and detector, as the file says.
    upwards : bool
        The first row of a frame in the file is the lowest of the pattern.
    remarks : tuple of str
        What the reader converted or assumed.
    """

    frames: StoredFrames
    file_format: str
    layout: ScanLayout | None = None
    detector_pixel: Measure | None = None
    scan_step: Measure | None = None
    row_step: Measure | None = None
    beam_energy_kv: float | None = None
    camera_length_mm: float | None = None
    magnification: float | None = None
    scan_rotation_deg: float | None = None
    upwards: bool = False
    remarks: tuple[str, ...] = ()
