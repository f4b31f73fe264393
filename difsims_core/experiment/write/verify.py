"""Check a preprocessed scan, every object of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from difsims_core.errors import CorruptDataError, DifsimsError, MissingObjectError
from difsims_core.experiment.write.claims import CLAIM
from difsims_core.experiment.write.open import locate_experiment, open_experiment
from difsims_core.experiment.write.plan import ScanAttributes, ScanPlan
from difsims_core.experiment.write.records import ShardReceipt, content_digest, objects_digest, read_receipts
from difsims_core.findings import Findings
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.arrays import read_group
from difsims_core.storage.zarr.metadata import ArrayLayout, GroupDocument
from difsims_core.storage.zarr.shards import decode_shard
from difsims_core.storage.zarr.small_objects import axis_objects, read_small_objects
from difsims_core.storage.zarr.written import checksum

_SHOWN = 20  # findings of one kind


def verify_experiment(store: ObjectStore, experiment: str | Path) -> Findings:
    """Check every object of a complete preprocessed scan, and that its profiles are those that it made.

    Raises
    ------
    IncompleteDatasetError, MissingObjectError, InputError
        If there is nothing complete to check; everything else that is wrong is a finding.
    """
    store, name = locate_experiment(experiment, store)
    try:
        completion = open_experiment(name, store).completion
    except CorruptDataError as error:
        return Findings("experiment", name, (str(error),))
    key = layout.experiment_polar(name)
    document = read_group(store, key)
    plan = ScanAttributes.from_document(document.attributes, store.url(key)).plan
    receipts = read_receipts(store, plan)
    missing = [shard for shard in range(plan.n_shards) if shard not in receipts]
    failures = [f"part {shard}: its receipt is missing or damaged" for shard in missing[:_SHOWN]]
    try:
        small = read_small_objects(store, key, document)
        if content_digest(receipts) != completion.content_sha256:
            failures.append("the receipts are not those that the completion record was written for")
        elif objects_digest(small, receipts) != completion.objects_sha256:
            failures.append("metadata, axes or receipts are not those that the completion record was written for")
    except DifsimsError as error:
        failures.append(str(error))
    arrays = {path: array for path, array in document.arrays.items() if array.shard_rows is not None}
    failures += _strangers(store, key, document, plan, arrays)
    for receipt in receipts.values():
        failures += _differences(store, key, plan, arrays, receipt)
    profiles = store.url(layout.experiment_profiles(name))
    warnings = []
    try:
        if read_profiles(profiles).sha256 != completion.profiles_sha256:
            failures.append(f"{profiles}: is another file than the one that was written")
    except MissingObjectError:
        warnings.append(f"{profiles}: is not there any more; preprocess the scan again for it")
    except DifsimsError as error:
        failures.append(str(error))
    return Findings("experiment", name, tuple(failures), tuple(warnings))


def _strangers(
    store: ObjectStore, key: str, document: GroupDocument, plan: ScanPlan, arrays: dict[str, ArrayLayout]
) -> list[str]:
    """Return which objects do not belong to the scan."""
    known = {layout.COMPLETE, CLAIM, "zarr.json", *(f"{path}/zarr.json" for path in document.nodes)}
    known |= set(axis_objects(document).values())
    known |= {f"{layout.RECEIPTS}/{layout.receipt_name(shard)}" for shard in range(plan.n_shards)}
    known |= {f"{path}/{array.object_key(shard)}" for path, array in arrays.items() for shard in range(plan.n_shards)}
    found = (name.removeprefix(f"{key}/") for name in store.list(key))
    return [f"{ascii(name)[1:-1]}: does not belong to this scan; remove it" for name in found if name not in known]


def _differences(
    store: ObjectStore, key: str, plan: ScanPlan, arrays: dict[str, ArrayLayout], receipt: ShardReceipt
) -> list[str]:
    """Return what is wrong with the rows of a shard."""
    if receipt.checksums.keys() != arrays.keys():
        return [f"part {receipt.shard}: its receipt names other arrays than the scan has"]
    rows, failures = plan.rows(receipt.shard), []
    for path, array in arrays.items():
        try:
            data = store.read(f"{key}/{path}/{array.object_key(receipt.shard)}")
            found = decode_shard(array, data, rows.stop - rows.start)
        except (DifsimsError, ValueError, IndexError) as error:
            failures.append(f"part {receipt.shard}, {path}: cannot be read ({error})")
            continue
        if checksum(found) != receipt.checksums[path]:
            failures.append(f"part {receipt.shard}, {path}: the stored rows differ from their receipt")
        elif (hashlib.sha256(data).hexdigest(), len(data)) != (receipt.stored_sha256[path], receipt.stored_bytes[path]):
            failures.append(f"part {receipt.shard}, {path}: the stored bytes differ from their receipt")
    return failures
