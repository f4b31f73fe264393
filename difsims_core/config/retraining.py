"""The parameters of a retraining: on what, how, and what makes its model the champion."""

from __future__ import annotations

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from difsims_core.config.base import CREDENTIALS, Spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.promotion import PromotionSpec
from difsims_core.config.simulation import SimulationSpec


class RetrainingSpec(Spec):
    """A challenger and how it is measured against the champion."""

    datasets: tuple[str, ...] = Field(
        default=(),
        description="ids or URLs of datasets to train on; none: every complete dataset of the store with the phases, "
        "q axis and preprocessing of the champion",
    )
    phases: tuple[str, ...] = Field(
        default=(),
        description="classes that datasets of the store must have to be taken; none: those of the champion, or without "
        "a champion those of the simulation",
    )
    simulation: SimulationSpec | None = Field(
        default=None, description="a dataset to train on as well, simulated first unless it exists; null: none"
    )
    training: SerializeAsAny[TrainingSpec] = Field(default=TrainingSpec(), description="how the challenger is trained")
    rule: PromotionSpec = Field(default=PromotionSpec(), description="when the challenger becomes the champion")
    experiments: tuple[str, ...] = Field(
        default=(),
        description="scans to compare on: files, folders, globs or URLs of measured profiles (npz); none: all below "
        "experiments/profiles of the store",
    )

    @field_validator("datasets", "phases", "experiments")
    @classmethod
    def _without_credentials(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(CREDENTIALS.search(item) for item in value):
            raise ValueError("a URL must not carry credentials; set them in the environment")
        return value

    @model_validator(mode="after")
    def _streams_of_a_document(self) -> RetrainingSpec:
        if self.training.source == "stream" and (self.simulation is None or self.datasets):
            raise ValueError(
                "training.source: a stream is of a simulation document; give simulation, and no datasets, or set "
                "source to stored"
            )
        return self
