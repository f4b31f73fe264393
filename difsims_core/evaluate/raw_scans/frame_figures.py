"""Figures of a scan's mean pattern: where its beam and its rings lie, and which pixels do not count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from difsims_core.evaluate.figure_style import drawable, legend_as_text, new_figure, phase_colours
from difsims_core.evaluate.raw_scans.headed import head

_RINGS = 8  # of each phase
_SHOWN_PX = 200  # more pixels than that cannot be told apart
_RED = (0.84, 0.1, 0.11)


def pattern_figure(
    mean: np.ndarray,
    good: np.ndarray,
    centre: tuple[float, float],
    distortion: np.ndarray,
    radii_px: Mapping[str, np.ndarray],
    sentence: str = "",
) -> Figure:
    """Draw the mean pattern, and again with its centre and arcs of the rings of the phases, distorted as it is.

    Parameters
    ----------
    mean, good
        (rows, columns) counts, and bool: True for pixels that count.
    centre
        Row and column of the beam.
    distortion
        (2, 2): recorded = distortion · true, on (row, column).
    radii_px
        Phase → radii of its lines in an undistorted pattern, px, strongest first; eight are drawn.
    sentence
        Shown above.
    """
    figure = new_figure(9.6, 5.0)
    head(figure, "Mean pattern", sentence)
    bare, ringed = figure.subplots(1, 2)
    for axes in (bare, ringed):
        _show(axes, mean, good)
    bare.set_title("counts, logarithmic", fontsize=9, loc="left")
    ringed.set_title("its beam, and lines of the phases", fontsize=9, loc="left")
    n = max(len(radii_px), 1)
    for k, (radii, colour) in enumerate(zip(radii_px.values(), phase_colours(len(radii_px)), strict=True)):
        angle = np.pi + np.linspace(k, k + 1, 181) * np.pi / n  # the upper half, a part for each phase
        circle = np.stack([np.sin(angle), np.cos(angle)])
        for radius in radii[:_RINGS]:
            row, column = distortion @ circle * radius
            ringed.plot(centre[1] + column, centre[0] + row, color=colour, lw=1.1)
    ringed.set(xlim=bare.get_xlim(), ylim=bare.get_ylim())
    ringed.plot(centre[1], centre[0], "+", color="white", ms=9, mew=1.2)
    ringed.plot(centre[1], centre[0], "+", color=_RED, ms=7, mew=1.0)
    marks = [Line2D([], [], color=colour, lw=1.5) for colour in phase_colours(len(radii_px))]
    if marks:
        names = [drawable(name, 40) for name in radii_px]
        legend = figure.legend(marks, names, loc="outside lower left", ncols=3, frameon=False, fontsize=8)
        legend_as_text(legend)
    return figure


def bad_pixels_figure(mean: np.ndarray, good: np.ndarray, sentence: str = "") -> Figure:
    """Draw in red which pixels do not count, over the mean pattern; those of large detectors larger than they are."""
    from scipy import ndimage

    figure = new_figure(5.2, 5.2)
    head(figure, "Pixels that do not count", sentence)
    axes = figure.subplots()
    _show(axes, mean, good)
    wider = max(mean.shape) // _SHOWN_PX
    bad = ~good if wider == 0 else np.asarray(ndimage.binary_dilation(~good, iterations=wider), bool)
    red = np.zeros((*bad.shape, 4))
    red[bad] = (*_RED, 1.0)
    axes.imshow(red, interpolation="nearest")
    return figure


def _show(axes: Axes, mean: np.ndarray, good: np.ndarray) -> None:
    """Draw counts in grey on a logarithmic scale, what does not count in the mean of its surroundings."""
    shown = np.where(good & np.isfinite(mean), mean, np.nan)
    seen = shown[np.isfinite(shown) & (shown > 0)]
    low, high = (float(value) for value in np.percentile(seen, (5, 99.98))) if seen.size else (1.0, 10.0)
    high = max(high, 2 * low)
    axes.imshow(
        np.where(np.isfinite(shown), np.maximum(shown, low), low),
        cmap="gray", norm=LogNorm(low, high), interpolation="antialiased",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
