"""The formats of an export, by name and by the ending of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from difsims_core.dataset.export.base import Exporter
from difsims_core.dataset.export.hdf5 import Hdf5Exporter
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.export.zarr_copy import ZarrExporter
from difsims_core.errors import InputError

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation

FORMATS: dict[str, Exporter] = {"npz": NpzExporter(), "zarr": ZarrExporter(), "h5": Hdf5Exporter()}


def export_dataset(
    dataset: Simulation,
    path: str | Path,
    file_format: str | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Write a dataset as files for other programs, and return them in order.

    Parameters
    ----------
    dataset
        What to write.
    path
        Path or URL of the file; a name without the ending of the format gets it.
    file_format
        ``npz`` (NumPy alone can read it), ``zarr`` (a copy of the dataset) or ``h5``; default: what the ending says.
    overwrite, progress
        As `Exporter.export` takes them.

    Raises
    ------
    InputError
        If the ending is that of no format, or of another one, or something is there already.
    """
    named = str(path).rstrip("/")
    found = next((name for name, item in FORMATS.items() if named.endswith(item.ending)), None)
    wanted = file_format or found
    if wanted not in FORMATS or found not in (None, wanted):
        endings = ", ".join(item.ending for item in FORMATS.values())
        expected = FORMATS[wanted].ending if wanted in FORMATS else f"one of {endings}"
        raise InputError(f"{path}: expected a name that ends with {expected}", "change the name, or --format")
    exporter = FORMATS[wanted]
    name = named if found else f"{named}{exporter.ending}"
    return exporter.export(dataset, name, overwrite=overwrite, progress=progress)
