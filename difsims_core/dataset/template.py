"""What a dataset looks like before its first row: arrays, axes and attributes (docs/architecture.md §4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.dataset.peaks import FLAT
from difsims_core.dataset.plan import SPOT_ROWS, Plan
from difsims_core.families import ENGINES, IMPERFECTIONS
from difsims_core.storage.zarr.arrays import ArrayTemplate, GroupTemplate
from difsims_core.version import __version__

if TYPE_CHECKING:
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.simulation.simulator import Simulator

_CHUNK_BYTES = 2**20
_AXES = {
    "q": {"units": "1/angstrom", "long_name": "q = 1/d"},
    "azimuth": {"units": "degree", "long_name": "azimuth from +x (columns) towards +y (rows)"},
}
_UNITS = {
    "_per_angstrom": "1/angstrom", "_angstrom": "angstrom", "_px": "pixel", "_deg": "degree", "_mrad": "mrad",
}  # fmt: skip
_FLAT = {
    "peaks/hkl": (("spot", "miller_index"), {"long_name": "Miller indices"}),
    "peaks/g": (("spot", "component"), {"units": "1/angstrom", "long_name": "in-plane scattering vector, x and y"}),
    "peaks/intensity": (("spot",), {"units": "1", "long_name": "intensity"}),
}
_PACKAGES = ("numpy", "numba", "scipy", "orix", "diffsims", "zarr")


def dataset_template(simulator: Simulator, plan: Plan) -> GroupTemplate:
    """Return the arrays, axes and attributes of a dataset.

    An axis is called like its dimension, so that xarray takes it for the coordinate that patterns are chosen by.
    """
    output, arrays = simulator.spec.output, dict[str, ArrayTemplate]()
    classes = list(simulator.class_names)
    for name, q, profiles, polar_patterns in (
        ("px", simulator.q_px, True, output.polar_px),
        ("all", simulator.q_all, output.x_all, output.polar_all),
        ("q", simulator.q_q, simulator.q_q is not None, False),
    ):
        if profiles and q is not None:
            arrays |= _signal(plan, f"1d/%s_{name}", {"q": q}, classes)
        if polar_patterns and q is not None:
            arrays |= _signal(plan, f"2d/%s_{name}", {"q": q, "azimuth": simulator.azimuth}, classes)
    if simulator.polar_grid is not None:
        axes = {"q": simulator.polar_grid.q, "azimuth": simulator.polar_grid.azimuth_deg}
        arrays |= _signal(plan, "polar/%s", axes, classes)
    if simulator.spec.overlap is not None:
        said = {"units": "1", "long_name": "volume fraction of each phase", "class_names": classes}
        arrays["1d/fractions"] = _rows(plan, (len(classes),), "<f4", ("class",), **said)
    for name, (trailing, dtype) in simulator.draw_templates.items():
        dimensions = tuple(f"{name}_{i}" for i in range(len(trailing)))
        arrays[f"draws/{name}"] = _rows(plan, trailing, dtype, dimensions, units=_unit_of(name))
    if output.peaks:
        arrays |= _peaks(plan)
    attributes = dataset_attributes(simulator, plan)
    return GroupTemplate(arrays, {"": attributes, "metadata": attributes})


def dataset_attributes(simulator: Simulator, plan: Plan) -> dict[str, Any]:
    """Return what a dataset says of itself."""
    names = simulator.class_names
    orientations, libraries = simulator.orientation_sha256, simulator.libraries
    return {
        "id": plan.id,
        "phases": list(names),
        "summary": f"{plan.n_patterns} patterns of {len(names)} classes, seed {simulator.spec.seed}",
        "created": plan.created,
        "parameters": simulator.spec.to_document(),
        "fingerprint": plan.fingerprint,
        "versions": {"difsims": __version__, **_versions(), **_packages_of(simulator.spec)},
        "crystals": [item.record() for item in simulator.crystals],
        **({} if orientations is None else {"orientation_sha256": list(orientations)}),
        **({} if libraries is None else {"libraries": list(libraries)}),
        **simulator.versions,
        "n_patterns": plan.n_patterns,
        "block_rows": plan.block_rows,
        "chunk_rows": plan.chunk_rows,
        "spot_rows": plan.spot_rows,
    }


def _unit_of(name: str) -> str:
    """Return the unit that a name ends with; ``1`` stands for none."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "1")


def _signal(plan: Plan, path: str, axes: Mapping[str, np.ndarray], classes: list[str]) -> dict[str, ArrayTemplate]:
    """Return intensities over some axes, their labels and the axes; ``path`` has a place for ``x`` or ``y``."""
    group, name = (path % "x").split("/")
    shape, dimensions = tuple(len(axis) for axis in axes.values()), tuple(f"{name}_{kind}_axis" for kind in axes)
    arrays = {
        path % "x": _rows(plan, shape, "<f4", dimensions, units="1", long_name="normalised intensity"),
        path % "y": _rows(plan, (1,), "|u1", ("label",), long_name="index into class_names", class_names=classes),
    }
    for dimension, (kind, axis) in zip(dimensions, axes.items(), strict=True):
        arrays[f"{group}/{dimension}"] = ArrayTemplate(
            axis.shape, "<f8", (dimension,), values=axis, attributes=_AXES[kind]
        )
    return arrays


def _peaks(plan: Plan) -> dict[str, ArrayTemplate]:
    arrays = {
        "peaks/start": _rows(plan, (), "<i8", (), long_name="row of the first spot in the flat arrays"),
        "peaks/count": _rows(plan, (), "<u2", (), long_name="number of spots, end to end from start on"),
    }
    for path, (dimensions, attributes) in _FLAT.items():
        dtype, trailing = FLAT[path]
        shape = (plan.n_blocks * plan.spot_rows, *trailing)
        arrays[path] = ArrayTemplate(shape, dtype, dimensions, plan.spot_rows, SPOT_ROWS, attributes=attributes)
    return arrays


def _rows(
    plan: Plan, trailing: tuple[int, ...], dtype: str, dimensions: tuple[str, ...], **attributes: str | list[str]
) -> ArrayTemplate:
    return ArrayTemplate(
        (plan.n_patterns, *trailing),
        dtype,
        ("pattern", *dimensions),
        plan.block_rows,
        _chunk_rows(plan, np.dtype(dtype).itemsize * math.prod(trailing)),
        attributes=attributes,
    )


def _chunk_rows(plan: Plan, row_bytes: int) -> int:
    """Return the rows of a chunk: those of the plan, and more where a row is small, up to 1 MiB."""
    chunks = plan.block_rows // plan.chunk_rows
    fitting = (k for k in range(chunks, 1, -1) if chunks % k == 0 and k * plan.chunk_rows * row_bytes <= _CHUNK_BYTES)
    return plan.chunk_rows * next(fitting, 1)


def _packages_of(spec: SimulationSpec) -> dict[str, str]:
    """Return the versions of the packages whose imperfections and engine the document names."""
    used = [IMPERFECTIONS.package(name) for name in spec.extensions] + [ENGINES.package(spec.engine)]
    return dict(package.rsplit(" ", 1) for package in used if package is not None)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
