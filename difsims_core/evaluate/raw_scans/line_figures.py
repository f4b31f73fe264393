"""Figures of a scan's spots and lines: its ellipse, and the mean profile among the lines of the candidate phases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from difsims_core.evaluate.figure_style import (
    AS_TEXT,
    INK,
    Q_LABEL,
    QUIET,
    drawable,
    new_figure,
    phase_colours,
    quiet_axes,
)
from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.evaluate.raw_scans.headed import head

_SECTORS = 24
_FEWEST = 5  # spots of which a median is drawn
_WEAK = 0.02  # of the strongest line: weaker ones are left out


def ellipse_figure(
    azimuth_deg: np.ndarray,
    recorded: np.ndarray,
    undone: np.ndarray,
    ellipse: tuple[float, float],
    looked_at: tuple[np.ndarray, np.ndarray],
    sentence: str = "",
) -> Figure:
    """Draw how far spots lie from their lines by azimuth, before and after, and how well other ellipses agree.

    Parameters
    ----------
    azimuth_deg, recorded, undone
        (m,) azimuth of spots, and relative distances from their lines.
    ellipse
        (a, b): lines are recorded farther out by b sin 2φ − a cos 2φ.
    looked_at
        Axis (k,) of a and b, and gain (k, k) by a and b.
    sentence
        Shown above.
    """
    figure = new_figure(9.6, 3.7)
    head(figure, "Ellipse", sentence)
    before, after, compared = figure.subplots(1, 3, width_ratios=(1.15, 1.15, 1))
    folded = azimuth_deg % 180
    a, b = ellipse
    reach = 100 * max(float(np.hypot(a, b)) * 1.4, 0.0) + 1.0
    phi = np.linspace(0, 180, 181)
    wave = b * np.sin(2 * np.radians(phi)) - a * np.cos(2 * np.radians(phi))
    for axes, distance, curve, title in (
        (before, recorded, wave, "as recorded"),
        (after, undone, np.zeros_like(wave), "ellipse undone"),
    ):
        quiet_axes(axes, title)
        axes.plot(folded, 100 * distance, ".", ms=2.5, color=QUIET, alpha=0.35, mec="none")
        axes.plot(phi, 100 * curve, color="#D55E00", lw=1.6)
        axes.plot(*_medians(folded, 100 * distance), "o", ms=4, color="#0072B2")
        axes.set(xlim=(0, 180), ylim=(-reach, reach), xticks=(0, 45, 90, 135, 180))
        axes.set_xlabel("azimuth (degrees; φ and φ + 180 together)", fontsize=8)
    before.set_ylabel("radius of spots against their lines (%)", fontsize=8)
    axis, gain = looked_at
    edge = 50 * float(axis[1] - axis[0])
    low, high = 100 * float(axis[0]) - edge, 100 * float(axis[-1]) + edge
    image = compared.imshow(gain, origin="lower", extent=(low, high, low, high), cmap="cividis", aspect="equal")
    compared.plot(100 * b, 100 * a, "+", color=INK, ms=11, mew=3.5)
    compared.plot(100 * b, 100 * a, "+", color="#D55E00", ms=10, mew=1.8)
    compared.set_title("agreement of other ellipses", fontsize=10, loc="left", **AS_TEXT)
    compared.set_xlabel("b (%)", fontsize=8)
    compared.set_ylabel("a (%)", fontsize=8)
    compared.tick_params(labelsize=8)
    figure.colorbar(image, ax=compared, fraction=0.046, pad=0.02).ax.tick_params(labelsize=7)
    return figure


def mean_profile_figure(
    q: np.ndarray, profile: np.ndarray, lines: Mapping[str, PowderLines], sentence: str = ""
) -> Figure:
    """Draw the mean profile of a scan, and below it the lines of each candidate phase, as long as they are strong.

    Parameters
    ----------
    q, profile
        (n_q,) Å⁻¹, and counts per pixel.
    lines
        Phase → its lines at lattice scale 1.
    sentence
        Shown above.
    """
    n = len(lines)
    figure = new_figure(9.6, 3.4 + 0.42 * n)
    head(figure, "Mean profile, and lines of the candidate phases", sentence)
    grid = figure.subplots(1 + n, 1, sharex=True, height_ratios=[6, *[1] * n], squeeze=False)[:, 0]
    quiet_axes(grid[0])
    shown = np.where(profile > 0, profile, np.nan)
    if np.isfinite(shown).any():
        grid[0].semilogy(q, shown, color=INK, lw=1.3)
    grid[0].yaxis.set_minor_formatter(NullFormatter())
    grid[0].set_ylabel("counts per pixel", fontsize=8)
    for axes, (name, phase), colour in zip(grid[1:], lines.items(), phase_colours(n), strict=True):
        _draw_lines(axes, grid[0], name, phase.between(float(q[0]), float(q[-1]), _WEAK), colour)
    grid[-1].set_xlim(q[0], q[-1])
    grid[-1].set_xlabel(Q_LABEL, fontsize=8)
    return figure


def _draw_lines(axes: Axes, profile: Axes, name: str, lines: PowderLines, colour: np.ndarray) -> None:
    quiet_axes(axes)
    axes.spines["left"].set_visible(False)
    height = np.sqrt(lines.strength / lines.strength.max(initial=1e-12))
    axes.vlines(lines.q, 0, height, color=colour, lw=1.2)
    axes.set(ylim=(0, 1.05), yticks=[])
    axes.text(1.0, 0.95, drawable(name, 40), transform=axes.transAxes, ha="right", va="top", fontsize=8, color=colour,
              **AS_TEXT)  # fmt: skip
    for q in lines.q[np.argsort(-lines.strength)[:4]]:
        profile.axvline(q, color=colour, lw=0.7, alpha=0.45, zorder=0)


def _medians(azimuth: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return middles of sectors and medians of the values in them, where there are enough."""
    edges = np.linspace(0, 180, _SECTORS + 1)
    sector = np.digitize(azimuth, edges) - 1
    found = [(edges[k] + edges[1] / 2, np.median(values[sector == k])) for k in range(_SECTORS)
             if (sector == k).sum() >= _FEWEST]  # fmt: skip
    points = np.array(found).reshape(-1, 2)
    return points[:, 0], points[:, 1]
