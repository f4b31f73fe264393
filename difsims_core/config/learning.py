"""The parameters of a trained classifier."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from difsims_core.config.base import Spec, is_stored
from difsims_core.families import NETWORKS


class TrainingSpec(Spec):
    """How a network is trained; with the datasets it determines the weights (DESIGN §8).

    Examples
    --------
    >>> from difsims_core import TrainingSpec
    >>> spec = TrainingSpec(epochs=5)
    >>> spec.network, spec.epochs, spec.held_out_fraction
    ('large_filter', 5, 0.25)
    """

    network: str = Field(default="large_filter", description="a registered network")
    profiles: Literal["x_px", "x_q"] = Field(
        default="x_px", description="x_px: the pixel crop; x_q: the q crop, for datasets that have one"
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of weights, shuffling, dropout and the split")
    epochs: int = Field(default=30, ge=1, le=10_000, description="passes over the training part at most")
    batch_size: int = Field(default=64, ge=1, le=65_536, description="profiles a step")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's step size")
    held_out_fraction: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="part of the patterns never trained on: half of it decides when to stop, half scores the result",
    )
    patience: int = Field(
        default=4, ge=1, le=1000, description="epochs without a better validation loss before it stops"
    )
    class_weights: bool = Field(default=False, description="weigh classes inversely to their frequency")
    max_patterns: int | None = Field(
        default=None, ge=1, description="use this many patterns at most, held-out ones included; null: all"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="of the arithmetic while training (weights stay float32); bfloat16 doubles the speed where the "
        "processor has it, and is slow where it has not",
    )
    evaluate: bool = Field(
        default=True, description="map and score every scan of the store with the model, not only when it is champion"
    )

    @field_validator("network")
    @classmethod
    def _known_network(cls, name: str, info: ValidationInfo) -> str:
        if not is_stored(info):
            NETWORKS.check(name)
        return name
