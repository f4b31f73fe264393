"""Maps for HyperSpy: probabilities over the scan, with axes in nm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.results.maps.phase_map import PhaseMap


def write_hspy(found: PhaseMap, path: Path) -> None:
    """Write a signal with the scan as navigation and a phase a channel; ``metadata.difsims`` has labels and origin."""
    from rsciio.hspy import file_writer

    ny, nx, k = found.probabilities.shape
    step, unit = found.step
    signal: dict[str, Any] = {
        "data": np.ascontiguousarray(found.probabilities),
        "axes": [
            _axis("y", ny, step, unit, navigate=True),
            _axis("x", nx, step, unit, navigate=True),
            _axis("phase", k, 1.0, "", navigate=False),
        ],
        "metadata": {
            "General": {"title": found.name, "original_filename": ""},
            "Signal": {"signal_type": "", "quantity": "Probability"},
            "_HyperSpy": {},
            "difsims": {**found.describe(), "labels": found.labels, **_known(found)},
        },
        "original_metadata": {},
        "tmp_parameters": {},
        "learning_results": {},
        "attributes": {"_lazy": False, "ragged": False},
        "models": {},
        "package_info": {},
    }
    file_writer(path, signal, show_progressbar=False)


def _axis(name: str, size: int, scale: float, units: str, *, navigate: bool) -> dict[str, Any]:
    return {
        "_type": "UniformDataAxis",
        "name": name,
        "units": units,
        "navigate": navigate,
        "is_binned": False,
        "size": size,
        "scale": scale,
        "offset": 0.0,
    }


def _known(found: PhaseMap) -> dict[str, np.ndarray]:
    known = {"quaternions": found.orientations, "grains": found.grains}
    return {name: values for name, values in known.items() if values is not None}
