"""Export a dataset into its store, as files that other programs read, with links to fetch them by."""

from __future__ import annotations

from typing import Annotated, Literal

from prefect.runtime import flow_run

from difsims_core.dataset.export.formats import FORMATS
from difsims_core.dataset.open import open_simulation
from difsims_core.storage import layout
from difsims_core.storage.names import file_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.no_persistence import flow
from flows.execution.steps import export_dataset
from flows.ui import artifacts
from flows.ui.final_states import reused
from flows.ui.parameters import StoreUrl, described
from flows.ui.progress import log_and_show, track_progress

Exported = Annotated[str, described("id or URL of a complete dataset")]
FileFormat = Annotated[
    Literal["npz", "h5"], described("npz: NumPy alone can read it; h5: HDF5. The dataset itself is Zarr already")
]


def _run_name() -> str:
    return f"export {flow_run.parameters['simulation'].rsplit('/', 1)[-1][:12]} as {flow_run.parameters['file_format']}"


@flow(name="export", flow_run_name=_run_name)
def export(simulation: Exported, file_format: FileFormat = "npz", store: StoreUrl = None) -> list[str]:
    """Write a dataset as npz or HDF5 below ``exports/`` of the store and return the URLs; what is there is kept.

    Parameters
    ----------
    simulation
        Id of a complete dataset, its beginning, or its URL.
    file_format
        ``npz``, several files of at most 2 GiB where the dataset is larger, or ``h5``.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    objects = open_store(store)
    dataset, exporter = open_simulation(simulation, objects), FORMATS[file_format]
    path = objects.url(layout.export(dataset.id, exporter.ending))
    files = exporter.files(dataset, path)
    artifacts.tag_run(dataset.id)
    if exporter.existing(files) == files:
        message = f"reused the export of {dataset.id}: a dataset never changes"
        log_and_show(message)
        _show(objects, dataset.id, dataset.n_patterns, files)
        return reused(files, message)
    with track_progress(path, "exporting", dataset.n_patterns, "patterns"):
        export_dataset(objects.root, dataset.url, path, file_format)
    _show(objects, dataset.id, dataset.n_patterns, files)
    log_and_show(f"exported {dataset.id} as {', '.join(map(file_name, files))}")
    return files


def _show(store: ObjectStore, dataset: str, n_patterns: int, files: list[str]) -> None:
    """Leave the summary, and for each file a link that a browser can open."""
    names = {file_name(url): url for url in files}
    for name, url in names.items():
        artifacts.link(store, name, store.key_of(url), f"{dataset} as {name}")
    artifacts.summary(
        what=f"exported {dataset}", on=f"{n_patterns:,} patterns", far=f"complete: {len(files)} files", where=names
    )
