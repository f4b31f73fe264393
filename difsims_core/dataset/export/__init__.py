"""A dataset as files for other programs: one file for each format, behind one interface."""

from __future__ import annotations

from typing import Literal

FormatName = Literal["npz", "zarr", "h5"]
"""Of a format; the formats themselves are in `formats`."""
