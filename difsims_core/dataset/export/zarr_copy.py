"""Export to a Zarr group: a copy of the dataset as it is stored, byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from difsims_core.dataset.export.base import Exporter
from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.objects import locate
from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation


class ZarrExporter(Exporter):
    """A folder that opens with Zarr and xarray, and, called as the dataset is, with ``open_simulation`` too."""

    ending: ClassVar[str] = layout.SIMULATION_ENDING

    def existing(self, files: Sequence[str]) -> list[str]:
        """Return the folder if it holds anything."""
        store, key = locate(files[0])
        return list(files) if store.list(key) else []

    def write(self, dataset: Simulation, files: Sequence[str], progress: Callable[[int], None]) -> None:
        """Copy all objects: descriptions of arrays first, then data, what makes a group and a dataset of it last.

        Raises
        ------
        InputError
            If what is to be replaced is no Zarr group, or is the dataset itself.
        """
        store, key = locate(files[0])
        if store.url(key) == dataset.url:
            raise InputError(f"{files[0]}: is the dataset itself", "choose another name")
        there = store.list(key)
        if there and not any(name.endswith(f"/{ROOT_DOCUMENT}") for name in there):
            raise InputError(f"{files[0]}: is a folder with other things than a Zarr group", "choose another name")
        store.delete_tree(key)
        names = [name.removeprefix(f"{dataset.key}/") for name in dataset.store.list(dataset.key)]
        names.sort(key=_order)
        for done, name in enumerate(names, start=1):
            with store.writing(f"{key}/{name}") as temporary:
                dataset.store.download(f"{dataset.key}/{name}", temporary)
            progress(done * dataset.n_patterns // len(names))


def _order(name: str) -> tuple[int, str]:
    last = {ROOT_DOCUMENT: 2, layout.COMPLETE: 3}
    return last.get(name, 0 if name.endswith(f"/{ROOT_DOCUMENT}") else 1), name
