"""The formats of exported maps, by name and by the ending of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from difsims_core.errors import InputError
from difsims_core.results.evaluate_map import crystals_of, origins_of
from difsims_core.results.maps.crystal_map import write_ang, write_h5
from difsims_core.results.maps.hyperspy import write_hspy
from difsims_core.results.maps.orientation_picture import write_ipf
from difsims_core.results.maps.phase_map import PhaseMap, crystals_of_classes, phase_map
from difsims_core.results.maps.pictures import write_png, write_tiff
from difsims_core.storage.npz.checks import scan_step
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import exists_already, object_exists, open_store, writing_url


@dataclass(frozen=True, slots=True)
class _Writer:
    """What writes a format.

    Attributes
    ----------
    endings : tuple of str
        Of its files; the first is added where a name has none.
    write : callable
        Writes a map to a local file.
    """

    endings: tuple[str, ...]
    write: Callable[[PhaseMap, Path], None]


FORMATS: dict[str, _Writer] = {
    "ipf": _Writer((".ipf.png",), write_ipf),
    "png": _Writer((".png",), write_png),
    "tiff": _Writer((".tiff", ".tif"), write_tiff),
    "hspy": _Writer((".hspy",), write_hspy),
    "h5": _Writer((".h5", ".hdf5"), write_h5),
    "ang": _Writer((".ang",), write_ang),
}


def export_map(
    prediction: str | Path,
    path: str | Path,
    file_format: str | None = None,
    *,
    store: str | None = None,
    crystals: str | None = None,
    also_read: Iterable[str] = (),
    scan_step_nm: float | None = None,
    overwrite: bool = False,
) -> str:
    """Write a phase map as a file of another program, and return where it lies.

    Phases with the names of their crystal files, the ids of the model and of the datasets that it was trained on, the
    colours of the figures and the scan step travel in each format.

    Parameters
    ----------
    prediction
        Path or URL of a ``*_probability_pred.npz``.
    path
        Path or URL to write; a name without the ending of the format gets it.
    file_format
        ``png`` or ``tiff`` (labels with a colour table), ``ipf`` (``.ipf.png``: orientations in the colours of the
        inverse pole figure), ``hspy`` (HyperSpy: probabilities), ``h5`` (orix:
        ``CrystalMap``), ``ang`` (MTEX, EDAX OIM, orix); default: what the ending says.
    store
        Where the datasets behind the map lie, whose crystals its phases are; default: ``DIFSIMS_STORE``.
    crystals
        Folder of CIF files to take the crystals from instead.
    also_read
        Folders and files outside the store that a dataset may name.
    scan_step_nm
        Distance of neighbouring pixels; default: what the map says. An ``ang`` needs one.
    overwrite
        Replace what is there.

    Raises
    ------
    ExperimentError
        If the map cannot be read.
    InputError
        If the ending is that of no format, or of another one, the scan step is no length, or not known where the
        format needs it, or something is there already.

    Examples
    --------
    >>> from difsims_core import export_map
    >>> from PIL import Image
    >>> image = Image.open(export_map(prediction, f"{folder}/roi_1.png", scan_step_nm=2))
    >>> image.mode, image.size, image.getextrema()
    ('P', (50, 40), (0, 2))
    """
    writer, target = _chosen(str(path), file_format)
    if not overwrite and object_exists(target):
        raise exists_already(target)
    read = read_prediction(prediction)
    if scan_step_nm is not None:
        read = replace(read, scan_step_nm=scan_step(prediction, np.array(scan_step_nm)))
    files = crystals_of(open_store(store).root, () if crystals is not None else origins_of(read), also_read)
    found = phase_map(read, prediction, crystals_of_classes(read, files, crystals))
    with writing_url(target) as temporary:
        writer.write(found, temporary)
    return target


def _chosen(path: str, file_format: str | None) -> tuple[_Writer, str]:
    """Return what writes a file, and the file's whole name."""
    named = next((name for name, item in FORMATS.items() if path.endswith(item.endings)), None)
    wanted = file_format or named
    if wanted not in FORMATS:
        endings = ", ".join(ending for item in FORMATS.values() for ending in item.endings)
        raise InputError(f"{path}: a map is exported as one of {endings}", "change the name, or --format")
    if named not in (None, wanted):
        expected = " or ".join(FORMATS[wanted].endings)
        raise InputError(f"{path}: expected a name that ends with {expected}", "change the name, or --format")
    return FORMATS[wanted], path if named else f"{path}{FORMATS[wanted].endings[0]}"
