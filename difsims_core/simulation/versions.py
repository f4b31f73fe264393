"""Versions of what makes the bytes of a dataset."""

from __future__ import annotations

from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.imperfections.extensions import Extensions
from difsims_core.families import ENGINES

SIMULATION_VERSION = "2"
"""Changes whenever the bytes change for the same document and the same spots: draws, detector, noise, normalisation."""


def versions_of(engine: type[Engine] = KinematicalEngine) -> dict[str, str]:
    """Return name and version of an engine, and the version of what is around it.

    They are part of the fingerprint and of the attributes of every dataset.
    """
    return {"engine": engine.name, "engine_version": engine.version, "simulation_version": SIMULATION_VERSION}


def versions_of_document(spec: SimulationSpec, extensions: Extensions) -> dict[str, Any]:
    """Return ``versions_of`` the engine of a document, and the versions of its extensions where it has any."""
    further = extensions.versions()
    return {**versions_of(ENGINES[spec.diffraction.engine]), **({"extensions": further} if further else {})}
