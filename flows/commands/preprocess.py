"""Preprocess raw scans: profiles and polar patterns, that classifiers read, into the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import InputError
from difsims_core.storage.names import url_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.item_failures import ItemFailures
from flows.execution.steps import preprocess_one
from flows.ui.artifacts import tag_run
from flows.ui.final_states import reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_experiments

if TYPE_CHECKING:
    from difsims_core.experiment.write.write_scan import WrittenScan


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
    results: list[WrittenScan] = []
    for url in urls:
        with failures.catch(url):
            results.append(_preprocess(objects, url, spec, name, force=force))
    return _conclude(results, failures, len(urls))


def _preprocess(store: ObjectStore, url: str, spec: PreprocessingSpec, name: str | None, *, force: bool) -> WrittenScan:
    work = f"preprocess {url}"
    with track_progress(work, f"preprocessing {url_name(url)}", 100, "percent"):
        return preprocess_one(store.root, url, spec, name, work, force=force)


def _conclude(results: list[WrittenScan], failures: ItemFailures, total: int) -> list[str]:
    """Tell of the experiments, tag the run, and return their URLs."""
    tag_run(*(result.name for result in results))
    show_experiments(results, len(failures.reasons))
    fresh, found = [result for result in results if not result.reused], [result.profiles for result in results]
    for result in fresh:
        log_and_show(f"preprocessed {result.name}: {result.n_patterns:,} patterns")
    failures.raise_if_any(total, "scans cannot be preprocessed", f"; the other {len(found)} are")
    if fresh:
        return found
    message = f"reused {', '.join(result.name for result in results)}: same frames and parameters"
    log_and_show(message)
    return reused(found, message)
