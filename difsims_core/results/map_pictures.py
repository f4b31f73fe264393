"""The pictures of a map, kept beside its model: drawn from arrays in memory, once for the UI and for the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.storage import layout

if TYPE_CHECKING:
    from difsims_core.results.evaluate_map import EvaluatedMap
    from difsims_core.storage.npz.contracts import Prediction
    from difsims_core.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class MapPictures:
    """Where the pictures of a map lie.

    Attributes
    ----------
    phase_map : str
        Key of the phases and their confidence.
    truth : str or None
        Key of the map beside its truth; None where the truth is not known.
    """

    phase_map: str
    truth: str | None


def pictures_of(model: str, name: str, *, with_truth: bool) -> MapPictures:
    """Return the keys under which the pictures of a map lie."""
    truth = layout.figure(model, f"{name}-truth.png") if with_truth else None
    return MapPictures(layout.figure(model, f"{name}-phase-map.png"), truth)


def keep_phase_map(store: ObjectStore, prediction: Prediction, name: str) -> str:
    """Draw the phases of a prediction and their confidence, over a picture of an earlier one, and return its key."""
    from difsims_core.evaluate import figures

    key = pictures_of(prediction.cnn_id, name, with_truth=False).phase_map
    store.write(key, figures.to_png(figures.phase_map_figure(prediction, name)))
    return key


def keep_pictures(store: ObjectStore, evaluated: EvaluatedMap) -> MapPictures:
    """Draw the pictures of a map and keep them; those of reused scores are drawn only where they are missing."""
    scores, prediction, truth = evaluated.scores, evaluated.prediction, evaluated.truth
    pictures = pictures_of(scores.model, scores.name, with_truth=truth is not None)

    def draw_map() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.phase_map_figure(prediction, scores.name))

    _keep(store, pictures.phase_map, draw_map, redraw=not scores.reused)
    if truth is not None and pictures.truth is not None:

        def draw_truth() -> bytes:
            from difsims_core.evaluate import figures

            return figures.to_png(figures.truth_figure(prediction, truth, scores.name))

        _keep(store, pictures.truth, draw_truth, redraw=not scores.reused)
    return pictures


def _keep(store: ObjectStore, key: str, draw: Callable[[], bytes], *, redraw: bool) -> None:
    if redraw or not store.exists(key):
        store.write(key, draw())
