"""Preprocess raw scans: profiles and polar patterns, that classifiers read, into the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import InputError, StoreError
from difsims_core.scans.isolated_reader import ScanReaderError
from difsims_core.scans.raw_document import read_raw_document
from difsims_core.scans.raw_intake import record_preprocessing
from difsims_core.scans.raw_listing import RawFiles, list_raw_scans, raw_key, raw_name
from difsims_core.storage.names import as_written, url_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.item_failures import ItemFailures, of_the_store
from flows.execution.steps import preprocess_one, read_raw_one
from flows.ui.artifacts import tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_experiments

if TYPE_CHECKING:
    from difsims_core.results.preprocessed import JudgedScan


def preprocess(
    raw: Sequence[str],
    spec: PreprocessingSpec = PreprocessingSpec(),  # noqa: B008 frozen
    store: str | None = None,
    name: str | None = None,
    *,
    force: bool = False,
) -> list[str]:
    """Preprocess raw scans and return the URLs of their profiles; parameters and errors as those of the flow."""
    from difsims_core.experiment.scan_files import raw_scans

    objects, urls = open_store(store), raw_scans(raw)
    if name is not None and len(urls) != 1:
        raise InputError(f"one name for {len(urls)} scans", "give a name to a single scan; others are called by file")
    _require_names(objects, urls)
    failures = ItemFailures(objects, ScanReaderError)
    uploads = _uploads(objects, urls)
    results: dict[str, JudgedScan] = {}
    for url in urls:
        with failures.catch(url):
            wanted = spec
            if spec == PreprocessingSpec() and (uploaded := uploads.get(url)) is not None:
                wanted = read_raw_document(objects, uploaded.document)
            results[url] = _preprocess(objects, url, wanted, name, force=force)
    _keep(objects, uploads, results, failures)
    _announce(objects, results.values())
    return _conclude(results, failures, len(urls))


def _require_names(store: ObjectStore, urls: Sequence[str]) -> None:
    """Refuse, before any work, scans that would become the same experiment."""
    first: dict[str, str] = {}
    for url in urls:
        name = _name_of(store, url)
        if name in first:
            raise InputError(
                f"{first[name]} and {url} would both become experiment {name}", "preprocess one with --name"
            )
        first[name] = url


def _name_of(store: ObjectStore, url: str) -> str:
    from difsims_core.experiment.open_scan import raw_scan_name

    key = raw_key(store, url)
    return raw_scan_name(url) if key is None else raw_name(key)


def _preprocess(store: ObjectStore, url: str, spec: PreprocessingSpec, name: str | None, *, force: bool) -> JudgedScan:
    """Preprocess a scan; one that was uploaded into the store is first read by a process with limits."""
    work, key = f"preprocess {url}", raw_key(store, url)
    with track_progress(work, f"preprocessing {url_name(url)}", 100, "percent"):
        if key is not None:
            read_raw_one(url, spec)
        return preprocess_one(store.root, url, spec, name or _name_of(store, url), work, force=force)


def _uploads(store: ObjectStore, urls: Sequence[str]) -> dict[str, RawFiles]:
    """Return the scans among these that were uploaded into the store, as they are listed now."""
    keys = {url: key for url in urls if (key := raw_key(store, url)) is not None}
    listed = list_raw_scans(store).scans if keys else {}
    return {url: listed[key] for url, key in keys.items() if key in listed}


def _keep(
    store: ObjectStore, uploads: dict[str, RawFiles], results: dict[str, JudgedScan], failures: ItemFailures
) -> None:
    """Keep for the intake what became of uploaded scans; a store that failed says nothing of the scan.

    Of one that changed meanwhile nothing is kept: the next round sees another content.
    """
    now = list_raw_scans(store) if uploads else None
    for url, scan in uploads.items():
        if now is None or not now.unchanged(scan):
            continue
        try:
            if url in results and results[url].written.name == scan.name:
                record_preprocessing(store, scan, None)
            elif url in failures.errors and not of_the_store(failures.errors[url]):
                record_preprocessing(store, scan, failures.reasons[url])
        except StoreError as error:  # no reason to lose experiments
            warn(f"the intake does not know what became of {scan.name} and will look at it again: {error}")


def _announce(store: ObjectStore, results: Iterable[JudgedScan]) -> None:
    for result in results:
        if not result.reused:
            labels = {"difsims.url": result.written.profiles}
            announce("experiment.preprocessed", result.written.name, store.root, labels=labels)


def _conclude(judged: dict[str, JudgedScan], failures: ItemFailures, total: int) -> list[str]:
    """Tell of the experiments, tag the run, and return their URLs."""
    results = list(judged.values())
    tag_run(*(result.written.name for result in results))
    show_experiments(results, len(failures.reasons))
    for result in results:
        log_and_show(f"{result.written.name}: {result.written.n_patterns:,} patterns. {result.verdict.in_words}")
        log_and_show(f"report of {result.written.name}: {as_written(result.report)}")
    found = [result.written.profiles for result in results]
    done = dict(zip(judged, found, strict=True))
    failures.raise_if_any(total, "scans cannot be preprocessed", f"; the other {len(found)} are", done)
    if any(not result.reused for result in results):
        return found
    message = f"reused {', '.join(result.written.name for result in results)}: same frames and parameters"
    log_and_show(message)
    return reused(found, message)
