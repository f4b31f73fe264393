"""The parameters of an ensemble: those of its members (docs/architecture.md §8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationInfo, WithJsonSchema, field_validator

from difsims_core.config.learning import TrainingDocument, TrainingSpec


def _of_its_kind(document: Any, info: ValidationInfo) -> TrainingDocument:
    return TrainingSpec.model_validate(document, context=info.context)


Member = Annotated[
    SerializeAsAny[TrainingDocument],
    BeforeValidator(_of_its_kind),
    WithJsonSchema({"type": "object", "title": "training document"}),  # of any kind, ensembles aside
]


class EnsembleSpec(TrainingDocument):
    """Which classifiers are trained on the same patterns, and asked together.

    Split and batches are those of the ensemble; a member's ``seed`` decides its weights.

    Examples
    --------
    >>> members = [{"seed": 1}, {"seed": 2}, {"network": "residual_1d"}]
    >>> spec = EnsembleSpec.model_validate({"members": members})
    >>> spec.label
    'ensemble of large_filter, large_filter, residual_1d'
    """

    kind: Literal["ensemble"] = "ensemble"  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
    members: tuple[Member, ...] = Field(
        min_length=2, max_length=32, description="documents of the members, which take the same patterns"
    )

    @field_validator("members")
    @classmethod
    def _no_ensembles(cls, members: tuple[TrainingDocument, ...]) -> tuple[TrainingDocument, ...]:
        if any(isinstance(member, EnsembleSpec) for member in members):
            raise ValueError("an ensemble has no ensembles among its members; name their members")
        return members

    def parts(self) -> tuple[TrainingDocument, ...]:
        """Return the documents of its members."""
        return self.members

    @property
    def label(self) -> str:
        """What is trained, in a word."""
        return f"ensemble of {', '.join(member.label for member in self.members)}"

    @property
    def most_epochs(self) -> int:
        """Passes over the training part at most, of all members together."""
        return sum(member.most_epochs for member in self.members)

    def plugins(self) -> tuple[str, ...]:
        """Return name and version of the packages, other than this one, whose code decides the weights."""
        return tuple(dict.fromkeys(package for member in self.members for package in member.plugins()))
