"""Arrays with names: NumPy, HDF5, HyperSpy in HDF5 and Zarr, NeXus; in every order of axes."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest
import zarr

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.open_scan import open_raw_scan
from tests.experiment.formats import HYPERSPY_AXES, hdf5, hspy, npy, zarr_array, zspy

AXES = HYPERSPY_AXES
WRITERS = [npy, hdf5, zarr_array]


@pytest.mark.parametrize("write", [*WRITERS, hspy, zspy])
@pytest.mark.parametrize("dtype", ["<u2", ">u2", "u1", "<i4", "<f4"])
def test_the_same_counts_in_every_file(tmp_path, counts, write, dtype):
    scan = open_raw_scan(write(tmp_path / "scan", counts.astype(dtype)))
    np.testing.assert_array_equal(scan.frames.compute(), counts.astype(dtype))
    assert scan.frames.dtype == np.dtype(dtype).newbyteorder("=")


@pytest.mark.parametrize("write", WRITERS)
def test_detector_axes_may_come_first(tmp_path, counts, write):
    path = write(tmp_path / "scan", np.ascontiguousarray(counts.transpose(2, 3, 0, 1)))
    scan = open_raw_scan(path, ReadingSpec(stored_order="detector_first"))
    np.testing.assert_array_equal(scan.frames[1:3, 2].compute(), counts[1:3, 2])
    np.testing.assert_array_equal(scan.frames.compute(), counts)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("order", ["scan_first", "detector_first"])
def test_stack_becomes_a_scan_by_its_shape(tmp_path, counts, write, order):
    stack = counts.reshape(12, 6, 5)
    path = write(tmp_path / "scan", stack if order == "scan_first" else np.ascontiguousarray(stack.transpose(1, 2, 0)))
    with pytest.raises(ExperimentError, match="12 frames and does not say how they make a scan"):
        open_raw_scan(path, ReadingSpec(stored_order=order))
    scan = open_raw_scan(path, ReadingSpec(stored_order=order, scan_shape=(4, 3)))
    np.testing.assert_array_equal(scan.frames.compute(), counts)
    flyback = open_raw_scan(path, ReadingSpec(stored_order=order, scan_shape=(4, 2), extra_frames_per_row=1))
    np.testing.assert_array_equal(flyback.frames.compute(), counts[:, :2])


@pytest.mark.parametrize("write", [hspy, zspy])
def test_hyperspy_says_axes_units_and_voltage(tmp_path, counts, write):
    scan = open_raw_scan(write(tmp_path / "scan", counts))
    assert scan.calibration_per_angstrom == pytest.approx(0.01)
    assert (scan.scan_step_nm, scan.beam_energy_kv) == (2.0, 200.0)
    assert scan.remarks == ("A detector pixel is 0.1 1/nm in the file, that is 0.01 Å⁻¹.",)
    assert scan.file_format.startswith("HyperSpy")


@pytest.mark.parametrize("write", [hspy, zspy])
def test_hyperspy_says_that_detector_axes_come_first(tmp_path, counts, write):
    path = write(tmp_path / "scan", np.ascontiguousarray(counts.transpose(2, 3, 0, 1)), axes=[*AXES[2:], *AXES[:2]])
    scan = open_raw_scan(path)
    np.testing.assert_array_equal(scan.frames.compute(), counts)
    assert (scan.calibration_per_angstrom, scan.scan_step_nm) == (pytest.approx(0.01), 2.0)
    mixed = write(tmp_path / "mixed", counts, axes=[AXES[0], AXES[2], AXES[1], AXES[3]])
    with pytest.raises(ExperimentError, match="found scan, detector, scan, detector"):
        open_raw_scan(mixed)


def test_oblong_detector_pixels_are_refused(tmp_path, counts):
    path = hspy(tmp_path / "scan", counts, axes=[*AXES[:3], ("kx", 0.2, "1/nm", False)])
    with pytest.raises(ExperimentError, match="expected square ones"):
        open_raw_scan(path)


@pytest.mark.parametrize("write", [hspy, zspy])
def test_scan_steps_that_differ_along_the_axes_are_told(tmp_path, counts, write):
    name, _, *unit = AXES[0]
    scan = open_raw_scan(write(tmp_path / "scan", counts, axes=[(name, 3.0, *unit), *AXES[1:]]))
    assert scan.scan_step_nm is None
    assert "2 nm apart in a row, and rows 3 nm" in " ".join(scan.remarks)


def test_zarr_of_format_3_is_read_alike(tmp_path, counts):
    scan = open_raw_scan(zspy(tmp_path / "scan", counts, zarr_format=3))
    np.testing.assert_array_equal(scan.frames.compute(), counts)
    assert scan.scan_step_nm == 2.0


@pytest.mark.parametrize("options", [{"chunks": (3, 2, 6, 5)}, {"compression": "gzip"}, {"shuffle": True}])
def test_hdf5_in_chunks(tmp_path, counts, options):
    np.testing.assert_array_equal(open_raw_scan(hdf5(tmp_path / "scan", counts, **options)).frames[2:], counts[2:])


def test_hdf5_that_others_read_at_the_same_time(tmp_path, counts):
    path = hdf5(tmp_path / "scan", counts)
    with h5py.File(path, "r"):
        np.testing.assert_array_equal(open_raw_scan(path).frames.compute(), counts)


def test_hdf5_that_is_being_written_is_refused(tmp_path, counts):
    path = hdf5(tmp_path / "scan", counts)
    code = f"import h5py, sys\nfile = h5py.File({str(path)!r}, 'a')\nprint('open', flush=True)\nsys.stdin.read()\n"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(ExperimentError, match=r"scan\.h5: no readable HDF5 file .*still being written"):
            open_raw_scan(path)
        writer.communicate("")


def test_several_arrays_are_listed_and_one_is_chosen(tmp_path, counts):
    path = hdf5(tmp_path / "scan", counts)
    with h5py.File(path, "a") as file:
        file["other"] = counts + 1
        file["profile"] = counts[0, 0, 0]
    with pytest.raises(ExperimentError, match=r"2 arrays that may be the scan: .*/other.*; give dataset_path"):
        open_raw_scan(path)
    np.testing.assert_array_equal(open_raw_scan(path, ReadingSpec(dataset_path="other")).frames, counts + 1)
    for name in ("profile", "nothing", "group"):
        with pytest.raises(ExperimentError, match=r"scan\.h5"):
            open_raw_scan(path, ReadingSpec(dataset_path=name))


def test_nexus_says_which_array_it_is_about(tmp_path, counts):
    path = hdf5(tmp_path / "scan", counts, "entry/data/frames")
    with h5py.File(path, "a") as file:
        file["another"] = counts + 1
        file.attrs["default"], file["entry"].attrs["default"] = "entry", "data"
        file["entry/data"].attrs["signal"] = "frames"
    scan = open_raw_scan(path)
    assert scan.file_format == "NeXus"
    np.testing.assert_array_equal(scan.frames, counts)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.txt", b"hello", "no raw scan of a known format; expected one of .*\\.hspy"),
        ("scan.npy", b"hello", "is called like NumPy array, but does not begin like it"),
        ("empty.npy", b"", "is empty"),
        ("missing.npy", None, "No such file"),
    ],
)
def test_unknown_file_is_one_clear_error(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ExperimentError, match=f"{name}: {said}"):
        open_raw_scan(tmp_path / name)


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 4, 4), complex), np.zeros((2, 2, 4, 4), "S3"), np.zeros(4)])
def test_what_is_no_scan_is_refused(tmp_path, bad):
    np.save(tmp_path / "scan.npy", bad)
    with pytest.raises(ExperimentError, match=r"scan\.npy: "):
        open_raw_scan(tmp_path / "scan.npy")


def test_one_pattern_is_a_scan_of_one_point(tmp_path, counts):
    for write in WRITERS:
        path = write(tmp_path / "pattern", counts[1, 2])
        reading = ReadingSpec(dataset_path="group/counts" if write is hdf5 else None if write is npy else "/")
        scan = open_raw_scan(path, reading)
        assert "the file holds one pattern" in " ".join(scan.remarks)
        np.testing.assert_array_equal(scan.frames.compute(), counts[1:2, 2:3])


def test_arrays_of_objects_and_fortran_order_are_refused(tmp_path, counts):
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ExperimentError, match="Python objects, which are never unpickled"):
        open_raw_scan(tmp_path / "objects.npy")
    np.save(tmp_path / "fortran.npy", np.asfortranarray(counts))
    with pytest.raises(ExperimentError, match="ascontiguousarray"):
        open_raw_scan(tmp_path / "fortran.npy")


def partly_written_hdf5(folder, counts):
    with h5py.File(folder / "part.h5", "w") as file:
        file.create_dataset("data", counts.shape, counts.dtype, chunks=(1, 1, *counts.shape[2:]))[:2] = counts[:2]
    return folder / "part.h5"


def never_written_hdf5(folder, counts):
    with h5py.File(folder / "part.h5", "w") as file:
        file.create_dataset("data", counts.shape, counts.dtype)
    return folder / "part.h5"


def partly_written_zarr(folder, counts, **options):
    array = zarr.create_array(
        str(folder / "part.zarr"), shape=counts.shape, chunks=(1, 1, *counts.shape[2:]), dtype=counts.dtype, **options
    )
    array[:2] = counts[:2]
    return folder / "part.zarr"


def partly_written_zarr_2(folder, counts):
    return partly_written_zarr(folder, counts, zarr_format=2)


def partly_written_shards(folder, counts):
    return partly_written_zarr(folder, counts, shards=(1, 3, *counts.shape[2:]))


@pytest.mark.parametrize(
    ("write", "said"),
    [(partly_written_hdf5, "6 of 12"), (never_written_hdf5, "1 of 1"), (partly_written_zarr, "6 of 12"),
     (partly_written_zarr_2, "6 of 12"), (partly_written_shards, "2 of 4")],
)  # fmt: skip
def test_what_was_never_written_is_not_read_as_dead_patterns(tmp_path, counts, write, said):
    with pytest.raises(ExperimentError, match=rf"is not fully written: {said} chunks of .* are missing"):
        open_raw_scan(write(tmp_path, counts))


@pytest.mark.parametrize("write", [partly_written_zarr, partly_written_zarr_2])
def test_chunks_that_a_writer_leaves_out_as_empty_are_read_when_asked_for(tmp_path, counts, write):
    scan = open_raw_scan(write(tmp_path, counts), ReadingSpec(missing_chunks="fill"))
    assert "6 of 12 chunks are missing" in " ".join(scan.remarks)
    np.testing.assert_array_equal(scan.frames, np.concatenate([counts[:2], np.zeros_like(counts[2:])]))


def test_a_virtual_array_is_as_whole_as_what_it_leads_to(tmp_path, counts):
    source = partly_written_hdf5(tmp_path, counts)
    layout = h5py.VirtualLayout(counts.shape, counts.dtype)
    layout[:] = h5py.VirtualSource(source.name, "data", counts.shape)
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with pytest.raises(ExperimentError, match=r"part\.h5: is not fully written"):
        open_raw_scan(tmp_path / "all.h5")
    with h5py.File(source, "a") as file:
        file["data"][:] = counts
    np.testing.assert_array_equal(open_raw_scan(tmp_path / "all.h5").frames, counts)


@pytest.mark.parametrize("change", ["written again", "removed", "added to"])
def test_a_group_that_changes_is_noticed(tmp_path, counts, change):
    scan = open_raw_scan(zarr_array(tmp_path / "scan", counts))
    scan.require_unchanged()
    chunk = tmp_path / "scan.zarr/c/0/0/0/0"
    if change == "written again":
        chunk.write_bytes(chunk.read_bytes() + b"1")
    elif change == "removed":
        chunk.unlink()
    else:
        (tmp_path / "scan.zarr/more").write_bytes(b"")
    with pytest.raises(ExperimentError, match=r"scan\.zarr: changed while it was being read; wait until"):
        scan.require_unchanged()
