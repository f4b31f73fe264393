"""Versions of what makes the bytes of a dataset."""

from __future__ import annotations

from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.engines.versions import LIBRARY_VERSION, OWN_VERSIONS
from difsims_core.families import ENGINES

SIMULATION_VERSION = "2"
"""Changes whenever the bytes change for the same document and the same spots: draws, detector, noise, normalisation."""
POLAR_VERSION = "3"
"""The same for reduced polar patterns."""


def versions_of(engine: str = "kinematical") -> dict[str, str]:
    """Return name and version of an engine, and the version of what is around it.

    They are part of the fingerprint and of the attributes of every dataset.

    Raises
    ------
    InputError
        If no engine has this name.
    """
    name, version = engine, OWN_VERSIONS.get(engine)
    if version is None:
        name, version = ENGINES[engine].name, ENGINES[engine].version
    return {"engine": name, "engine_version": version, "simulation_version": SIMULATION_VERSION}


def versions_of_document(spec: SimulationSpec) -> dict[str, Any]:
    """Return ``versions_of`` the engine of a document, and those of what else it asks for that has one.

    Raises
    ------
    InputError
        If no engine or imperfection has a name that the document uses, or an imperfection cannot be applied to it.
    """
    versions: dict[str, Any] = dict(versions_of(spec.engine))
    if spec.output.polar is not None:
        versions["polar_version"] = POLAR_VERSION
    if spec.orientations.kind == "library":
        versions["library_version"] = LIBRARY_VERSION
    if spec.extensions:
        from difsims_core.diffraction.imperfections.extensions import Extensions  # loads Numba

        versions["extensions"] = Extensions.of(spec).versions()
    return versions
