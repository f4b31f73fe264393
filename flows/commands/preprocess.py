"""Preprocess raw scans: profiles and polar patterns, that classifiers read, into the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import InputError
from difsims_core.storage.names import as_written, url_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.item_failures import ItemFailures
from flows.execution.steps import preprocess_one
from flows.ui.artifacts import tag_run
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
    from difsims_core.experiment.open_scan import raw_scans

    objects, urls = open_store(store), raw_scans(raw)
    if name is not None and len(urls) != 1:
        raise InputError(f"one name for {len(urls)} scans", "give a name to a single scan; others are called by file")
    failures = ItemFailures(objects)
    results: list[JudgedScan] = []
    for url in urls:
        with failures.catch(url):
            results.append(_preprocess(objects, url, spec, name, force=force))
    return _conclude(results, failures, len(urls))


def _preprocess(store: ObjectStore, url: str, spec: PreprocessingSpec, name: str | None, *, force: bool) -> JudgedScan:
    work = f"preprocess {url}"
    with track_progress(work, f"preprocessing {url_name(url)}", 100, "percent"):
        return preprocess_one(store.root, url, spec, name, work, force=force)


def _conclude(results: list[JudgedScan], failures: ItemFailures, total: int) -> list[str]:
    """Tell of the experiments, tag the run, and return their URLs."""
    tag_run(*(result.written.name for result in results))
    show_experiments(results, len(failures.reasons))
    for result in results:
        log_and_show(f"{result.written.name}: {result.written.n_patterns:,} patterns. {result.in_words}")
        log_and_show(f"report of {result.written.name}: {as_written(result.report)}")
    found = [result.written.profiles for result in results]
    failures.raise_if_any(total, "scans cannot be preprocessed", f"; the other {len(found)} are")
    if any(not result.reused for result in results):
        return found
    message = f"reused {', '.join(result.written.name for result in results)}: same frames and parameters"
    log_and_show(message)
    return reused(found, message)
