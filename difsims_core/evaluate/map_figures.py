"""Figures of phase maps: how sure, and how right where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from difsims_core.evaluate.classification import confidence_of, grain_wise, invalid_pixels, labels_in_phases
from difsims_core.evaluate.figure_style import (
    AS_TEXT,
    INVALID,
    NO_CRYSTAL,
    QUIET,
    WRONG,
    WRONG_ON_BOUNDARY,
    as_map,
    as_percent,
    drawable,
    legend_as_text,
    new_figure,
    phase_colours,
    scan_axes,
)

if TYPE_CHECKING:
    from difsims_core.storage.npz.contracts import Prediction, Truth

_LONGEST_PHASE = 30  # of four columns of a legend


def phase_map_figure(prediction: Prediction, title: str = "") -> Figure:
    """Draw which phase claims each pixel, paler where less sure, and beside it how sure the map is.

    Between them is drawn, where the map knows grains, which phase claims each grain.

    Parameters
    ----------
    prediction
        Probabilities (…, k); a line scan is drawn as one row. A scale bar is drawn where it knows its scan step.
    title
        Shown above, usually the name of the experiment.
    """
    confidence, invalid = _confidence(prediction), _two_dimensional(invalid_pixels(prediction), prediction)
    patches = [*_phase_patches(prediction), *_extra_patches(bool(invalid.any()), no_crystal=False)]
    step = prediction.scan_step_nm
    maps = [("Phase, paler where less sure", prediction)]
    if (of_grains := grain_wise(prediction)) is not None:
        maps.append(("Grain by grain", of_grains))
    figure, panels = _panels(confidence.shape, len(maps) + 1, title, patches)
    for axes, (said, shown) in zip(panels, maps, strict=False):
        _show(axes, _claims(shown), said, step)
    sure = ("Highest probability", _chance(prediction)) if prediction.confidence is None else ("Confidence", 0.0)
    image = _show(panels[-1], np.ma.masked_array(confidence, invalid), sure[0], step, (sure[1], 1.0))
    figure.colorbar(image, ax=panels[-1], fraction=0.05, pad=0.02).ax.tick_params(labelsize=8)
    return figure


def truth_figure(prediction: Prediction, truth: Truth, title: str = "") -> Figure:
    """Draw the truth, the prediction and where they differ; mistakes on grain boundaries are told apart."""
    label = _two_dimensional(labels_in_phases(truth, prediction.phases), prediction)
    no_crystal = _two_dimensional(np.asarray(truth.label) < 0, prediction)
    scored = ~no_crystal & ~_two_dimensional(invalid_pixels(prediction), prediction)
    boundary = (
        np.zeros_like(scored) if truth.boundary is None else _two_dimensional(np.asarray(truth.boundary), prediction)
    )

    def errors(shown: Prediction) -> tuple[np.ndarray, str]:
        claims = _two_dimensional(np.asarray(shown.pred).argmax(axis=-1), shown)
        wrong = (claims != label) & scored
        image = np.ones((*wrong.shape, 3))
        image[no_crystal] = _rgb(NO_CRYSTAL)
        image[wrong] = _rgb(WRONG)
        image[wrong & boundary] = _rgb(WRONG_ON_BOUNDARY)
        n_scored = int(scored.sum())
        return image, as_percent(wrong.sum() / n_scored if n_scored else None)

    seen, not_scored = _truth(prediction, truth)
    patches = [*_phase_patches(prediction, shares=False), Patch(color=WRONG, label="mistake")]
    if truth.boundary is not None:
        patches.append(Patch(color=WRONG_ON_BOUNDARY, label="mistake on a grain boundary"))
    patches += not_scored
    step = prediction.scan_step_nm
    of_grains = grain_wise(prediction)
    figure, panels = _panels(scored.shape, 3 if of_grains is None else 4, title, patches)
    _show(panels[0], seen, "Truth", step)
    _show(panels[1], _claims(prediction), "Prediction, paler where less sure", step)
    wrong, share = errors(prediction)
    if of_grains is None:
        _show(panels[2], wrong, f"Mistakes: {share} of crystal pixels", step)
    else:
        _show(panels[2], wrong, f"Mistakes: {share}", step)
        wrong, share = errors(of_grains)
        _show(panels[3], wrong, f"Grain by grain: {share}", step)
    return figure


def compared_figure(maps: Sequence[tuple[str, Prediction]], truth: Truth | None = None, title: str = "") -> Figure:
    """Draw the maps that several classifiers make of one scan side by side, paler where less sure, after the truth.

    Parameters
    ----------
    maps
        What stands above each, such as its classifier and how much is right; and the map.
    truth
        Drawn before them.
    title
        Shown above, usually the name of the experiment.
    """
    first = maps[0][1]
    shape, step = _two_dimensional(invalid_pixels(first), first).shape, first.scan_step_nm
    seen, not_scored = (None, []) if truth is None else _truth(first, truth)
    figure, panels = _panels(
        shape, len(maps) + (truth is not None), title,
        [*_phase_patches(first, shares=False), *not_scored, Patch(color="none", label="paler where less sure")],
    )  # fmt: skip
    if seen is not None:
        _show(panels[0], seen, "Truth", step)
    for axes, (name, prediction) in zip(panels[truth is not None :], maps, strict=True):
        _show(axes, _claims(prediction), name, step)
    return figure


def _two_dimensional(values: np.ndarray, prediction: Prediction) -> np.ndarray:
    return as_map(values, np.shape(prediction.pred)[:-1])


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _truth(prediction: Prediction, truth: Truth) -> tuple[np.ndarray, list[Patch]]:
    """Return an image of the truth in the colours of a map, and patches for what no phase of its model is."""
    label = _two_dimensional(labels_in_phases(truth, prediction.phases), prediction)
    no_crystal = _two_dimensional(np.asarray(truth.label) < 0, prediction)
    other = (label < 0) & ~no_crystal
    seen = phase_colours(len(prediction.phases))[np.maximum(label, 0)]
    seen[no_crystal], seen[other] = _rgb(NO_CRYSTAL), _rgb(QUIET)
    patches = _extra_patches(invalid=False, no_crystal=bool(no_crystal.any()))
    if other.any():
        patches.append(Patch(color=QUIET, label="phase that the model does not know"))
    return seen, patches


def _chance(prediction: Prediction) -> float:
    return 1.0 / len(prediction.phases)


def _confidence(prediction: Prediction) -> np.ndarray:
    return _two_dimensional(confidence_of(prediction), prediction)


def _claims(prediction: Prediction) -> np.ndarray:
    """Return an image of which phase claims each pixel, paler where less sure."""
    claims = _two_dimensional(np.asarray(prediction.pred).argmax(axis=-1), prediction)
    chance = _chance(prediction)
    sure = np.clip((_confidence(prediction) - chance) / max(1.0 - chance, 1e-9), 0.0, 1.0)[..., None]
    rgb = 1.0 + (phase_colours(len(prediction.phases))[claims] - 1.0) * (0.25 + 0.75 * sure)
    rgb[_two_dimensional(invalid_pixels(prediction), prediction)] = _rgb(INVALID)
    return rgb


def _panels(shape: tuple[int, ...], n: int, title: str, patches: Sequence[Patch]) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure as high as its images, its title and its legend need."""
    width = 9.6
    height = float(np.clip((width - 1.4) / n * shape[0] / shape[1], 0.45, 6.0))
    columns = 3 if len(patches) in {1, 2, 3, 5, 6, 9} else 4
    rows = -(-len(patches) // columns)
    figure = new_figure(width, height + 0.7 + 0.2 * rows + (0.25 if title else 0.0))
    if title:
        title = f"{drawable(title, 100)}\n"
        figure.suptitle(title, fontsize=11, x=0.01, ha="left", linespacing=0.4, **AS_TEXT)
    legend = figure.legend(
        handles=list(patches), loc="outside lower left", ncols=columns, frameon=False, fontsize=8, handlelength=1.2
    )
    legend_as_text(legend)
    return figure, figure.subplots(1, n, squeeze=False)[0]


def _show(
    axes: Axes,
    image: np.ndarray,
    title: str,
    scan_step_nm: float | None,
    limits: tuple[float, float] = (0.0, 1.0),
):
    ny, nx = image.shape[:2]
    aspect = "equal" if 0.1 < ny / nx < 10 else "auto"
    shown = axes.imshow(image, aspect=aspect, cmap="cividis", vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axes.set_title(title, fontsize=9, loc="left", **AS_TEXT)
    scan_axes(axes, scan_step_nm)
    return shown


def _phase_patches(prediction: Prediction, *, shares: bool = True) -> list[Patch]:
    valid = ~invalid_pixels(prediction).ravel()
    claims = np.asarray(prediction.pred).reshape(-1, len(prediction.phases)).argmax(axis=1)[valid]
    count = np.bincount(claims, minlength=len(prediction.phases))
    colours = phase_colours(len(prediction.phases))
    texts = [
        f"{name}  {as_percent(count[i] / max(claims.size, 1))}" if shares else name
        for i, name in enumerate(drawable(phase, _LONGEST_PHASE) for phase in prediction.phases)
    ]
    return [Patch(color=tuple(colours[i]), label=text) for i, text in enumerate(texts)]


def _extra_patches(invalid: bool, no_crystal: bool) -> list[Patch]:
    patches = [Patch(color=INVALID, label="no usable measurement")] if invalid else []
    return [*patches, Patch(color=NO_CRYSTAL, label="no crystal (not scored)")] if no_crystal else patches
