"""A raw scan into the store: begin, write shards, finish; any of it may be repeated (docs/architecture.md §4)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import CorruptDataError, ExperimentError, MissingObjectError
from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.open_scan import raw_scan_name
from difsims_core.experiment.prepare import PreparedScan, survey_scan
from difsims_core.experiment.write.fingerprint import fingerprint, raw_sha256
from difsims_core.experiment.write.plan import ScanAttributes, ScanPlan, plan_scan
from difsims_core.experiment.write.records import (
    completion_key,
    read_completion,
)
from difsims_core.experiment.write.shards import Progress, finish, write_shards
from difsims_core.experiment.write.template import scan_template
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.arrays import create_arrays, read_group

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WrittenScan:
    """A preprocessed scan in a store.

    Attributes
    ----------
    name : str
        Of the experiment.
    profiles, group : str
        URLs of its profiles and of its Zarr group.
    fingerprint : str
    n_patterns : int
    prepared : PreparedScan or None
        What its survey found; None where it was complete before, and nothing was done.
    """

    name: str
    profiles: str
    group: str
    fingerprint: str
    n_patterns: int
    prepared: PreparedScan | None

    @property
    def reused(self) -> bool:
        """Whether it was complete before."""
        return self.prepared is None


def write_scan(
    store: ObjectStore,
    location: str | Path,
    spec: PreprocessingSpec = PreprocessingSpec(),  # noqa: B008 frozen
    *,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    write: Callable[[ObjectStore, PreparedScan, ScanPlan, Progress], None] | None = None,
) -> WrittenScan:
    """Preprocess a raw scan into a store; what is there already of the same frames and document is kept.

    Parameters
    ----------
    store
        Where profiles and polar patterns go.
    location
        Path or URL of the raw scan.
    spec
        How.
    name
        Of the experiment; default: that of the file (`open_scan.raw_scan_name`).
    force
        Replace what is there under this name and was made from other frames, or otherwise.
    progress
        Called with the number of patterns stored, and of all.
    write
        What writes the missing shards; default: `write_shards`.

    Raises
    ------
    ExperimentError
        If the scan cannot be read or preprocessed, or the name is taken.
    StoreError
        If the store fails; the same call resumes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from difsims_core import PreprocessingSpec, write_scan
    >>> from difsims_core.storage.objects import open_store
    >>> folder = TemporaryDirectory()
    >>> frames = np.zeros((2, 3, 64, 64), np.uint16)
    >>> frames[:, :, 30:35, 31:36] = 1000  # the direct beam and nothing else
    >>> np.save(f"{folder.name}/beam.npy", frames)
    >>> spec = PreprocessingSpec(reading={"calibration_per_angstrom": 0.05}, geometry={"ellipse": (0, 0)})
    >>> store = open_store(f"{folder.name}/store")
    >>> written = write_scan(store, f"{folder.name}/beam.npy", spec)
    >>> written.name, written.n_patterns, written.reused
    ('beam', 6, False)
    >>> write_scan(store, f"{folder.name}/beam.npy", spec).reused
    True
    >>> folder.cleanup()
    """
    name = name or raw_scan_name(location)
    inputs = ScanInputs.read(location, spec)
    raw = raw_sha256(inputs.scan)
    wanted = fingerprint(inputs, raw)
    plan = _plan_to_go_on_with(store, name, wanted, force=force)
    if plan is not None and plan.complete and _has_profiles(store, name):
        return _written(store, plan, None)
    prepared = survey_scan(inputs)
    if plan is None:
        plan = plan_scan(prepared, name, wanted, raw)
        create_arrays(store, layout.experiment_polar(name), scan_template(inputs, prepared, plan))
    (write or write_shards)(store, prepared, plan, progress or _ignore)
    finish(store, plan)
    return _written(store, plan, prepared)


def find_plan(store: ObjectStore, name: str) -> ScanPlan | None:
    """Return the plan of the preprocessed scan of a name, finished or not; None where there is none.

    Raises
    ------
    CorruptDataError
        If its records are damaged.
    """
    key = layout.experiment_polar(name)
    try:
        document = read_group(store, key)
    except MissingObjectError:
        return None
    plan = ScanAttributes.from_document(document.attributes, store.url(key)).plan
    completion = read_completion(store, name)
    return replace(plan, complete=completion is not None and completion.fingerprint == plan.fingerprint)


def _plan_to_go_on_with(store: ObjectStore, name: str, wanted: str, *, force: bool) -> ScanPlan | None:
    """Return the plan under a name if it is of this fingerprint; else None, and nothing is there under it any more."""
    try:
        plan = find_plan(store, name)
    except CorruptDataError:
        if not force:
            raise
        plan = None
    if plan is not None and plan.fingerprint == wanted:
        return plan
    _make_way(store, name, force=force)
    return None


def _make_way(store: ObjectStore, name: str, *, force: bool) -> None:
    """Remove what is there under a name, its completion record first, or refuse to.

    Metadata alone are what is left of a start, and nobody's work.
    """
    group, profiles = layout.experiment_polar(name), layout.experiment_profiles(name)
    work = [*store.list(f"{group}/{layout.RECEIPTS}"), *filter(store.exists, (completion_key(name), profiles))]
    if work and not force:
        raise ExperimentError(
            f"{store.url(profiles)}: experiment {name} is there already, made from other frames or otherwise",
            "give the experiment another name (--name), or replace it (--force)",
        )
    for key in (completion_key(name), profiles, layout.verdict(name)):
        store.delete(key)
    store.delete_tree(group)


def _has_profiles(store: ObjectStore, name: str) -> bool:
    """Return whether the file of profiles is the one that the completion record was written for."""
    completion = read_completion(store, name)
    try:
        found = read_profiles(store.url(layout.experiment_profiles(name))).sha256
    except (MissingObjectError, ExperimentError):
        return False
    return completion is not None and found == completion.profiles_sha256


def _written(store: ObjectStore, plan: ScanPlan, prepared: PreparedScan | None) -> WrittenScan:
    profiles, group = (
        store.url(key) for key in (layout.experiment_profiles(plan.name), layout.experiment_polar(plan.name))
    )
    return WrittenScan(plan.name, profiles, group, plan.fingerprint, plan.n_patterns, prepared)


def _ignore(_done: int, _total: int) -> None:
    """Take progress that nobody asked for."""
