"""Export to one HDF5 file, for programs that read no Zarr. Nothing here ever reads one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from difsims_core.dataset.export.base import Exporter, description
from difsims_core.storage.objects import writing_url

if TYPE_CHECKING:
    import h5py
    import zarr

    from difsims_core.dataset.open import Simulation


class Hdf5Exporter(Exporter):
    """Every array under its path, ``f["1d/x_px"]``, with its units; ``f["metadata/id"]`` the id.

    The axes are HDF5's dimension scales of the signals that they belong to. Data are compressed by deflate, which every
    reader has.
    """

    ending: ClassVar[str] = ".h5"

    def write(self, dataset: Simulation, files: Sequence[str], progress: Callable[[int], None]) -> None:
        """Write the file, a block of rows at a time."""
        import h5py

        with writing_url(files[0]) as temporary, h5py.File(temporary, "w") as file:
            for name, value in description(dataset).items():
                file[f"metadata/{name}"] = value
            arrays = {path: dataset[path] for path in dataset.arrays}
            created = {path: _create(file, path, array) for path, array in arrays.items()}
            for path, array in arrays.items():
                _name_dimensions(created, path, array)
            total, done = sum(array.shape[0] for array in arrays.values()), 0
            for path, array in arrays.items():
                rows = (array.shards or array.chunks)[0]
                for start in range(0, array.shape[0], rows):
                    stop = min(start + rows, array.shape[0])
                    created[path][start:stop] = array[start:stop]
                    progress((done + stop) * dataset.n_patterns // total)
                done += array.shape[0]


def _create(file: h5py.File, path: str, array: zarr.Array) -> h5py.Dataset:
    chunks = tuple(map(min, array.chunks, array.shape))
    stored: dict[str, Any] = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
    created = file.create_dataset(path, array.shape, array.dtype, **stored)
    created.attrs.update(dict(array.attrs))
    return created


def _name_dimensions(created: Mapping[str, h5py.Dataset], path: str, array: zarr.Array) -> None:
    """Say what the dimensions of an array are, and which axis belongs to each."""
    for number, name in enumerate(map(str, getattr(array.metadata, "dimension_names", None) or ())):
        axis = f"{path.rpartition('/')[0]}/{name}"
        if axis == path:
            created[path].make_scale(name)
        else:
            created[path].dims[number].label = name
        if axis in created and axis != path:
            created[path].dims[number].attach_scale(created[axis])
