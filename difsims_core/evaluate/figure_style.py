"""The common look of all figures: colours that colour-blind readers tell apart, and PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

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


def phase_colours(n: int) -> np.ndarray:
    """Return (n, 3) RGB colours of the classes in the model's order; from the fourteenth on they repeat, darker."""
    return np.array([np.array(to_rgb(_PALETTE[i % len(_PALETTE)])) * 0.7 ** (i // len(_PALETTE)) for i in range(n)])


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def quiet_axes(axes: Axes, title: str = "") -> None:
    """Strip an axes to what carries information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK, labelsize=8)
    if title:
        axes.set_title(title, fontsize=10, color=INK, loc="left")


def wrapped(name: str, width: int = 14) -> str:
    """Return a class name broken at underscores into lines of about this many characters."""
    lines = [""]
    for part in name.replace("_", "_\0").split("\0"):
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
