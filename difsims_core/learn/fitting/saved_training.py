"""What a training that was stopped goes on from: its state after the last whole epoch, kept until the model is stored.

Below the fingerprint of the training lie, for each network of it, arrays of one epoch and the record that names them
with their checksum. The record is written after its arrays and before the earlier ones go, so that at any moment it
speaks of arrays that are there.
"""

from __future__ import annotations

import hashlib
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.learn.bundle_record import Epoch, Name, Number, StoredObject, Text
from difsims_core.learn.weights import Weight, read_weights
from difsims_core.storage import layout
from difsims_core.storage.npz.members import write_members
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.record_model import Count, Items, Record, Sha256
from difsims_core.version import __version__

logger = logging.getLogger(__name__)

_LIBRARIES = ("numpy", "tensorflow", "keras")


class EpochState(Record):
    """How far a network is.

    Attributes
    ----------
    fingerprint : str
        Of the training.
    network : str
        Which of its networks.
    epoch, waited : int
        Whole epochs done, and those of them since the best one.
    best_loss : float
        Validation loss of the best one.
    history : tuple of Epoch
        Of all of them.
    versions : mapping
        Of what computed it; another version may round otherwise.
    arrays : StoredObject
        Size and checksum of the arrays.
    """

    described: ClassVar[str] = "the state of a training"
    remedy: ClassVar[str] = "delete it, the training begins anew"

    fingerprint: Sha256
    network: Name
    epoch: Count
    waited: Count
    best_loss: Number
    history: Annotated[Items[Epoch], Field(min_length=1, max_length=10_000)]
    versions: dict[Name, Text]
    arrays: StoredObject


@dataclass(frozen=True, slots=True)
class SavedTraining:
    """The place where the states of a training are kept.

    Attributes
    ----------
    store : ObjectStore
        Where the model will go.
    fingerprint : str
        Of the training.
    network : str
        Which of its networks; a classifier of one has no other.
    """

    store: ObjectStore
    fingerprint: str
    network: str = "network"

    def of(self, network: str) -> SavedTraining:
        """Return the place of another network of the same training."""
        return replace(self, network=network)

    def read(self, expected: Sequence[Weight]) -> tuple[EpochState, dict[str, np.ndarray]] | None:
        """Return the last state, with the arrays that are expected; None where there is none that can be used."""
        try:
            state, data = self._stored()
            return state, read_weights(data, expected, self.store.url(self._arrays(state.epoch)))
        except MissingObjectError:
            return None
        except (CorruptDataError, InputError) as error:
            logger.warning("the training begins anew, its state cannot be used (%s)", error)
            return None

    def _arrays(self, epoch: int) -> str:
        return layout.training_arrays(self.fingerprint, self.network, epoch)

    def _stored(self) -> tuple[EpochState, bytes]:
        """Return the record and the bytes of its arrays; one of another training or of other versions is refused."""
        key = layout.training_state(self.fingerprint, self.network)
        state = EpochState.from_document(self.store.read_record(key), self.store.url(key))
        if (state.fingerprint, state.network, state.versions) != (self.fingerprint, self.network, _versions()):
            raise CorruptDataError(f"{self.store.url(key)}: the state of another training, or of other versions")
        data = self.store.read(self._arrays(state.epoch), 0, state.arrays.size + 1)
        if hashlib.sha256(data).hexdigest() != state.arrays.sha256:
            raise CorruptDataError(f"{self.store.url(self._arrays(state.epoch))}: the checksum differs from the record")
        return state, data

    def write(
        self, epoch: int, arrays: Mapping[str, np.ndarray], waited: int, best_loss: float, history: Sequence[Mapping]
    ) -> None:
        """Keep the state after an epoch, in the place of the earlier one."""
        data = write_members(self.store.url(self._arrays(epoch)), arrays)
        state = EpochState(
            fingerprint=self.fingerprint,
            network=self.network,
            epoch=epoch,
            waited=waited,
            best_loss=best_loss,
            history=tuple(Epoch.model_validate(one) for one in history),
            versions=_versions(),
            arrays=StoredObject(size=len(data), sha256=hashlib.sha256(data).hexdigest()),
        )
        self.store.write_record(layout.training_state(self.fingerprint, self.network), state.to_document())
        if epoch > 1:
            self.store.delete(self._arrays(epoch - 1))

    def remove(self) -> None:
        """Remove the states of all networks of the training."""
        self.store.delete_tree(layout.training_states(self.fingerprint))


def _versions() -> dict[str, str]:
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"difsims": __version__, "python": platform.python_version(), **found}
