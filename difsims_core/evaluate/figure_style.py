"""The common look of all figures: colours that colour-blind readers tell apart, and PNG bytes."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import XKCD_COLORS, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.legend import Legend

from difsims_core.messages import printable, shortened

# Okabe & Ito (2008) without black and the yellow that vanishes on white, then Tol's "muted" (2021) for more phases
_PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#117733",
    "#DDCC77",
)
INK = "#222222"
QUIET = "#767676"
NO_CRYSTAL = "#D9D9D9"
INVALID = "#3A3A3A"
WRONG = "#B2182B"
WRONG_ON_BOUNDARY = "#F4A582"
Q_LABEL = "q = 1/d  (Å⁻¹)"
AS_TEXT: dict[str, Any] = {"parse_math": False, "usetex": False}
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def phase_colours(n: int) -> np.ndarray:
    """Return (n, 3) RGB colours of the classes in the model's order; from the fourteenth on they repeat, darker."""
    return np.array([np.array(to_rgb(_PALETTE[i % len(_PALETTE)])) * 0.7 ** (i // len(_PALETTE)) for i in range(n)])


def named_colours(n: int) -> tuple[str, ...]:
    """Return the colours that matplotlib has a name for (xkcd's 949) nearest to those of the classes, each once."""
    names = list(XKCD_COLORS)
    known = np.array([to_rgb(XKCD_COLORS[name]) for name in names])
    found: list[int] = []
    for colour in phase_colours(n):
        order = np.linalg.norm(known - colour, axis=1).argsort(kind="stable")
        found.append(next((int(i) for i in order if i not in found), int(order[0])))
    return tuple(names[i] for i in found)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def drawable(name: str, most: int = 60) -> str:
    """Return a name as any figure takes it: one line of some length, of characters that the font can draw.

    Where it is drawn ``parse_math=False`` goes with it (`AS_TEXT`): a dollar is one.
    """
    known = _characters_of(findfont(FontProperties(), fallback_to_default=True))
    return shortened("".join(sign if ord(sign) in known else _UNKNOWN for sign in printable(str(name))), most)


@cache
def _characters_of(font: str) -> frozenset[int]:
    return frozenset(get_font(font).get_charmap())


def legend_as_text(legend: Legend) -> None:
    """Draw the labels of a legend as they are."""
    for text in legend.get_texts():
        text.set(**AS_TEXT)


def quiet_axes(axes: Axes, title: str = "") -> None:
    """Strip an axes to what carries information; the title may be a name."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK, labelsize=8)
    if title:
        axes.set_title(drawable(title), fontsize=10, color=INK, loc="left", **AS_TEXT)


def scan_axes(axes: Axes, scan_step_nm: float | None) -> None:
    """Give a map that was drawn a scale bar below it in place of its axes, or axes in pixels where nothing is known."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    right, left = sorted(axes.get_xlim(), reverse=True)
    bottom, top = sorted(axes.get_ylim(), reverse=True)
    if bottom - top <= 1:
        axes.set_yticks([])
    if scan_step_nm is None:
        axes.set_xlabel("pixel", fontsize=8)
        axes.tick_params(labelsize=8)
        return
    axes.set_xticks([])
    axes.set_yticks([])
    length = bar_length_nm((right - left) * scan_step_nm)
    label = f"{length / 1000:g} µm" if length >= 1000 else f"{length:g} nm"
    bar = AnchoredSizeBar(
        axes.transData, length / scan_step_nm, label, loc="upper left", bbox_to_anchor=(0.0, 0.0),
        bbox_transform=axes.transAxes, pad=0.0, borderpad=0.4, sep=2, frameon=False, color=INK,
        fontproperties=FontProperties(size=8),
    )  # fmt: skip
    bar.size_bar.get_children()[0].set(linewidth=2.5, capstyle="butt")
    axes.add_artist(bar)


def bar_length_nm(width_nm: float) -> float:
    """Return the length of a scale bar, nm: 1, 2 or 5 times a power of ten, a quarter of the width or a little less."""
    quarter = width_nm / 4
    power = 10.0 ** math.floor(math.log10(quarter))
    return max(step for step in (1.0, 2.0, 5.0) if step * power <= quarter * (1 + 1e-9)) * power


def name_figure(figure: Figure, name: str) -> None:
    """Write a name above a whole figure."""
    figure.suptitle(drawable(name, 100), fontsize=11, x=0.01, ha="left", **AS_TEXT)


def wrapped(name: str, width: int = 14) -> str:
    """Return a class name broken at underscores, else where it must, into lines of about this many characters."""
    lines = [""]
    for part in re.findall(f"[^_]{{1,{width}}}_?|_", drawable(name, 4 * width)):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def as_percent(value: float | None) -> str:
    """Return ``87.3 %``, or a dash for what is not defined."""
    return "–" if value is None else f"{100 * value:.1f} %"


def as_map(values: np.ndarray, navigation: Sequence[int]) -> np.ndarray:
    """Return an array over the navigation axes as (rows, columns, …); a line is one row, a stack many."""
    values = np.asarray(values)
    columns = navigation[-1] if navigation else 1
    return values.reshape(-1, columns, *values.shape[len(navigation) :])


def to_png(figure: Figure, dpi: int = 120) -> bytes:
    """Return the figure as PNG bytes; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08, metadata={"Software": None})
    return buffer.getvalue()
