"""A simulation document that a classifier is trained on without a dataset, and what is kept of it with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from difsims_core.config.learning import TrainingDocument
from difsims_core.config.simulation import SimulationSpec
from difsims_core.learn.classifiers.base import input_of
from difsims_core.storage.record_model import RecordPart, Sha256, Text

if TYPE_CHECKING:
    pass


class CrystalRecord(RecordPart):
    """A crystal file, and the structure that was read from it."""

    name: Text
    sha256: Sha256
    structure_sha256: Sha256


@dataclass(frozen=True, eq=False)
class StreamedSimulation:
    """What the patterns of a model were simulated of, while it was trained.

    Attributes
    ----------
    spec : SimulationSpec
        The document, of as many patterns as an epoch had.
    fingerprint : str
        Of the dataset that it would have made.
    crystals : tuple of CrystalRecord
        The phases, in the order of the labels.
    libraries : tuple of str or None
        Fingerprints of the libraries of beam directions that patterns are drawn from; None: not said, it may be any.
    """

    spec: SimulationSpec
    fingerprint: str
    crystals: tuple[CrystalRecord, ...]
    libraries: tuple[str, ...] | None = None

    @classmethod
    def of(cls, spec: SimulationSpec, training: TrainingDocument) -> StreamedSimulation:
        """Return that of a document and a training, without anything that the training does not look at.

        Raises
        ------
        InputError
            If a crystal cannot be read, or the document does not make what the classifier takes.
        """
        from difsims_core.dataset.plan import fingerprint
        from difsims_core.learn.data.simulated_stream import streamed_document
        from difsims_core.simulation.inputs import Inputs

        n = spec.n_patterns if training.max_patterns is None else min(spec.n_patterns, training.max_patterns)
        inputs = Inputs.read(streamed_document(spec, input_of(training).array, n))
        crystals = tuple(
            CrystalRecord(name=one.name, sha256=one.sha256, structure_sha256=one.structure_sha256)
            for one in inputs.crystals
        )
        return cls(inputs.spec, fingerprint(inputs), crystals)

    def to_document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "parameters": self.spec.to_document(),
            "fingerprint": self.fingerprint,
            "crystals": [crystal.model_dump() for crystal in self.crystals],
            **({} if self.libraries is None else {"libraries": list(self.libraries)}),
        }
