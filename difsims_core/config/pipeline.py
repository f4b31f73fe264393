"""The parameters of a whole run: preprocess, simulate, train, predict, evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, SerializeAsAny, field_validator

from difsims_core.config.base import CREDENTIALS, Spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.unit_names import QUnit


class PipelineSpec(Spec):
    """All stages in one document."""

    also_called: ClassVar[Mapping[str, str]] = {
        "scans": "experiments", "profiles": "experiments", "maps": "experiments", "truth": "truth_folder",
        "truths": "truth_folder", "dataset": "simulation", "spec": "simulation", "model": "training",
        "raw": "raw_scans", "preprocess": "preprocessing",
    }  # fmt: skip

    simulation: SimulationSpec = SimulationSpec()
    training: SerializeAsAny[TrainingSpec] = TrainingSpec()
    also: tuple[SerializeAsAny[TrainingSpec], ...] = Field(
        default=(),
        max_length=20,
        description="further classifiers of the same patterns; each maps the scans that it can read, and the maps of a "
        "scan stand side by side",
    )
    experiments: tuple[str, ...] = Field(
        default=(), description="experiment npz files: paths, s3:// URLs or globs; none: predict nothing"
    )

    raw_scans: tuple[str, ...] = Field(
        default=(), description="raw 4D-STEM scans, preprocessed into experiments: paths, s3:// URLs or globs"
    )
    preprocessing: PreprocessingSpec = Field(
        default=PreprocessingSpec(), description="how; its phases are those of the simulation where it names none"
    )

    @field_validator("experiments", "raw_scans")
    @classmethod
    def _without_credentials(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(CREDENTIALS.search(item) for item in value):
            raise ValueError("a URL must not carry credentials; set them in the environment")
        return value

    q_unit: QUnit | None = Field(
        default=None,
        description="unit of the experiments' x; null: q = 1/d in Å⁻¹, and a scan whose x looks like another unit is "
        "refused",
    )
    truth_folder: str | None = Field(
        default=None, description="folder of <name>_truth.npz maps to score against, where they exist"
    )

    @property
    def trainings(self) -> tuple[TrainingSpec, ...]:
        """All classifiers to train, each once."""
        return tuple(dict.fromkeys((self.training, *self.also)))
