"""Compile ahead what simulations would compile on their first call."""

from __future__ import annotations

from difsims_core.config.documents import load_spec
from difsims_core.crystal import libraries
from difsims_core.kernels.compile import compiled_here
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator

DOCUMENTS = ("reference", "realistic", "bulk", "historical")
_CHANGES = (
    "output.x_all=true", "output.polar_px=true", "output.polar={}", "output.peaks=true",
)  # fmt: skip
_COARSE = {"grid": "orientations.resolution_deg=15", "library": "orientations.resolution_deg=3"}  # the same kernels
_PATTERNS = 3  # one of each phase


def compile_kernels() -> int:
    """Compile the kernels that the shipped documents need, and orix; return how many were not on disk yet.

    Each document is simulated, with all outputs and as images, so that its kernels are compiled for the types that it
    calls them with.
    """
    before = compiled_here()
    for name in DOCUMENTS:
        path = specs_folder() / f"{name}.yaml"
        coarse = _COARSE.get(load_spec(path).orientations.kind)
        simulator = Simulator.prepare(load_spec(path, changes=(*_CHANGES, coarse) if coarse else _CHANGES))
        simulator.block(0, _PATTERNS)
        simulator.images(0, _PATTERNS)
    _ = libraries.Rotation  # the first use compiles
    return compiled_here() - before
