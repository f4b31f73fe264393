"""Figures of a classifier's training and of its held-out scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from difsims_core.evaluate.figure_style import AS_TEXT, INK, QUIET, drawable, new_figure, quiet_axes, wrapped

_TRAINING, _HELD_OUT = "#0072B2", "#D55E00"
_LONGEST_PHASE = 40


def learning_curves_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draw loss and accuracy by epoch, on training and on held-out patterns.

    Parameters
    ----------
    history
        One mapping an epoch with ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.
    """
    figure = new_figure(9.6, 3.0)
    left, right = figure.subplots(1, 2)
    epoch = [entry["epoch"] for entry in history]
    for axes, key, title in ((left, "loss", "Loss (cross-entropy)"), (right, "accuracy", "Accuracy")):
        quiet_axes(axes, title)
        _curve(axes, epoch, history, key, _TRAINING, "training")
        _curve(axes, epoch, history, f"val_{key}", _HELD_OUT, "held out")
        axes.set_xlabel("epoch", fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#E6E6E6", lw=0.6)
        axes.set_axisbelow(True)
    losses = [entry.get("val_loss", np.nan) for entry in history]
    if np.isfinite(losses).any():
        best = int(np.nanargmin(losses))
        for axes in (left, right):
            axes.axvline(epoch[best], color=QUIET, lw=0.8, ls=":", label="lowest held-out loss")
    left.legend(frameon=False, fontsize=8)
    return figure


def confusion_figure(confusion: Mapping[str, Any]) -> Figure:
    """Draw a confusion matrix ({class_names, counts}): the colour is the share of its row, the true class."""
    names, counts = confusion["class_names"], np.asarray(confusion["counts"], np.float64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    k = len(names)
    shown = [wrapped(name) if k <= 5 else drawable(name, _LONGEST_PHASE) for name in names]
    size = 2.0 + 0.85 * k
    figure = new_figure(min(size + 1.2, 11.0), min(size, 9.5))
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    for row in range(k):
        for column in range(k):
            colour = "white" if share[row, column] > 0.55 else INK
            text = f"{100 * share[row, column]:.1f} %\n{int(counts[row, column]):,}" if k <= 6 else ""
            text = text or (f"{100 * share[row, column]:.0f}" if share[row, column] >= 0.005 else "")
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(k), shown, fontsize=8, **AS_TEXT)
    if k > 5:
        axes.tick_params(axis="x", labelrotation=50)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), shown, fontsize=8, **AS_TEXT)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("true", fontsize=9)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("share of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def reliability_figure(reliability: Mapping[str, Any], error: float | None = None) -> Figure:
    """Draw accuracy against stated confidence, and how often each confidence is stated.

    Parameters
    ----------
    reliability
        ``edges``, ``n``, ``accuracy``, ``confidence`` by bin, as `CalibrationError` gives them.
    error
        The expected calibration error, for the title.
    """
    edges, n = np.asarray(reliability["edges"]), np.asarray(reliability["n"], np.float64)
    some = n > 0
    accuracy = np.array([np.nan if value is None else value for value in reliability["accuracy"]])
    confidence = np.array([np.nan if value is None else value for value in reliability["confidence"]])
    figure = new_figure(4.6, 4.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    quiet_axes(top, "Can the confidence be believed?" if error is None else f"Expected calibration error {error:.3f}")
    top.plot([0, 1], [0, 1], color=QUIET, lw=0.8, ls="--", label="perfectly calibrated")
    top.plot(confidence[some], accuracy[some], "o-", color=_TRAINING, lw=1.2, ms=4, label="this model")
    top.set_ylabel("accuracy", fontsize=8)
    top.set_ylim(0, 1.02)
    top.legend(frameon=False, fontsize=8, loc="upper left")
    quiet_axes(bottom)
    bottom.bar(edges[:-1], n / max(n.sum(), 1.0), width=np.diff(edges), align="edge", color="#A6CBE3", ec="white")
    bottom.set_ylabel("share", fontsize=8)
    bottom.set_xlabel("highest probability", fontsize=8)
    bottom.set_xlim(0, 1)
    return figure


def _curve(
    axes: Axes, epoch: list[float], history: Sequence[Mapping[str, float]], key: str, colour: str, label: str
) -> None:
    values = [entry.get(key, np.nan) for entry in history]
    if np.isfinite(values).any():
        axes.plot(epoch, values, "o-", color=colour, lw=1.3, ms=3.5, label=label)
