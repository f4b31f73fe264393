"""What every format keeps: the counts that were written, one clear error where they are damaged, workers read alike."""

from __future__ import annotations

import pickle

import dask
import numpy as np
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import DifsimsError
from difsims_core.experiment.open_scan import open_raw_scan
from difsims_core.families import SCAN_READERS
from tests.experiment.formats import WRITERS, dm3, empad, mib, mrc, tvips


@pytest.fixture
def square() -> np.ndarray:
    """A scan of 4 × 4 positions with patterns of 8 × 8 pixels of a byte."""
    return np.random.default_rng(3).integers(0, 255, (4, 4, 8, 8)).astype(np.uint8)


@pytest.fixture(params=WRITERS)
def written(request, tmp_path, square):
    return request.param, WRITERS[request.param](tmp_path / "scan", square)


def test_counts_and_shape_are_those_that_were_written(written, square):
    name, path = written
    scan = open_raw_scan(path)
    frames = scan.frames.compute()
    if name == "empad":
        frames = frames[:, :, :8, :8]
    np.testing.assert_array_equal(frames, square)
    assert scan.source == str(path)
    assert scan.frames.dtype.isnative


def test_scan_travels_to_another_process_without_its_counts(written, square):
    _, path = written
    scan = open_raw_scan(path)
    sent = pickle.dumps(scan)
    assert len(sent) < 40_000
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(pickle.loads(sent).frames[1:3, ::2].compute(), scan.frames[1:3, ::2].compute())  # noqa: S301


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.99])
def test_truncated_file_is_one_clear_error(written, kept, square):
    """HDF5 tells of its length, and files of frames end within one."""
    name, path = written
    damaged = next(path.rglob("c/0/0/0/0")) if name == "zarr_array" else path
    if name == "zspy":
        damaged = max((item for item in path.rglob("data/*") if item.is_file()), key=lambda item: item.stat().st_size)
    if name == "arina":
        damaged = path.with_name("scan_data_000002.h5")
    if name == "empad" and kept > 0.5:
        damaged = path.with_suffix(".raw")
    data = damaged.read_bytes()
    damaged.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DifsimsError) as caught:
        open_raw_scan(path).frames.compute()
    assert "scan" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n" * 400, bytes(3000), b"\x89HDF\r\n\x1a\n" + bytes(3000), b"MQ1,x,y" * 99]
)
@pytest.mark.parametrize(
    "name", [name for name in SCAN_READERS.names() if SCAN_READERS[name].suffixes != (".raw", ".bin")]
)
def test_file_of_something_else_is_one_clear_error(tmp_path, name, content):
    for suffix in SCAN_READERS[name].suffixes:
        path = tmp_path / f"scan{suffix}"
        path.write_bytes(content)
        with pytest.raises(DifsimsError, match="scan"):
            open_raw_scan(path)


def test_the_rotation_of_a_scan_comes_from_the_file_unless_it_is_given(tmp_path, square):
    path = WRITERS["blo"](tmp_path / "scan", square)
    assert open_raw_scan(path).scan_rotation_deg == 42.5
    assert open_raw_scan(path, ReadingSpec(scan_rotation_deg=0)).scan_rotation_deg == 0
    assert open_raw_scan(WRITERS["hspy"](tmp_path / "other", square)).scan_rotation_deg is None


def test_axes_units_and_voltage_come_from_the_file(tmp_path, square):
    """Å⁻¹ a pixel, nm a step, kV."""
    wavelength = 0.0250793  # Å at 200 kV
    expected = {
        "hspy": (0.01, 2, 200), "zspy": (0.01, 2, 200), "emd": (0.01, 2, None), "mrc": (0.01, 2, 300),
        "prz": (0.01, 2, None), "ser": (0.01, None, None), "empad": (0.01, 0.75, None), "arina": (None, 0.5, 200),
        "blo": (0.016 / 20 / wavelength, 2.5, 200), "app5": (5e-4 / wavelength, 2, 200), "tvips": (None, None, 200),
        "dm3": (0.01, 2, None),
    }  # fmt: skip
    for name, (calibration, step, voltage) in expected.items():
        scan = open_raw_scan(WRITERS[name](tmp_path / name, square))
        found = scan.calibration_per_angstrom, scan.scan_step_nm, scan.beam_energy_kv
        assert found == tuple(
            value if value is None else pytest.approx(value, rel=1e-5) for value in (calibration, step, voltage)
        ), name


def test_what_is_given_goes_before_the_file(written):
    _, path = written
    scan = open_raw_scan(
        path, ReadingSpec(scan_shape=(2, 8), calibration_per_angstrom=0.5, scan_step_nm=7, beam_energy_kv=60)
    )
    assert scan.frames.shape[:2] == (2, 8)
    assert (scan.calibration_per_angstrom, scan.scan_step_nm, scan.beam_energy_kv) == (0.5, 7, 60)


@pytest.mark.parametrize("scan_shape", [(5, 4), (3, 4)])
def test_other_shape_than_the_frames_make_is_refused_or_told(written, scan_shape):
    _, path = written
    reading = ReadingSpec(scan_shape=scan_shape)
    if scan_shape == (5, 4):
        with pytest.raises(DifsimsError, match=r"needs 20 frames .*found 16.*candidates: 4 × 4"):
            open_raw_scan(path, reading)
    else:
        assert "4 of 16 frames come after the scan" in " ".join(open_raw_scan(path, reading).remarks)


def test_oblong_detectors_are_read(tmp_path, counts):
    for name, write in WRITERS.items():
        if name not in ("blo", "empad"):  # these are square
            frames = open_raw_scan(
                write(tmp_path / name, counts.astype(np.uint8)), ReadingSpec(scan_shape=(4, 3))
            ).frames
            np.testing.assert_array_equal(frames.compute(), counts.astype(np.uint8), name)


def test_split_stream_is_read_whole_and_its_rotator_tells_the_scan(tmp_path, square):
    padded = np.concatenate(
        [np.zeros((3, 1, 8, 8), np.uint8), square.reshape(16, 1, 8, 8), np.zeros((2, 1, 8, 8), np.uint8)]
    )
    path = tvips(tmp_path / "scan", padded, rotator=[0, 0, 0, *range(1, 17), 16, 16], parts=3)
    scan = open_raw_scan(path)
    np.testing.assert_array_equal(scan.frames.compute(), square)
    assert "counts to 16, 4²" in " ".join(scan.remarks)
    assert "The stream lies in 3 files." in scan.remarks
    with pytest.raises(DifsimsError, match=r"expected the first file of a stream, …_000\.tvips"):
        open_raw_scan(tmp_path / "scan_001.tvips")


def test_empad_is_known_by_its_name_alone(tmp_path, square):
    empad(tmp_path / "scan", square)
    raw = (tmp_path / "scan.raw").rename(tmp_path / "scan_x4_y4.raw")
    scan = open_raw_scan(raw)
    assert scan.file_format == "EMPAD"
    np.testing.assert_array_equal(scan.frames[:, :, :8, :8].compute(), square)


@pytest.mark.parametrize("order", ["scan_first", "detector_first"])
def test_units_tell_the_axes_of_digital_micrograph(tmp_path, counts, order):
    scan = open_raw_scan(dm3(tmp_path / "scan", counts, order))
    np.testing.assert_array_equal(scan.frames.compute(), counts)
    np.testing.assert_array_equal(scan.frames[2, 1:].compute(), counts[2, 1:])
    assert (scan.calibration_per_angstrom, scan.scan_step_nm) == (pytest.approx(0.01), 2)


@pytest.mark.parametrize(("stamp", "order"), [(b"DD\0\0", "<"), (b"\x11\x11\0\0", ">")])
def test_mrc_with_an_extended_header_in_either_byte_order(tmp_path, square, stamp, order):
    """As FEI writes it: 128 KiB between header and frames."""
    frames = (square.reshape(16, 8, 8) - np.int16(7)).astype(f"{order}i2")
    header = np.zeros(256, f"{order}i4")
    header[[0, 1, 2, 3, 23]] = 8, 8, 16, 1, 131_072
    head = bytearray(header.tobytes())
    head[208:216] = b"MAP " + stamp
    (tmp_path / "scan.mrc").write_bytes(bytes(head) + bytes(131_072) + frames.tobytes())
    scan = open_raw_scan(tmp_path / "scan.mrc")
    np.testing.assert_array_equal(scan.frames.compute(), square.astype(np.int16) - 7)
    assert scan.calibration_per_angstrom is None  # its scales are those of images


@pytest.mark.parametrize("key", ["Scan - Camera Frames Per Point", "Scan - Points Per Camera Frame"])
def test_several_frames_for_a_point_are_refused_by_name(tmp_path, square, key):
    with pytest.raises(DifsimsError, match=f"{key} is 2, expected 1"):
        open_raw_scan(mrc(tmp_path / "scan", square, {key: 2}))


@pytest.mark.parametrize("table", [None, "0,0\n1,0\n0,1\n", "text\n", "0,0\n0,0\n"])
def test_scan_with_gaps_is_refused_by_name(tmp_path, square, table):
    path = mrc(tmp_path / "scan", square, {"Scan - Type": "Random"})
    if table is not None:
        (tmp_path / "scan_scan_coordinates.csv").write_text(table)
    with pytest.raises(DifsimsError, match=r"scan_scan_coordinates\.csv"):
        open_raw_scan(path)


def test_zipped_zarr_is_refused_by_name(tmp_path):
    (tmp_path / "scan.zspy").write_bytes(b"PK\3\4")
    with pytest.raises(DifsimsError, match=r"scan\.zspy: is a file, expected the folder of a Zarr group"):
        open_raw_scan(tmp_path / "scan.zspy")


def test_text_beside_a_merlin_file_stands_for_it(tmp_path, square):
    path = mib(tmp_path / "scan", square)
    np.testing.assert_array_equal(open_raw_scan(path.with_suffix(".hdr")).frames.compute(), square)


BARE = {"detector_shape": (8, 8), "data_type": "uint16", "scan_shape": (4, 4)}


@pytest.mark.parametrize("order", ["<", ">"])
def test_bare_numbers_are_read_as_described(tmp_path, square, order):
    records = np.zeros(16, [("header", "V3"), ("frame", f"{order}u2", (8, 8)), ("footer", "V5")])
    records["frame"] = square.reshape(16, 8, 8)
    (tmp_path / "scan.raw").write_bytes(b"begin" + records.tobytes())
    described = BARE | {"header_bytes": 5, "frame_header_bytes": 3, "frame_footer_bytes": 5, "big_endian": order == ">"}
    np.testing.assert_array_equal(
        open_raw_scan(tmp_path / "scan.raw", ReadingSpec(**described)).frames.compute(), square
    )
    with pytest.raises(DifsimsError, match=r"holds 15 frames of 136 bytes and 128 bytes of another"):
        open_raw_scan(tmp_path / "scan.raw", ReadingSpec(**described | {"header_bytes": 13}))
    with pytest.raises(DifsimsError, match="give detector_shape, data_type and scan_shape"):
        open_raw_scan(tmp_path / "scan.raw")


def test_bare_numbers_pixel_by_pixel(tmp_path, square):
    np.ascontiguousarray(square.transpose(2, 3, 0, 1)).astype("<u2").tofile(tmp_path / "scan.raw")
    scan = open_raw_scan(tmp_path / "scan.raw", ReadingSpec(**BARE, stored_order="detector_first"))
    np.testing.assert_array_equal(scan.frames.compute(), square)
