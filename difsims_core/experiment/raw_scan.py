"""A raw 4D-STEM scan as its file holds it: the value between reading and everything that follows."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da

from difsims_core.experiment.stored.stamps import GroupStamp


@dataclass(frozen=True, slots=True)
class RawScan:
    """A 4D-STEM scan as its file holds it, not yet read.

    Attributes
    ----------
    frames : (ny, nx, rows, columns) dask.array.Array
        Counts of any real type, native byte order. A chunk holds whole frames, up to 64 MB of them that follow each
        other in the file; reading one fails when the file was changed since it was opened.
    calibration_per_angstrom : float or None
        Width of a detector pixel, Å⁻¹ (q = 1/d); None where neither the file nor the caller says.
    scan_step_nm : float or None
        Distance of neighbouring scan positions, nm; None where nobody says.
    beam_energy_kv : float or None
        Accelerating voltage, kV; None where nobody says.
    scan_rotation_deg : float or None
        Between scan and detector; patterns and maps are left as they are. None where nobody says.
    source : str
        Path or URL.
    files : tuple of str
        Paths of the files of this machine that hold the frames, copies of objects among them; none of a Zarr group.
    file_format : str
        For people: "Merlin MIB", "HyperSpy (HDF5)", …
    turned : tuple of bool
        Whether rows, and columns, of the frames run the other way than in the file.
    group : GroupStamp or None
        The Zarr group that holds the frames, as it was when it was opened; None: they lie in files.
    remarks : tuple of str
        What was converted, inferred or assumed, each with its reason, as sentences for people.
    """

    frames: da.Array
    calibration_per_angstrom: float | None
    scan_step_nm: float | None
    beam_energy_kv: float | None
    scan_rotation_deg: float | None
    source: str
    files: tuple[str, ...]
    file_format: str
    turned: tuple[bool, bool]
    group: GroupStamp | None
    remarks: tuple[str, ...]

    @property
    def scan_shape(self) -> tuple[int, int]:
        """(ny, nx) scan positions."""
        ny, nx = self.frames.shape[:2]
        return int(ny), int(nx)

    def require_unchanged(self) -> None:
        """Refuse to go on with a Zarr group that changed since it was opened; files are compared at each read.

        Raises
        ------
        ExperimentError
            If it did.
        """
        if self.group is not None:
            self.group.require_unchanged()

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(rows, columns) of the detector."""
        rows, columns = self.frames.shape[2:]
        return int(rows), int(columns)
