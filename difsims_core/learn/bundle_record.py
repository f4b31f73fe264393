"""The record of a model, ``bundle.json``: what every field must be. A field that is something else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import ModelError, SpecError
from difsims_core.learn.weights import Weight
from difsims_core.messages import printable
from difsims_core.storage import layout
from difsims_core.storage.names import check_key

FORMAT = 2
EARLIER_FORMAT = 1
NETWORK = "weights.npz"  # in the folder of a model
EARLIER_NETWORK = "model.keras"

R = TypeVar("R", bound="CommonFields")
_MOST_SHOWN = 3


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control characters")
    return text


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no time zone")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
Digest = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(gt=-1e300, lt=1e300)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class StoredObject(_Part):
    """Size in bytes and SHA-256 of an object of the model."""

    size: Annotated[int, Field(ge=0, lt=2**40)]
    sha256: Digest


class _Weight(_Part):
    name: Name
    shape: Annotated[list[Annotated[int, Field(ge=0, lt=2**40)]], Field(max_length=10)]
    dtype: Annotated[str, Field(pattern=r"\A(?:float|u?int)\d{1,2}\z")]


class _Split(_Part):
    held_out_fraction: Share
    seed: Count
    n_train: Count
    n_validation: Count
    n_test: Count


class _Epoch(_Part):
    epoch: Count
    epochs: Count
    loss: Number
    accuracy: Number
    val_loss: Number
    val_accuracy: Number
    seconds: Number
    samples_per_second: Number


class _Confusion(_Part):
    class_names: list[Name]
    counts: list[list[Count]]


class _Metrics(_Part):
    model_config = ConfigDict(extra="allow")  # a metric is a plugin

    n: Count
    accuracy: Share
    confusion: _Confusion
    per_class: dict[Name, dict[Name, Number | None]]


class CommonFields(_Part):
    """What records of every format hold."""

    id: Annotated[str, AfterValidator(layout.check_model_id)]
    phases: Annotated[list[Name], Field(min_length=2, max_length=1000)]
    q_axis_per_angstrom: Annotated[list[Number], Field(min_length=2, max_length=100_000)]
    preprocessing: dict[str, Any]
    sim_ids: Annotated[
        list[Annotated[str, AfterValidator(layout.check_simulation_id)]], Field(min_length=1, max_length=10_000)
    ]
    sim_fingerprints: Annotated[list[Digest], Field(min_length=1, max_length=10_000)]
    training: dict[str, Any]
    training_fingerprint: Digest
    split: _Split
    metrics: _Metrics
    history: Annotated[list[_Epoch], Field(max_length=10_000)]
    versions: Annotated[dict[Name, Text], Field(max_length=100)]
    created: Annotated[str, Field(max_length=40), AfterValidator(_time)]

    @model_validator(mode="after")
    def _fits_together(self) -> CommonFields:
        if len(set(self.phases)) != len(self.phases):
            raise ValueError("phases: a name appears twice")
        q = np.array(self.q_axis_per_angstrom)
        if np.any(np.diff(q) <= 0):
            raise ValueError("q_axis_per_angstrom: expected an increasing q axis")
        table = self.metrics.confusion
        k = len(self.phases)
        if table.class_names != self.phases or [len(row) for row in table.counts] != [k] * k:
            raise ValueError(f"metrics: expected the confusion of the {k} phases, in their order")
        return self


class Record(CommonFields):
    """A record as it is written today."""

    format: Literal[2]
    network_parameters: Annotated[dict[Name, Any], Field(max_length=100)]
    weights: Annotated[list[_Weight], Field(min_length=1, max_length=10_000)]
    objects: dict[Annotated[str, AfterValidator(check_key)], StoredObject]

    @model_validator(mode="after")
    def _names_its_network(self) -> Record:
        if NETWORK not in self.objects:
            raise ValueError(f"objects: no {NETWORK}")
        return self


class EarlierRecord(CommonFields):
    """A record of the form that held a file of Keras."""

    format: Literal[1]
    seed: Count
    model_sha256: Digest


def parse(document: Mapping[str, Any], kind: type[R], where: str) -> tuple[R, dict[str, Any]]:
    """Return a record and the fields of a `ModelBundle` that it tells.

    Raises
    ------
    ModelError
        If a field is missing or something else than it must be; the message names the first ones.
    """
    try:
        record = kind.model_validate(dict(document))
        return record, {
            "id": record.id,
            "phases": tuple(record.phases),
            "q_axis": np.array(record.q_axis_per_angstrom, np.float64),
            "preprocessing": make_spec(record.preprocessing, PostprocessingSpec, source=where),
            "sim_ids": tuple(record.sim_ids),
            "sim_fingerprints": tuple(record.sim_fingerprints),
            "training": make_spec(record.training, TrainingSpec, source=where, stored=True),
            "training_fingerprint": record.training_fingerprint,
            "split": record.split.model_dump(),
            "metrics": record.metrics.model_dump(),
            "history": tuple(epoch.model_dump() for epoch in record.history),
            "versions": dict(record.versions),
            "created": record.created,
        }
    except ValidationError as error:
        problems = [_told(problem) for problem in error.errors(include_url=False, include_input=False)[:_MOST_SHOWN]]
        raise ModelError(f"{where}: not a model record ({'; '.join(problems)})", "train the model again") from None
    except SpecError as error:
        raise ModelError(f"{error}", "train the model again") from None
    except (OverflowError, RecursionError):
        raise ModelError(f"{where}: not a model record (a number is too large)", "train the model again") from None


def weights_in(record: Record) -> tuple[Weight, ...]:
    """Return the arrays that a record names."""
    return tuple(Weight(weight.name, tuple(weight.shape), weight.dtype) for weight in record.weights)


def _told(problem: Any) -> str:
    place = ".".join(str(part)[:60] for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")[:200]
    return printable(f"{place}: {message}" if place else message)
