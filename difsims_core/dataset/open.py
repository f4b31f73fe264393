"""Open a complete dataset by URL or id, with few requests (docs/architecture.md §§4–5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.dataset.completion import Completion, read_completion
from difsims_core.dataset.description import check_folder, read_description
from difsims_core.dataset.read_peaks import read_peaks
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError, MissingObjectError, StoreError
from difsims_core.storage import layout
from difsims_core.storage.ids import expand_id
from difsims_core.storage.objects import ObjectStore, locate, open_store
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT, array_names, get_array, open_group
from difsims_core.storage.zarr.store import KeyedStore

if TYPE_CHECKING:
    import zarr

    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.simulation.block import Peaks

_AXIS_CHUNK = "c/0"  # an axis has one dimension and one chunk


@dataclass(frozen=True)
class Simulation:
    """A complete dataset; arrays are read when they are indexed, and a missing chunk is an error.

    Attributes
    ----------
    store : ObjectStore
        Where it lies.
    key : str
        Of its Zarr group in the store.
    group : zarr.Group
        Read-only.
    completion : Completion
        The completion record.
    """

    store: ObjectStore
    key: str
    group: zarr.Group
    completion: Completion

    def __getitem__(self, path: str) -> zarr.Array:
        """Return an array; what an axis holds is compared with the completion record first."""
        if path in self.completion.axes:
            self._hold_axis(path)
        return get_array(self.group, path)

    def __contains__(self, path: str) -> bool:
        return path in self.arrays

    def __repr__(self) -> str:
        return f"Simulation({self.url!r}, {self.attrs['summary']})"

    @property
    def arrays(self) -> list[str]:
        """Paths of all arrays."""
        return array_names(self.group)

    @property
    def url(self) -> str:
        """URL of the Zarr group."""
        return self.store.url(self.key)

    @property
    def attrs(self) -> dict[str, Any]:
        """Everything that the dataset says of itself."""
        return dict(self.group.attrs)

    @property
    def id(self) -> str:
        """``sim-<uuid4>``."""
        return self.attrs["id"]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of document, crystals and engine."""
        return self.attrs["fingerprint"]

    @property
    def phases(self) -> tuple[str, ...]:
        """Class names in label order."""
        return tuple(self.attrs["phases"])

    @property
    def n_patterns(self) -> int:
        """Number of patterns of all classes together."""
        return self.attrs["n_patterns"]

    @property
    def block_rows(self) -> int:
        """Rows of one stored object."""
        return self.attrs["block_rows"]

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Patterns of each class, in label order."""
        counts = self.completion.class_counts
        return tuple(counts.get(str(label), 0) for label in range(len(self.phases)))

    @property
    def spec(self) -> SimulationSpec:
        """The document it was made from."""
        from difsims_core.config.documents import make_spec

        return make_spec(self.attrs["parameters"], source=self.url, stored=True)

    @property
    def q_px(self) -> np.ndarray:
        """(147,) q axis of ``1d/x_px``, Å⁻¹."""
        return np.asarray(self["1d/x_px_q_axis"][:])

    def peaks(self, start: int = 0, stop: int | None = None) -> Peaks:
        """Return the spots of patterns ``start`` … ``stop`` of a dataset that keeps them; see ``read_peaks``."""
        return read_peaks(self, start, stop)

    def _hold_axis(self, path: str) -> None:
        """Read an axis whole, once, and keep it: what is used is what was checked."""
        zarr_store, chunk = self.group.store, f"{path}/{_AXIS_CHUNK}"
        assert isinstance(zarr_store, KeyedStore)  # noqa: S101 - narrows the type; open_group made it
        if chunk in zarr_store.preloaded:
            return
        data = self.store.read_small(f"{self.key}/{chunk}")
        if hashlib.sha256(data).hexdigest() != self.completion.axes[path]:
            raise CorruptDataError(
                f"{self.url}/{path}: the axis is not the one that the dataset was completed with",
                "it was damaged or edited: restore it, or delete the dataset and simulate it again",
            )
        zarr_store.preloaded[chunk] = data


def open_simulation(url_or_id: str | Path, store: ObjectStore | None = None) -> Simulation:
    """Open a complete dataset.

    Parameters
    ----------
    url_or_id
        URL or path of its Zarr group, its id, or the beginning of one.
    store
        Where an id is looked up; default: ``DIFSIMS_STORE``.

    Raises
    ------
    MissingObjectError
        If there is no such dataset.
    IncompleteDatasetError
        If its completion record is missing.
    CorruptDataError
        If its records, its metadata and the name of its folder do not agree.
    InputError
        If the beginning of an id fits several datasets.

    Examples
    --------
    ``simulation`` is an id, such as ``difsims simulate`` prints:

    >>> from difsims_core import open_simulation
    >>> dataset = open_simulation(simulation)
    >>> dataset.phases
    ('pb', 'gratia_2h')
    >>> dataset["1d/x_px"].shape, dataset["1d/y_px"][:4].ravel().tolist()
    ((8, 147), [0, 1, 0, 1])
    >>> dataset["draws/sigma_px"].shape
    (8,)
    """
    store, key = locate_simulation(url_or_id, store)
    try:
        completion = read_completion(store, key)
    except MissingObjectError:
        raise _reason(store, key) from None
    check_folder(store, key, completion.id)
    description = read_description(store, key)
    plan = description.plan
    described = (plan.id, plan.fingerprint, plan.n_patterns, plan.n_blocks, description.phases, description.summary)
    held = (completion.id, completion.fingerprint, completion.n_patterns, completion.n_blocks)
    agree = described == (*held, completion.phases, completion.summary)
    if not agree or hashlib.sha256(description.document.data).hexdigest() != completion.root_sha256:
        raise CorruptDataError(
            f"{store.url(key)}: its metadata ({ROOT_DOCUMENT}) are not those that it was completed with",
            "one of them was damaged or edited, or is another dataset's: restore them, or delete the dataset and "
            "simulate it again",
        )
    return Simulation(store, key, open_group(store, key, description.document), completion)


def locate_simulation(url_or_id: str | Path, store: ObjectStore | None = None) -> tuple[ObjectStore, str]:
    """Return the store of a dataset and the key of its folder there; the folder need not exist for a whole id.

    Raises
    ------
    MissingObjectError, InputError
        If the beginning of an id fits none, or several.
    """
    text = str(url_or_id).rstrip("/")
    if text.endswith(layout.SIMULATION_ENDING):
        return locate(text)
    if not text.startswith("sim-"):
        raise InputError(f"expected the URL of a dataset (….zarr) or its id (sim-…), found {text!r}")
    store = store or open_store()
    return store, layout.simulation(expand_id(store, text))


def _reason(store: ObjectStore, key: str) -> StoreError:
    """Return why there is no completion record."""
    if store.exists(f"{key}/{ROOT_DOCUMENT}"):
        return IncompleteDatasetError(
            f"{store.url(key)}: this dataset is incomplete, some of its blocks are not written",
            "run the same simulation again, it writes only what is missing",
        )
    return MissingObjectError(f"{store.url(key)}: there is no dataset", "check the id and the store (DIFSIMS_STORE)")
