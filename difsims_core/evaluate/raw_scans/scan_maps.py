"""Figures over the positions of a scan: drift of the beam, virtual detectors, counts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from difsims_core.evaluate.figure_style import AS_TEXT, new_figure, scan_axes
from difsims_core.evaluate.raw_scans.headed import head

_WIDTH = 9.6


def drift_figure(
    measured: np.ndarray, model: np.ndarray, placed: np.ndarray, scan_step_nm: float | None, sentence: str = ""
) -> Figure:
    """Draw where the beam lies over the scan, its smooth model, and what is left between them.

    Parameters
    ----------
    measured, model
        (ny, nx, 2) row and column, px.
    placed
        (ny, nx) bool: the model placed the beam; nothing is left there.
    scan_step_nm
        For the scale bar.
    sentence
        Shown above.
    """
    middle = np.nanmedian(model, axis=(0, 1))
    left = np.where(placed[..., None], np.nan, measured - model)
    wide = _reach(np.concatenate([measured - middle, model - middle]))
    narrow = _reach(left)
    height = _height(measured.shape[:2], 3)
    figure = new_figure(_WIDTH, 2 * height + 1.4)
    head(figure, "Where the beam lies, px from its middle", sentence)
    grid = figure.subplots(2, 3)
    for k, name in enumerate(("rows", "columns")):
        shown = (
            (measured[..., k] - middle[k], f"measured, {name}", wide),
            (model[..., k] - middle[k], "smooth drift", wide),
            (left[..., k], "measured − drift", narrow),
        )
        for axes, (values, title, reach) in zip(grid[k], shown, strict=True):
            _map(axes, values, title, scan_step_nm if k else None, "RdBu_r", (-reach, reach))
            if not k:
                axes.set(xticks=[], yticks=[], xlabel="")
    return figure


def fields_figure(
    bright: np.ndarray, dark: np.ndarray, counts: np.ndarray, scan_step_nm: float | None, sentence: str = ""
) -> Figure:
    """Draw the virtual bright field, the annular dark field and the counts of each pattern, (ny, nx) each."""
    figure = new_figure(_WIDTH, _height(bright.shape, 3) + 0.9)
    head(figure, "Virtual detectors", sentence)
    panels = (
        (bright, "bright field: counts in the beam"),
        (dark, "dark field: counts in the crop"),
        (counts, "all counts"),
    )
    for axes, (values, title) in zip(figure.subplots(1, 3), panels, strict=True):
        finite = values[np.isfinite(values)]
        low, high = (float(v) for v in np.percentile(finite, (0.5, 99.5))) if finite.size else (0.0, 1.0)
        _map(axes, values, title, scan_step_nm, "gray", (low, high if high > low else low + 1))
    return figure


def _map(
    axes: Axes, values: np.ndarray, title: str, scan_step_nm: float | None, colours: str, limits: tuple[float, float]
) -> AxesImage:
    """Draw a map with its colours; grey where there is nothing."""
    aspect = "equal" if 0.1 < values.shape[0] / values.shape[1] < 10 else "auto"
    axes.set_facecolor("#8a8a8a")
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left", **AS_TEXT)
    scan_axes(axes, scan_step_nm)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    return image


def _reach(values: np.ndarray) -> float:
    """Return the limit of colours that all but a hundredth of values stay within."""
    finite = np.abs(values[np.isfinite(values)])
    return max(float(np.percentile(finite, 99)) if finite.size else 0.0, 0.01)


def _height(shape: tuple[int, ...], n: int) -> float:
    """Return the height of maps that lie n in a row, inches."""
    return float(np.clip((_WIDTH - 0.8 * n) / n * shape[0] / shape[1], 0.45, 3.4))
