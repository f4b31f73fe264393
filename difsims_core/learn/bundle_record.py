"""The record of a model, ``bundle.json``: what every field must be. A field that is something else is refused."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, model_validator

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingDocument, TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import ModelError
from difsims_core.learn.data.streamed_simulation import CrystalRecord, StreamedSimulation
from difsims_core.learn.weights import WEIGHTS
from difsims_core.storage.record_model import Count, Items, Key, ModelId, Record, RecordPart, Sha256, SimulationId, Time

FORMAT = 3
EARLIER_FORMAT = 1
EARLIER_NETWORK = "model.keras"
_LARGEST_INPUT = 10_000_000


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control characters")
    return text


def _training(value: Any) -> TrainingDocument:
    return make_spec(_document(value), TrainingSpec, source="training", stored=True)


def _preprocessing(value: Any) -> PostprocessingSpec:
    return make_spec(_document(value), PostprocessingSpec, source="preprocessing", stored=True)


def _simulation(value: Any) -> SimulationSpec:
    return make_spec(_document(value), SimulationSpec, source="simulation", stored=True)


def _document(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected an object")  # noqa: TRY004 pydantic reports no other
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(gt=-1e300, lt=1e300)]
Length = Annotated[int, Field(ge=0, lt=2**40)]


class StoredObject(RecordPart):
    """Size in bytes and SHA-256 of an object of the model."""

    size: Length
    sha256: Sha256


class StoredWeight(RecordPart):
    """Name, shape and type of an array of the classifier."""

    name: Name
    shape: Annotated[Items[Length], Field(max_length=10)]
    dtype: Annotated[str, Field(pattern=r"\A(?:float|u?int)\d{1,2}\z")]


class _Split(RecordPart):
    held_out_fraction: Share
    seed: Count
    n_train: Count
    n_validation: Count
    n_test: Count


class Epoch(RecordPart):
    """An epoch of a training, as `EpochProgress` explains it, and its seconds."""

    epoch: Count
    epochs: Count
    loss: Number
    accuracy: Number
    val_loss: Number
    val_accuracy: Number
    seconds: Number
    samples_per_second: Number


class _Confusion(RecordPart):
    class_names: list[Name]
    counts: list[list[Count]]


class _Metrics(RecordPart):
    model_config = ConfigDict(extra="allow")  # a metric is a plugin

    n: Count
    accuracy: Share
    confusion: _Confusion
    per_class: dict[Name, dict[Name, Number | None]]


class _Simulation(RecordPart):
    parameters: Annotated[SimulationSpec, PlainValidator(_simulation)]
    fingerprint: Sha256
    crystals: Annotated[Items[CrystalRecord], Field(min_length=1, max_length=1000)]
    libraries: Annotated[Items[Sha256], Field(max_length=1000)] | None = None

    def streamed(self) -> StreamedSimulation:
        """Return what was simulated."""
        return StreamedSimulation(self.parameters, self.fingerprint, self.crystals, self.libraries)


class CommonFields(Record):
    """What records of every format hold."""

    described = "a model record"
    remedy = "train the model again"
    refusal = ModelError

    id: ModelId
    phases: Annotated[Items[Name], Field(min_length=2, max_length=1000)]
    q_axis_per_angstrom: Annotated[Items[Number], Field(min_length=2, max_length=100_000)]
    preprocessing: Annotated[PostprocessingSpec, PlainValidator(_preprocessing)]
    sim_ids: Annotated[Items[SimulationId], Field(max_length=10_000)]
    sim_fingerprints: Annotated[Items[Sha256], Field(max_length=10_000)]
    simulation: _Simulation | None = None
    training: Annotated[TrainingDocument, PlainValidator(_training)]
    training_fingerprint: Sha256
    split: _Split
    metrics: _Metrics
    history: Annotated[Items[Epoch], Field(max_length=10_000)]
    versions: Annotated[dict[Name, Text], Field(max_length=100)]
    created: Time

    @model_validator(mode="after")
    def _fits_together(self) -> CommonFields:
        if len(set(self.phases)) != len(self.phases):
            raise ValueError("phases: a name appears twice")
        told = {bool(self.sim_ids), bool(self.sim_fingerprints), self.simulation is None}
        if len(told) > 1:
            raise ValueError("sim_ids: expected datasets with their fingerprints, or the simulation of a stream")
        if np.any(np.diff(self.q_axis_per_angstrom) <= 0):
            raise ValueError("q_axis_per_angstrom: expected an increasing q axis")
        table, k = self.metrics.confusion, len(self.phases)
        if tuple(table.class_names) != self.phases or [len(row) for row in table.counts] != [k] * k:
            raise ValueError(f"metrics: expected the confusion of the {k} phases, in their order")
        return self

    def bundle_fields(self) -> dict[str, Any]:
        """Return the fields of a `ModelBundle` that the record tells."""
        same = ("id", "phases", "preprocessing", "sim_ids", "sim_fingerprints", "training", "training_fingerprint")
        return {
            **{name: getattr(self, name) for name in (*same, "versions", "created")},
            "simulation": None if self.simulation is None else self.simulation.streamed(),
            "q_axis": np.array(self.q_axis_per_angstrom, np.float64),
            "split": self.split.model_dump(),
            "metrics": self.metrics.model_dump(),
            "history": tuple(epoch.model_dump() for epoch in self.history),
        }


class BundleRecord(CommonFields):
    """A record as it is written today."""

    format: Literal[3]
    kind: Name
    input_shape: Annotated[Items[Length], Field(min_length=1, max_length=2)]
    weights: Annotated[Items[StoredWeight], Field(min_length=1, max_length=10_000)]
    objects: dict[Key, StoredObject]

    @model_validator(mode="after")
    def _names_its_classifier(self) -> BundleRecord:
        if self.kind != self.training.kind:
            raise ValueError(f"kind: the training is that of a {self.training.kind}")
        if self.input_shape[0] != len(self.q_axis_per_angstrom) or math.prod(self.input_shape) > _LARGEST_INPUT:
            raise ValueError("input_shape: expected the size of the q axis first, and no more values than any detector")
        if WEIGHTS not in self.objects:
            raise ValueError(f"objects: no {WEIGHTS}")
        return self


class EarlierRecord(CommonFields):
    """A record of the form that held a file of Keras."""

    format: Literal[1]
    seed: Count
    model_sha256: Sha256
