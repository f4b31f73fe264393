"""The parameters of a trained classifier: what every kind of classifier has, and those of Keras networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, field_validator, model_validator

from difsims_core.config.base import Spec, is_stored
from difsims_core.config.keys.fingerprint import AddedLater
from difsims_core.errors import InputError
from difsims_core.families import CLASSIFIERS, NETWORKS, POLAR_NETWORKS, network_family

logger = logging.getLogger(__name__)

DEFAULT_KIND = "keras_network"


class TrainingDocument(Spec):
    """What is chosen of the training of any classifier; with the datasets it determines the weights.

    See docs/architecture.md §8.

    Each kind of classifier has a document of its own, which adds what can be chosen of it.
    """

    kind: str
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of weights, shuffling, dropout and the split")
    batch_size: int = Field(default=64, ge=1, le=65_536, description="patterns a step")
    held_out_fraction: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="part of the patterns never trained on: half of it decides when to stop, half scores the result",
    )
    max_patterns: int | None = Field(
        default=None, ge=1, description="use this many patterns at most, held-out ones included; null: all"
    )
    source: Annotated[Literal["stored", "stream"], AddedLater("stored")] = Field(
        default="stored",
        description="of the patterns: stored, datasets; stream, a simulation document, of which every epoch trains on "
        "as many patterns that were never seen before",
    )
    evaluate: bool = Field(
        default=True, description="map and score every scan of the store with the model, not only when it is champion"
    )

    @property
    def label(self) -> str:
        """What is trained, in a word."""
        return self.kind

    @property
    def most_epochs(self) -> int:
        """Passes over the training part at most."""
        return 1

    def parts(self) -> tuple[TrainingDocument, ...]:
        """Return the documents of what is trained: this one, or those of the members of an ensemble."""
        return (self,)

    def plugins(self) -> tuple[str, ...]:
        """Return name and version of the packages, other than this one, whose code decides the weights."""
        package = CLASSIFIERS.package(self.kind)
        return () if package is None else (package,)


class NetworkTraining(TrainingDocument):
    """How Keras networks are trained, whatever is made of them.

    Keys that came later are no part of a training's fingerprint while they change nothing.
    """

    network: str = Field(default="large_filter", description="a registered network")
    network_parameters: dict[str, bool | int | float | str] = Field(
        default={}, description="what the network lets choose, by name"
    )
    profiles: Literal["x_px", "x_q"] = Field(
        default="x_px", description="x_px: the pixel crop; x_q: the q crop, for datasets that have one"
    )
    epochs: int = Field(default=30, ge=1, le=10_000, description="passes over the training part at most")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's step size")
    patience: int = Field(
        default=4, ge=1, le=1000, description="epochs without a better validation loss before it stops"
    )
    class_weights: bool = Field(default=False, description="weigh classes inversely to their frequency")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="of the arithmetic while training (weights stay float32); bfloat16 doubles the speed where the "
        "processor has it, and is slow where it has not",
    )
    schedule: Annotated[Literal["constant", "cosine"], AddedLater("constant")] = Field(
        default="constant",
        description="of the step size: constant, or falling along half a cosine to zero at the last of the epochs",
    )
    warmup_epochs: Annotated[int, AddedLater(0)] = Field(
        default=0, ge=0, le=1000, description="epochs over which the step size rises from zero; those of the cosine "
        "follow"
    )  # fmt: skip
    clip_norm: Annotated[float | None, AddedLater(None)] = Field(
        default=None, gt=0, le=1e6, description="a step whose gradient is longer is shortened to it; null: none is"
    )
    label_smoothing: Annotated[float, AddedLater(0.0)] = Field(
        default=0.0, ge=0, lt=1, description="part of each label that is spread over all classes"
    )
    soft_labels: Annotated[bool, AddedLater(False)] = Field(
        default=False,
        description="labels are the volume fractions of the phases in the beam, for patterns of overlapping grains; "
        "false: the larger grain's phase",
    )

    @field_validator("network")
    @classmethod
    def _known_network(cls, name: str, info: ValidationInfo) -> str:
        if not is_stored(info):
            network_family(name)
        return name

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> NetworkTraining:
        if self.schedule == "cosine" and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs: {self.warmup_epochs} leave none of {self.epochs} epochs for the cosine; lower it"
            )
        return self

    @property
    def takes_polar(self) -> bool:
        """Whether the network takes polar patterns."""
        return self.network in POLAR_NETWORKS

    @property
    def label(self) -> str:
        """What is trained, in a word."""
        return self.network

    @property
    def most_epochs(self) -> int:
        """Passes over the training part at most."""
        return self.epochs

    def plugins(self) -> tuple[str, ...]:
        """Return name and version of the packages, other than this one, whose code decides the weights."""
        networks = POLAR_NETWORKS if self.takes_polar else NETWORKS
        found = (CLASSIFIERS.package(self.kind), networks.package(self.network))
        return tuple(dict.fromkeys(package for package in found if package is not None))


class TrainingSpec(NetworkTraining):
    """How a Keras network is trained.

    A document that names another ``kind`` is read as that of its classifier, here and wherever this is a section.

    Examples
    --------
    >>> from difsims_core import TrainingSpec
    >>> spec = TrainingSpec(epochs=5)
    >>> spec.network, spec.epochs, spec.held_out_fraction
    ('large_filter', 5, 0.25)
    """

    kind: Literal["keras_network"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
        default="keras_network", description="kind of classifier"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, data: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        if isinstance(data, TrainingDocument):
            return data
        kind = data.get("kind", DEFAULT_KIND) if isinstance(data, dict) else DEFAULT_KIND
        if not isinstance(kind, str) or kind == DEFAULT_KIND:
            return handler(data)
        return CLASSIFIERS[kind].training.model_validate(data, context=info.context)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema of this document, or of any of them where other packages offer classifiers."""
        own, others = handler(core_schema), []
        for name in CLASSIFIERS.names():
            if name != DEFAULT_KIND:
                try:
                    others.append(CLASSIFIERS[name].training.model_json_schema())
                except InputError as error:
                    logger.warning("documents of the classifier %s are not described: %s", name, error)
        return {"anyOf": [own, *others]} if others else own
