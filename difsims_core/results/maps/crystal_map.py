"""Maps for crystallography: the ``CrystalMap`` of orix, and ``.ang`` files, which MTEX and EDAX OIM read too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from difsims_core.config.class_names import class_name
from difsims_core.crystal import libraries  # loads orix by the first use of one of its names
from difsims_core.errors import InputError
from difsims_core.messages import printable
from difsims_core.results.maps.phase_map import PhaseMap

if TYPE_CHECKING:
    from orix.crystal_map import CrystalMap, Phase

_MICROMETRE = 1000.0  # nm; the unit of .ang files


def write_h5(found: PhaseMap, path: Path) -> None:
    """Write a file of orix, ``orix.io.load``; its group ``difsims`` says where the map comes from."""
    made = crystal_map(found, *found.step)
    from orix.io.plugins import orix_hdf5

    orix_hdf5.file_writer(str(path), made)
    with h5py.File(path, "a") as file:
        for key, value in found.describe().items():
            file[f"difsims/{key}"] = value


def write_ang(found: PhaseMap, path: Path) -> None:
    """Write a file of EDAX' format in µm, as MTEX and orix take it, with a column of probabilities for each phase.

    Where orientations are not known all angles are 0. Notes in the header say where the map comes from.

    Raises
    ------
    InputError
        If there are no two pixels in a row, as orix writes no such file, or the scan step is not known: the format has
        no other unit.
    """
    if found.scan_step_nm is None:
        raise InputError(
            f"{found.name}: a .ang file has its positions in µm, and the scan step of the map is not known",
            "give it (--scan-step NM), or export the map as .h5 or .hspy",
        )
    if found.labels.shape[1] == 1:
        raise InputError(f"{found.name}: a .ang file needs two pixels in a row", "export the map as .h5 or .hspy")
    made = crystal_map(found, found.scan_step_nm / _MICROMETRE, "um")
    from orix.io.plugins import ang

    columns = [name for name in made.prop if name != "probability"]
    ang.file_writer(str(path), made, confidence_index_prop="probability", extra_prop=columns)
    written = path.read_text(encoding="ascii")
    path.write_text(written.replace("# GRID:", f"{_notes(found)}# GRID:", 1), encoding="ascii")


def crystal_map(found: PhaseMap, step: float, unit: str) -> CrystalMap:
    """Return a map as that of orix; where an orientation is not known it is the identity.

    Its property ``probability`` is that of the phase of each pixel, ``probability_<phase>`` that of each phase,
    ``grain`` the number of its grain where that is known. A pixel without a usable measurement is not indexed.

    Parameters
    ----------
    found
        The map.
    step, unit
        Distance of neighbouring pixels.
    """
    ny, nx = found.labels.shape
    names = _ascii_names(found.phases)
    probabilities = found.probabilities.reshape(ny * nx, -1)
    y, x = (step * index.ravel() for index in np.indices((ny, nx)))
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (ny * nx, 1))
    if found.orientations is not None:
        np.copyto(turns, found.orientations.reshape(-1, 4), where=~np.isnan(found.orientations.reshape(-1, 4)))
    from orix.crystal_map import CrystalMap, PhaseList

    return CrystalMap(
        rotations=libraries.Rotation(turns),
        phase_id=found.labels.ravel().astype(np.int64),
        x=x,
        y=y,
        phase_list=PhaseList(phases={i: _phase(found, i, name) for i, name in enumerate(names)}),
        prop={
            "probability": probabilities.max(axis=1),
            **{f"probability_{name}": probabilities[:, i] for i, name in enumerate(names)},
            **({} if found.grains is None else {"grain": found.grains.ravel()}),
        },
        scan_unit=unit,
    )


def _phase(found: PhaseMap, number: int, name: str) -> Phase:
    """Return a phase with structure, space group and colour; a point group that has no name in orix is left out."""
    crystal = found.crystals[number]
    phase = libraries.Phase(name) if crystal is None else crystal.phase
    if phase.space_group is None and phase.point_group is not None:
        known = {group.name for group in libraries.POINT_GROUPS}
        phase.point_group = phase.point_group if phase.point_group.name in known else None
    phase.name, phase.color = name, found.colour_names[number]
    return phase


def _ascii_names(phases: tuple[str, ...]) -> list[str]:
    """Return names that headers of text files take: letters, digits and ``_.+-``, each once."""
    names: list[str] = []
    for number, phase in enumerate(phases):
        name = class_name(phase) or "phase"
        while name in names:
            name = f"{name}_{number}"
        names.append(name)
    return names


def _notes(found: PhaseMap) -> str:
    """Return lines of a header; nothing in them can be taken for a key of the format."""
    said = {**found.describe(), "phases": _ascii_names(found.phases), "positions": "in um"}
    lines = [f"{key}: {', '.join(value) if isinstance(value, list) else value}" for key, value in said.items()]
    plain = [printable(line).encode("ascii", "replace").decode().replace("#", "") for line in lines]
    return "".join(f"# {line}\n" for line in ("NOTES: Start", *plain, "NOTES: End", ""))
