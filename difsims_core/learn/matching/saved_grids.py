"""Grids of templates as plain arrays, and back: whatever is read is checked before a kernel uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from difsims_core.errors import ModelError
from difsims_core.learn.matching.grid import TemplateGrid
from difsims_core.learn.weights import Weight

_UNIT = 1e-6


def grid_weights(n_classes: int) -> tuple[Weight, ...]:
    """Return what arrays the grids of so many phases are."""
    return (
        Weight("n_operations", (n_classes,), "int64"),
        Weight("n_directions", (n_classes,), "int64"),
        Weight("operations", (None, 3, 3), "float64"),
        Weight("members", (None, 3), "float64"),
        Weight("thickness_angstrom", (n_classes, None), "float64"),
        Weight("lattice_scale", (n_classes, None), "float64"),
    )


def save_grids(grids: Sequence[TemplateGrid]) -> dict[str, np.ndarray]:
    """Return the arrays of `grid_weights`."""
    return {
        "n_operations": np.array([len(grid.operations) for grid in grids], np.int64),
        "n_directions": np.array([len(grid.members) for grid in grids], np.int64),
        "operations": np.concatenate([grid.operations for grid in grids]),
        "members": np.concatenate([grid.members for grid in grids]),
        "thickness_angstrom": np.stack([grid.thickness_angstrom for grid in grids]),
        "lattice_scale": np.stack([grid.lattice_scale for grid in grids]),
    }


def load_grids(arrays: Mapping[str, np.ndarray], n_templates: int) -> tuple[TemplateGrid, ...]:
    """Return the grids of arrays.

    Raises
    ------
    ModelError
        If they do not fit together, or are not those of ``n_templates`` templates in all.
    """
    operations, members = arrays["operations"], arrays["members"]
    ends = [np.cumsum(arrays[name]) for name in ("n_operations", "n_directions")]
    counts = np.concatenate([arrays["n_operations"], arrays["n_directions"]])
    beside = arrays["thickness_angstrom"].shape[1] * arrays["lattice_scale"].shape[1]
    fit = counts.min() >= 1 and counts.max() <= len(operations) + len(members)
    fit = fit and (ends[0][-1], ends[1][-1] * beside) == (len(operations), n_templates) and ends[1][-1] == len(members)
    if not fit or beside < 1 or not np.allclose(np.linalg.norm(members, axis=1), 1, rtol=0, atol=_UNIT):
        raise ModelError("the templates of the model are not those of its beam directions", "train the model again")
    if not np.allclose(operations @ operations.transpose(0, 2, 1), np.eye(3), rtol=0, atol=_UNIT):
        raise ModelError("the point operations of the model are no rotations or mirrors", "train the model again")
    parts = zip(np.split(operations, ends[0][:-1]), np.split(members, ends[1][:-1]), strict=True)
    others = zip(arrays["thickness_angstrom"], arrays["lattice_scale"], strict=True)
    return tuple(
        TemplateGrid(some, towards, thickness, scale)
        for (some, towards), (thickness, scale) in zip(parts, others, strict=True)
    )


def of_grids(grids: Sequence[TemplateGrid], values: np.ndarray) -> list[np.ndarray]:
    """Return the values of the templates of each grid, of an array of all of them one after the other."""
    return np.split(values, np.cumsum([grid.size for grid in grids])[:-1])
