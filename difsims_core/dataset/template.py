"""What a dataset looks like before its first row: arrays, axes and attributes (DESIGN §4)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from difsims_core import __version__
from difsims_core.dataset.plan import Plan
from difsims_core.storage.arrays import ArrayTemplate, GroupTemplate

if TYPE_CHECKING:
    from difsims_core.dataset.simulate import Simulator

_PACKAGES = ("numpy", "numba", "scipy", "orix", "diffsims", "zarr")


def dataset_template(simulator: Simulator, plan: Plan) -> GroupTemplate:
    """Return the arrays, axes and attributes of a dataset."""
    arrays: dict[str, ArrayTemplate] = {}
    for name, axis in (("px", simulator.q_px), ("all", _kept(simulator)), ("q", simulator.q_q)):
        if axis is None:
            continue
        arrays |= {
            f"1d/x_{name}": _rows(plan, (len(axis),), "<f4", (f"q_{name}",), long_name="normalised intensity"),
            f"1d/y_{name}": _rows(plan, (1,), "|u1", ("label",), long_name="index into phases"),
            f"1d/x_{name}_q_axis": ArrayTemplate(
                axis.shape,
                "<f8",
                (f"q_{name}",),
                values=axis,
                attributes={"units": "1/angstrom", "long_name": "q = 1/d"},
            ),
        }
    for name, (trailing, dtype) in simulator.draw_templates.items():
        arrays[f"draws/{name}"] = _rows(plan, trailing, dtype, tuple(f"{name}_{i}" for i in range(len(trailing))))
    attributes = dataset_attributes(simulator, plan)
    return GroupTemplate(arrays, {"": attributes, "metadata": attributes})


def dataset_attributes(simulator: Simulator, plan: Plan) -> dict[str, Any]:
    """Return what a dataset says of itself."""
    names = simulator.class_names
    return {
        "id": plan.id,
        "phases": list(names),
        "summary": f"{plan.n_patterns} patterns of {len(names)} classes, seed {simulator.spec.seed}",
        "created": plan.created,
        "parameters": simulator.spec.to_document(),
        "fingerprint": plan.fingerprint,
        "versions": {"difsims": __version__, **_versions()},
        "crystals": [{"name": item.name, "file": item.file, "sha256": item.sha256} for item in simulator.crystals],
        "engine_version": simulator.engine_version,
        "n_patterns": plan.n_patterns,
        "block_rows": plan.block_rows,
        "chunk_rows": plan.chunk_rows,
    }


def _kept(simulator: Simulator) -> Any:
    return simulator.q_all if simulator.spec.output.x_all else None


def _rows(
    plan: Plan, trailing: tuple[int, ...], dtype: str, dimensions: tuple[str, ...], **attributes: str
) -> ArrayTemplate:
    return ArrayTemplate(
        (plan.n_patterns, *trailing),
        dtype,
        ("pattern", *dimensions),
        plan.block_rows,
        plan.chunk_rows,
        attributes=attributes,
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
