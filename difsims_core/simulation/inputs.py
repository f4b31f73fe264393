"""What a document refers to, read: crystals and lists of orientations, with the versions of what works on them.

This is all that the fingerprint of a dataset depends on. It takes a tenth of the time of the tables of a `Simulator`,
so that a dataset which is there already is found at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.config.simulation import PhaseSpec, SimulationSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.orientations import read_orientations
from difsims_core.crystal.phases import Crystal, load_crystal
from difsims_core.simulation.versions import versions_of_document
from difsims_core.storage.names import split_url


@dataclass(frozen=True, eq=False)
class Inputs:
    """A document with what it refers to; build it with ``read``.

    Attributes
    ----------
    spec
        The document, the places of its files as seen from anywhere.
    crystals
        The phases, in label order.
    orientation_sha256
        Checksums of the lists of orientations, when they come from files.
    versions
        Of what makes the bytes.
    """

    spec: SimulationSpec
    crystals: tuple[Crystal, ...]
    orientation_sha256: tuple[str, ...] | None
    versions: dict[str, Any]

    @classmethod
    def read(cls, spec: SimulationSpec) -> Inputs:
        """Read the files of a document.

        Raises
        ------
        InputError
            If a crystal is missing or malformed, a list of orientations cannot be read, or no engine or imperfection
            has a name that the document uses.
        """
        spec = with_absolute_paths(spec)
        crystals = read_crystals(spec)
        listed = orientation_lists(spec, crystals) if spec.orientations.kind == "list" else None
        return cls(spec, crystals, None if listed is None else listed[1], versions_of_document(spec))


def with_absolute_paths(spec: SimulationSpec) -> SimulationSpec:
    """Return the document with the places of its files as seen from anywhere, so that it can be run elsewhere."""

    def absolute(place: str | None) -> str | None:
        if place is None:
            return None
        scheme, path = split_url(place)
        return path if scheme == "file" else place

    def file(phase: PhaseSpec) -> str | None:
        return phase.cif and absolute(find_crystal(phase.name, phase.cif, spec.crystal_folder))

    phases = tuple(phase.model_copy(update={"cif": file(phase)}) for phase in spec.phases)
    orientations = spec.orientations.model_copy(update={"file": absolute(spec.orientations.file)})
    return spec.model_copy(
        update={"crystal_folder": absolute(spec.crystal_folder), "phases": phases, "orientations": orientations}
    )


def read_crystals(spec: SimulationSpec) -> tuple[Crystal, ...]:
    """Return the crystals of a document, in label order."""
    return tuple(load_crystal(phase.name, phase.cif, spec.crystal_folder) for phase in spec.phases)


def orientation_lists(spec: SimulationSpec, crystals: tuple[Crystal, ...]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the (m, 4) quaternions of each phase from the files of a document, and the checksums of these."""
    wanted = spec.orientations
    assert wanted.file is not None  # noqa: S101 - narrows the type; the document was checked
    read = [read_orientations(wanted.file.replace("{phase}", crystal.name), wanted.unit) for crystal in crystals]
    return [quaternions for quaternions, _ in read], tuple(sha256 for _, sha256 in read)
