"""Open a preprocessed scan by name or URL (docs/architecture.md §4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError, MissingObjectError
from difsims_core.experiment.write.plan import ScanAttributes
from difsims_core.experiment.write.records import ScanCompletion, read_completion
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.zarr.arrays import array_names, get_array, open_group, read_group

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class Experiment:
    """A complete preprocessed scan; arrays are read when they are indexed.

    Attributes
    ----------
    store : ObjectStore
        Where it lies.
    group : zarr.Group
        Read-only.
    completion : ScanCompletion
        The completion record.
    """

    store: ObjectStore
    group: zarr.Group
    completion: ScanCompletion

    def __getitem__(self, path: str) -> zarr.Array:
        """Return an array: ``y`` (ny, nx, n_q, n_φ), ``profiles``, ``centre``, ``flags``, and their axes.

        Raises
        ------
        CorruptDataError
            If the experiment was replaced since it was opened.
        """
        if read_completion(self.store, self.name) != self.completion:
            raise CorruptDataError(f"experiment {self.name} was replaced since it was opened", "open it again")
        return get_array(self.group, path)

    @property
    def arrays(self) -> list[str]:
        """Paths of all arrays."""
        return array_names(self.group)

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.completion.name

    @property
    def attrs(self) -> dict[str, Any]:
        """What it says of itself: calibration, ellipse, scan step, where it comes from."""
        return dict(self.group.attrs)


def open_experiment(experiment: str | Path, store: ObjectStore | None = None) -> Experiment:
    """Open a complete preprocessed scan.

    Parameters
    ----------
    experiment
        Its name, or the URL or path of its Zarr group or of its profiles in a store.
    store
        Where the name is looked up; default: that of ``DIFSIMS_STORE``.

    Raises
    ------
    IncompleteDatasetError
        If it is not written to the end.
    MissingObjectError
        If there is none.
    CorruptDataError
        If its records are damaged, or those of another one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from difsims_core import PreprocessingSpec, open_experiment, write_scan
    >>> from difsims_core.storage.objects import open_store
    >>> folder = TemporaryDirectory()
    >>> frames = np.zeros((2, 3, 64, 64), np.uint16)
    >>> frames[:, :, 30:35, 31:36] = 1000  # the direct beam and nothing else
    >>> np.save(f"{folder.name}/beam.npy", frames)
    >>> store = open_store(f"{folder.name}/store")
    >>> spec = PreprocessingSpec(reading={"calibration_per_angstrom": 0.05}, geometry={"ellipse": (0, 0)})
    >>> written = write_scan(store, f"{folder.name}/beam.npy", spec)
    >>> experiment = open_experiment(written.name, store)
    >>> experiment["y"].shape, experiment.attrs["calibration_per_angstrom"]
    ((2, 3, 74, 72), 0.05)
    >>> folder.cleanup()
    """
    store, name = locate_experiment(experiment, store)
    key = layout.experiment_polar(name)
    document = read_group(store, key)
    attributes = ScanAttributes.from_document(document.attributes, store.url(key))
    completion = read_completion(store, name)
    if completion is None:
        raise IncompleteDatasetError(
            f"{store.url(key)}: is not written to the end", "preprocess the scan again, it goes on where it stopped"
        )
    if (completion.name, completion.fingerprint) != (attributes.name, attributes.fingerprint):
        raise CorruptDataError(f"{store.url(key)}: its records are of two scans", "preprocess it again with --force")
    return Experiment(store, open_group(store, key, document), completion)


def locate_experiment(experiment: str | Path, store: ObjectStore | None = None) -> tuple[ObjectStore, str]:
    """Return the store and the name of an experiment that a name or a URL means; errors as `open_experiment`."""
    text = str(experiment).rstrip("/")
    root, _, rest = text.rpartition(f"/{layout.PROFILES}/")
    if root and rest.endswith(layout.PROFILES_ENDING):
        return open_store(root), rest.removesuffix(layout.PROFILES_ENDING)
    if not text.endswith(layout.EXPERIMENT_ENDING) and "/" not in text:
        found = open_store() if store is None else store
        if not found.list(layout.experiment_polar(text)):
            raise MissingObjectError(
                f"{found.url(layout.POLAR)}: there is no experiment {text!r}", "`difsims preprocess` makes it"
            )
        return found, text
    root, _, rest = text.rpartition(f"/{layout.POLAR}/")
    name = rest.removesuffix(layout.EXPERIMENT_ENDING)
    if not root or "/" in name or name == rest:
        raise InputError(
            f"{text}: expected the name of an experiment, or …/{layout.POLAR}/<name>{layout.EXPERIMENT_ENDING} in a "
            "store"
        )
    return open_store(root), name
