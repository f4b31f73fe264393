"""Orientations as a picture: colours of the inverse pole figure, one panel for each axis of the scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.crystal import libraries  # loads orix by the first use of one of its names
from difsims_core.errors import InputError
from difsims_core.evaluate.figure_style import AS_TEXT, drawable, name_figure, new_figure, scan_axes, to_png
from difsims_core.results.maps.phase_map import PhaseMap

if TYPE_CHECKING:
    from orix.quaternion.symmetry import Symmetry

AXES = ("x, along the rows", "y, down the columns", "z, the beam")
_WIDTH, _HIGHEST, _KEY = 9.6, 6.0, 2.4  # inches
_MOST_KEYS = 8  # beside each other


def write_ipf(found: PhaseMap, path: Path) -> None:
    """Write a PNG: the crystal direction along x, y and z of the scan at each pixel, and the keys of the colours.

    Colours are those of orix' ``IPFColorKeyTSL`` in the Laue group of each phase; where there is no orientation a pixel
    is white.

    Raises
    ------
    InputError
        If the map has no orientations, or those of no phase whose structure is known.
    """
    groups = point_groups(found)
    colours = ipf_colours(found, groups)
    ny, nx = found.labels.shape
    keys = sorted({group.laue.name: group for group in groups.values()}.items())[:_MOST_KEYS]
    height = float(np.clip((_WIDTH - 1.4) / 3 * ny / nx, 0.45, _HIGHEST))
    figure = new_figure(_WIDTH, height + _KEY + 0.9)
    name_figure(figure, found.name)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(height + 0.5, _KEY + 0.4))[:, 0]
    for axes, panel, title in zip(above.subplots(1, 3), colours, AXES, strict=True):
        axes.imshow(panel, aspect="equal" if 0.1 < ny / nx < 10 else "auto", interpolation="nearest")
        axes.set_title(title, fontsize=9, loc="left", **AS_TEXT)
        scan_axes(axes, found.scan_step_nm)
    import orix.plot  # noqa: F401 - registers the projection "ipf"

    for place, (laue, group) in enumerate(keys, start=1):
        names = ", ".join(drawable(found.phases[i], 24) for i, own in groups.items() if own.laue.name == laue)
        axes: Any = below.add_subplot(1, max(3, len(keys)), place, projection="ipf", symmetry=group.laue)
        axes.plot_ipf_color_key(show_title=False)
        axes.set_title(f"{laue}: {names}", fontsize=8, loc="left", y=1.12, **AS_TEXT)
    path.write_bytes(to_png(figure))


def point_groups(found: PhaseMap) -> dict[int, Symmetry]:
    """Return the point groups of the phases that have orientations somewhere, by their numbers.

    Raises
    ------
    InputError
        If there is none.
    """
    if found.orientations is None:
        raise InputError(
            f"{found.name}: the map has no orientations", "map the scan with a classifier of the kind templates"
        )
    known = ~np.isnan(found.orientations).any(axis=-1)
    groups = {}
    for number in np.unique(found.labels[known & (found.labels >= 0)]):
        crystal = found.crystals[number]
        if crystal is not None and crystal.phase.point_group is not None:
            groups[int(number)] = crystal.phase.point_group
    if not groups:
        raise InputError(
            f"{found.name}: of no phase with orientations the crystal file is known", "give its folder (--crystals)"
        )
    return groups


def ipf_colours(found: PhaseMap, groups: dict[int, Symmetry]) -> np.ndarray:
    """Return (3, ny, nx, 3) colours along x, y and z of the scan; white where there is no orientation."""
    from orix.plot import IPFColorKeyTSL
    from orix.vector import Vector3d

    assert found.orientations is not None  # noqa: S101 - narrows the type; `point_groups` has refused the others
    colours = np.ones((3, *found.labels.shape, 3))
    known = ~np.isnan(found.orientations).any(axis=-1)
    for number, group in groups.items():
        mine = known & (found.labels == number)
        turned = libraries.Orientation(found.orientations[mine])
        turned.symmetry = group
        for axis in range(3):
            key = IPFColorKeyTSL(group.laue, direction=Vector3d(np.eye(3)[axis]))
            colours[axis, mine] = key.orientation2color(turned)
    return colours
