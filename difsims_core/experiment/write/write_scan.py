"""A raw scan into the store: begin, write shards, finish; any of it may be repeated (docs/architecture.md §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import ExperimentError, MissingObjectError
from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.open_scan import raw_scan_name
from difsims_core.experiment.prepare import PreparedScan, survey_scan
from difsims_core.experiment.write.claims import claim_key, is_abandoned, read_claim, take_over
from difsims_core.experiment.write.fingerprint import fingerprint, raw_sha256
from difsims_core.experiment.write.plan import ScanPlan, plan_scan
from difsims_core.experiment.write.records import (
    ScanCompletion,
    completion_key,
    read_completion,
    read_receipts,
    receipt_key,
)
from difsims_core.experiment.write.shards import Progress, finish, write_shards
from difsims_core.experiment.write.template import scan_template
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT, create_arrays, read_group


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
        Replace what is there under this name, whatever it is.
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
    found = None if force else _found(store, name, wanted)
    if found is not None and _is_whole(store, found):
        return _written(store, found, None)
    prepared = survey_scan(inputs)
    plan = found or _claimed(store, plan_scan(prepared, name, wanted, raw), force=force)
    if not store.exists(f"{layout.experiment_polar(name)}/{ROOT_DOCUMENT}"):
        create_arrays(store, layout.experiment_polar(name), scan_template(inputs, prepared, plan))
    (write or write_shards)(store, prepared, plan, progress or _ignore)
    finish(store, plan)
    return _written(store, plan, prepared)


def _found(store: ObjectStore, name: str, wanted: str) -> ScanPlan | None:
    """Return the plan of the experiment that has a name, finished or not; None where nobody has it, or left it.

    Raises
    ------
    ExperimentError
        If it is another one, or profiles of somebody else lie there.
    CorruptDataError
        If its records are damaged.
    """
    claim = read_claim(store, name)
    if claim is not None and claim.fingerprint == wanted:
        return ScanPlan.of(claim)
    there = store.exists(layout.experiment_profiles(name)) or store.list(layout.experiment_polar(name))
    if (claim is None and there) or (claim is not None and not is_abandoned(store, claim)):
        raise _taken(store, name)
    return None


def _claimed(store: ObjectStore, plan: ScanPlan, *, force: bool) -> ScanPlan:
    """Take a name, or agree with whoever has just taken it for the same scan; what is there is removed by ``force``."""
    if force:
        for key in (claim_key(plan.name), completion_key(plan.name), layout.experiment_profiles(plan.name)):
            store.delete(key)
        store.delete(layout.verdict(plan.name))
        store.delete_tree(layout.experiment_polar(plan.name))
    if store.create(claim_key(plan.name), plan.claim().to_record()) or take_over(store, plan.claim()):
        return plan
    found = _found(store, plan.name, plan.fingerprint)
    if found is None:
        raise _taken(store, plan.name)
    return found


def _taken(store: ObjectStore, name: str) -> ExperimentError:
    return ExperimentError(
        f"{store.url(layout.experiment_profiles(name))}: experiment {name} is there already, made from other frames or "
        "otherwise, or begun some minutes ago",
        "give the experiment another name (--name), or replace it (--force)",
    )


def _is_whole(store: ObjectStore, plan: ScanPlan) -> bool:
    """Return whether nothing of an experiment is missing; receipts of rows that are lost are removed.

    Sizes are compared, as one listing tells them; `verify` compares the bytes.
    """
    key = layout.experiment_polar(plan.name)
    completion, sizes = read_completion(store, plan.name), {info.key: info.size for info in store.describe(key)}
    if completion is None or completion.fingerprint != plan.fingerprint:
        return False
    document, receipts = read_group(store, key), read_receipts(store, plan)
    lost = [
        receipt.shard
        for receipt in receipts.values()
        for path, size in receipt.stored_bytes.items()
        if sizes.get(f"{key}/{path}/{document.arrays[path].object_key(receipt.shard)}") != size
    ]
    for shard in set(lost):
        store.delete(receipt_key(plan.name, shard))
    return not lost and len(receipts) == plan.n_shards and _has_profiles(store, completion)


def _has_profiles(store: ObjectStore, completion: ScanCompletion) -> bool:
    """Return whether the file of profiles is the one that the completion record was written for."""
    try:
        found = read_profiles(store.url(layout.experiment_profiles(completion.name))).sha256
    except (MissingObjectError, ExperimentError):
        return False
    return found == completion.profiles_sha256


def _written(store: ObjectStore, plan: ScanPlan, prepared: PreparedScan | None) -> WrittenScan:
    profiles, group = (
        store.url(key) for key in (layout.experiment_profiles(plan.name), layout.experiment_polar(plan.name))
    )
    return WrittenScan(plan.name, profiles, group, plan.fingerprint, plan.n_patterns, prepared)


def _ignore(_done: int, _total: int) -> None:
    """Take progress that nobody asked for."""
