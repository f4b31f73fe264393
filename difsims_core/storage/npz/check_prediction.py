"""Whether the arrays of a prediction fit together and say what they may."""

from __future__ import annotations

from pathlib import Path

from difsims_core.errors import ExperimentError
from difsims_core.storage.npz.checks import check_probabilities, check_shares, class_names
from difsims_core.storage.npz.values import Prediction

SHARES = ("confidence", "reliability", "disagreement")
"""What is said of a pixel by a number from 0 to 1."""


def check_prediction(url: str | Path, prediction: Prediction) -> None:
    """Refuse a prediction that breaks the contract (docs/architecture.md §4).

    Raises
    ------
    ExperimentError
        Naming file, expected, found and remedy.
    """
    pred, phases = prediction.pred, prediction.phases
    if pred.ndim < 1 or pred.shape[-1] != len(phases) or not phases:
        raise ExperimentError(
            f"{url}: expected pred of shape (…, {len(phases)}), one probability for each of phases, found {pred.shape}"
        )
    class_names(url, "phases", phases)
    check_probabilities(url, "pred", pred)
    if prediction.invalid is not None and prediction.invalid.shape != pred.shape[:-1]:
        raise ExperimentError(f"{url}: expected invalid of shape {pred.shape[:-1]}, found {prediction.invalid.shape}")
    pixels = pred.shape[:-1]
    shapes = {"orientation": (*pixels, 4), "fractions": pred.shape, **dict.fromkeys((*SHARES, "grain"), pixels)}
    for key, shape in (shapes | {"grain_pred": pred.shape}).items():
        values = getattr(prediction, key)
        if values is not None and values.shape != shape:
            raise ExperimentError(f"{url}: expected {key} of shape {shape}, found {values.shape}")
        if values is not None and key in (*SHARES, "fractions"):
            check_shares(url, key, values)
    if (prediction.grain is None) != (prediction.grain_pred is None):
        raise ExperimentError(f"{url}: expected grain and grain_pred, found one alone", "predict the experiment again")
    if prediction.grain_pred is not None:
        check_probabilities(url, "grain_pred", prediction.grain_pred)
