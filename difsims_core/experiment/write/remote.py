"""Write one shard of a preprocessed scan from plain values: what a worker of a cluster does (docs/architecture.md §4).

Nothing heavy is loaded before the first shard: a function is looked up where a worker also answers its scheduler.
"""

from __future__ import annotations

import json
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from difsims_core.errors import InputError
from difsims_core.remote_errors import said_by_this_worker
from difsims_core.version import __version__

if TYPE_CHECKING:
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.storage.objects import ObjectStore

_preparing = Lock()


def shard_order(store: ObjectStore, prepared: PreparedScan, plan: ScanPlan) -> dict[str, str]:
    """Return what a worker must know to write shards of a scan, the keyword arguments of `write_remote_shard`.

    Texts, so that nothing else can travel: the document, what the survey found, where the raw scan lies.
    """
    from difsims_core.experiment.write.survey_text import SurveyText
    from difsims_core.storage.names import as_written

    pixels = prepared.spec.pixels
    places = {key: place and as_written(place) for key, place in (("dark", pixels.dark), ("gain", pixels.gain))}
    spec = prepared.spec.model_copy(update={"pixels": pixels.model_copy(update=places)})
    return {
        "store_url": store.root,
        "name": plan.name,
        "fingerprint": plan.fingerprint,
        "source": prepared.scan.source,
        "document": json.dumps(spec.to_document(), sort_keys=True),
        "survey": json.dumps(SurveyText.of(prepared.survey).to_document()),
        "first_frames": _first_frames(prepared),
        "made_by": _version(),
    }


def write_remote_shard(
    shard: int,
    *,
    store_url: str,
    name: str,
    fingerprint: str,
    source: str,
    document: str,
    survey: str,
    first_frames: str,
    made_by: str,
) -> None:
    """Integrate a shard in one thread and write it; one that is written already is left alone.

    Parameters
    ----------
    shard
        Its number.
    store_url, name, fingerprint
        Where the preprocessed scan lies, and which it is. Credentials come from the environment of this process.
    source, document, survey
        Where the raw scan lies, how it is read and corrected (JSON), and what its survey found (`SurveyText`).
    first_frames, made_by
        What this process must agree with: the checksum of the first frames, corrected, and the version.

    Raises
    ------
    InputError
        If this process would make other bytes.
    ExperimentError
        If the raw scan cannot be read here.
    StoreError
        If the store fails; ``StoreAccessError`` if there are no credentials here.
    """
    from difsims_core.experiment.write.records import read_receipts
    from difsims_core.experiment.write.shards import write_group

    with said_by_this_worker():
        with _preparing:
            store, prepared, plan = _prepared(
                store_url, name, fingerprint, source, document, survey, first_frames, made_by
            )
        if shard not in read_receipts(store, plan):
            # One thread: the cluster has one task a core.
            list(write_group(store, prepared, plan, [shard], n_threads=1))


@lru_cache(maxsize=2)
def _prepared(
    store_url: str,
    name: str,
    fingerprint: str,
    source: str,
    document: str,
    survey: str,
    first_frames: str,
    made_by: str,
) -> tuple[ObjectStore, PreparedScan, ScanPlan]:
    """Return what all shards of a scan need, made once a process."""
    from difsims_core.config.documents import make_spec
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from difsims_core.experiment.correct.detector_files import read_correction
    from difsims_core.experiment.open_scan import open_raw_scan
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.claims import read_claim
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.experiment.write.survey_text import SurveyText
    from difsims_core.storage.objects import open_store

    if made_by != _version():
        raise InputError(
            f"expected {made_by}, which began experiment {name}, found {_version()}",
            "install the same version of difsims on all workers, and restart them",
        )
    store = open_store(store_url)
    claim = read_claim(store, name)
    if claim is None or claim.fingerprint != fingerprint:
        raise InputError(f"experiment {name} is not, or no longer, in {store.root}", "preprocess the scan again")
    plan = ScanPlan.of(claim)
    spec = make_spec(json.loads(document), PreprocessingSpec, source=f"parameters of {name}")
    scan = open_raw_scan(source, spec.reading)
    found = SurveyText.from_document(json.loads(survey), f"the order for {name}").survey()
    prepared = PreparedScan.of(scan, spec, read_correction(spec.pixels, scan.frame_shape), found)
    if _first_frames(prepared) != first_frames:
        raise InputError(
            f"{source}: holds other frames here than where experiment {name} was begun",
            "workers must see the same file under the same path",
        )
    return store, prepared, plan


def _first_frames(prepared: PreparedScan) -> str:
    """Return the SHA-256 of the corrected frames of the first block, and how many positions there are.

    With it that of the listing of a Zarr group: what changed before this process opened it is noticed, too.
    """
    from difsims_core.experiment.frames import blocks_of, read_block
    from difsims_core.storage.zarr.written import checksum

    scan = prepared.scan
    frames = read_block(scan, blocks_of(scan)[0], prepared.correct)
    listing = f" in {scan.group.listing}" if scan.group else ""
    return f"{checksum(frames)} of {'×'.join(map(str, (*scan.scan_shape, *scan.frame_shape)))}{listing}"


def _version() -> str:
    from difsims_core.experiment.write.fingerprint import PREPROCESSING_VERSION

    return f"difsims {__version__} with preprocessing {PREPROCESSING_VERSION}"
