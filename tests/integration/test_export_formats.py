"""A dataset as npz, Zarr and HDF5: the same numbers in each, and nothing is replaced without being asked."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray

from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.dataset.export.formats import FORMATS, export_dataset
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.doubles import fake


@pytest.fixture
def dataset(files, small_spec):
    simulator = fake(small_spec)
    plan = begin(files, small_spec, 1024, simulator)
    write_group(files.root, small_spec, plan.id, range(3), simulator=simulator)
    finish(files, plan)
    return open_simulation(plan.id, files)


def test_hdf5_holds_every_array_with_its_units_and_axes(dataset, tmp_path):
    seen = []
    (path,) = export_dataset(dataset, tmp_path / "out.h5", progress=seen.append)
    assert seen[-1] == dataset.n_patterns
    assert seen == sorted(seen)
    with h5py.File(path) as file:
        for name in dataset.arrays:
            np.testing.assert_array_equal(file[name][()], dataset[name][:])
        profiles = file["1d/x_px"]
        assert profiles.attrs["long_name"] == "normalised intensity"
        assert profiles.dims[0].label == "pattern"
        np.testing.assert_array_equal(profiles.dims[1]["x_px_q_axis"][()], dataset.q_px)
        assert file["1d/x_px_q_axis"].attrs["units"] == "1/angstrom"
        assert file["metadata/id"].asstr()[()] == dataset.id
        assert tuple(file["metadata/phases"].asstr()[()]) == dataset.phases


def test_a_zarr_copy_is_the_dataset(dataset, tmp_path):
    (path,) = export_dataset(dataset, tmp_path / f"{dataset.id}.zarr")
    copy = open_simulation(path)
    assert copy.completion == dataset.completion
    assert verify(open_store(tmp_path), path).ok
    with xarray.open_zarr(path, group="1d", chunks=None) as data:
        np.testing.assert_array_equal(data["x_px"], dataset["1d/x_px"][:])


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_there_is_replaced_only_when_asked(dataset, tmp_path, name):
    (path,) = export_dataset(dataset, tmp_path / "out", name)
    assert path == str(tmp_path / f"out.{name}")
    with pytest.raises(InputError, match=f"^{path}: ") as caught:
        export_dataset(dataset, path)
    assert "--force" in caught.value.remedy
    assert export_dataset(dataset, path, overwrite=True) == [path]


def test_numbered_files_are_there_already_too(dataset, tmp_path):
    exporter = NpzExporter(1_100_000)
    written = exporter.export(dataset, tmp_path / "out.npz")
    before = open_store(tmp_path).describe()
    with pytest.raises(InputError, match=r"out_0001\.npz: .*--force"):
        exporter.export(dataset, tmp_path / "out.npz")
    assert open_store(tmp_path).describe() == before
    assert len(written) > 1


def test_a_zarr_copy_replaces_no_other_folder(dataset, tmp_path):
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"out\.zarr"):
        export_dataset(dataset, tmp_path / "out.zarr", overwrite=True)
    assert (tmp_path / "out.zarr" / "thesis.txt").read_text() == "mine"
    with pytest.raises(InputError, match=dataset.url):
        export_dataset(dataset, dataset.url, overwrite=True)
    assert verify(dataset.store, dataset.id).ok


def test_a_zarr_copy_that_was_stopped_is_no_dataset_and_can_be_replaced(dataset, tmp_path, monkeypatch):
    path = tmp_path / f"{dataset.id}.zarr"

    def stop(done: int) -> None:
        if done > dataset.n_patterns // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset(dataset, path, progress=stop)
    assert not (path / "zarr.json").exists()
    assert not (path / layout.COMPLETE).exists()
    export_dataset(dataset, path, overwrite=True)
    assert verify(open_store(tmp_path), str(path)).ok


@pytest.mark.parametrize(("name", "wanted"), [("out.zip", None), ("out", None), ("out.npz", "h5")])
def test_a_name_of_no_format_or_another_is_refused(dataset, tmp_path, name, wanted):
    with pytest.raises(InputError, match=rf"{name}\b.*\.{wanted or 'npz'}|\.{wanted or 'npz'}.*{name}\b"):
        export_dataset(dataset, tmp_path / name, wanted)
