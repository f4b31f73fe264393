"""Parameters that flows share, described for the form of Prefect's UI."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.fields import FieldInfo

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.retraining import RetrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.unit_names import QUnit


def described(text: str) -> FieldInfo:
    """Return the description of a flow's parameter.

    Prefect 3.8 takes descriptions from docstrings in Google's layout only and overwrites ``description`` of a field;
    an extra of the schema stays.
    """
    return Field(json_schema_extra={"description": text})


StoreUrl = Annotated[
    str | None, described("root URL of the store: file:///path or s3://bucket/prefix; empty: DIFSIMS_STORE")
]
Simulation = Annotated[SimulationSpec, described("what to simulate")]
Training = Annotated[TrainingSpec, described("how to train")]
Pipeline = Annotated[PipelineSpec, described("all stages in one document")]
Retraining = Annotated[
    RetrainingSpec, described("on what the challenger is trained, how, and when it becomes the champion")
]
Simulations = Annotated[list[str], described("ids or URLs of complete datasets with the same phases and q axis")]
Streamed = Annotated[
    SimulationSpec | None,
    described("in the place of datasets: what to simulate anew in every epoch, and not to store; empty: datasets"),
]
RawScans = Annotated[list[str], described("files, folders, globs or URLs of raw 4D-STEM scans")]
Preprocessing = Annotated[
    PreprocessingSpec, described("how raw scans are read, corrected and integrated; the candidate phases among it")
]
ExperimentName = Annotated[
    str | None, described("name of the experiment, for a single scan; empty: the name of its file")
]
Force = Annotated[bool, described("whether an experiment of this name that was made otherwise is replaced")]
Model = Annotated[str, described("id or URL of a trained model, or: champion")]
Experiments = Annotated[
    list[str],
    described(
        "files, folders, globs or URLs of measured profiles (npz); none: all below experiments/profiles of the store"
    ),
]
QUnitOfScans = Annotated[
    QUnit | None,
    described("unit of the scans' x; empty: q = 1/d in Å⁻¹, and a scan whose x looks like another unit is refused"),
]
BeamEnergy = Annotated[
    float | None,
    described("beam energy of the scans in kV, for the unit mrad alone; empty: that of the simulations"),
]
Evaluate = Annotated[bool, described("whether maps without scores are evaluated as well")]
Predictions = Annotated[
    list[str], described("files, folders, globs or URLs of predictions (npz); none: all of the champion")
]
ExperimentFolder = Annotated[
    str | None, described("folder of the scans; empty: in the store, where each prediction says")
]
AlsoRead = Annotated[
    list[str],
    described(
        "folders and files outside the store that its records may name, for scans and crystals; none: DIFSIMS_ALSO_READ"
    ),
]
TruthFolder = Annotated[str | None, described("folder of <name>_truth.npz maps, used for scores alone; empty: none")]
CrystalFolder = Annotated[
    str | None,
    described("folder of CIF files; empty: those of the datasets behind each prediction, or the shipped ones"),
]
Title = Annotated[str, described("heading of the report")]
