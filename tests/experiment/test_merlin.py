"""Merlin's counters: raw words are unpacked bit by bit as the manual has them; rows of a scan show in the headers."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.open_scan import open_raw_scan
from tests.experiment.formats import merlin_header


def pack(line: np.ndarray, bits: int) -> bytes:
    """Oracle: 64-bit words, the pixel with the smallest column in the least significant bits, big-endian."""
    per_word, data = 64 // bits, b""
    for start in range(0, len(line), per_word):
        word = sum(int(value) << (bits * place) for place, value in enumerate(line[start : start + per_word]))
        data += word.to_bytes(8, "big")
    return data


def raw_frame(pattern: np.ndarray, depth: int, chips: int) -> bytes:
    """Oracle: a pattern, first row at the top of the square, as the chips send it."""
    if depth == 24:
        return raw_frame(pattern >> 12, 12, chips) + raw_frame(pattern & 0xFFF, 12, chips)
    if chips == 4:
        half_r, half_c = pattern.shape[0] // 2, pattern.shape[1] // 2
        first, second = pattern[:half_r, :half_c], pattern[:half_r, half_c:]
        third, fourth = (part[::-1, ::-1] for part in (pattern[half_r:, :half_c], pattern[half_r:, half_c:]))
        pattern = np.concatenate([fourth, third, second, first], axis=1)
    return b"".join(pack(line, {1: 1, 6: 8, 12: 16}[depth]) for line in pattern)


@pytest.mark.parametrize("depth", [1, 6, 12, 24])
@pytest.mark.parametrize(("chips", "rows"), [(1, 256), (1, 64), (4, 256), (4, 16)])
def test_raw_frames(tmp_path, depth, chips, rows):
    edge = 2 if chips == 4 else 1
    frames = np.random.default_rng(depth).integers(0, 2**depth, (2, edge * rows, edge * 256))
    columns = 256 * chips * (2 if depth == 24 and chips == 1 else 1)  # what the header of such files says
    with (tmp_path / "scan.mib").open("wb") as file:
        for number, frame in enumerate(frames, 1):
            file.write(merlin_header(number, chips, (rows, columns), "R64", f"{edge}x{edge}", depth))
            file.write(raw_frame(frame, depth, chips))
    scan = open_raw_scan(tmp_path / "scan.mib", ReadingSpec(scan_shape=(1, 2)))
    assert scan.frames.dtype == {1: "u1", 6: "u1", 12: "u2", 24: "u4"}[depth]
    np.testing.assert_array_equal(scan.frames.compute()[0], frames[:, ::-1])


@pytest.mark.parametrize(
    ("kind", "chips", "arrangement", "depth"),
    [("R64", 4, "Nx1", 12), ("R64", 2, "2x2", 12), ("R64", 1, "1x1", 7), ("U64", 1, "1x1", 12)],
)
def test_what_is_not_read_is_refused_by_name(tmp_path, kind, chips, arrangement, depth):
    header = merlin_header(1, chips, (256, 256), kind, arrangement, depth)
    (tmp_path / "scan.mib").write_bytes(header + bytes(2**18))
    with pytest.raises(ExperimentError, match=r"scan\.mib: (raw frames of|holds numbers of the type)"):
        open_raw_scan(tmp_path / "scan.mib")


def stack(path, n_frames, times=None, exposures=None):
    """Frames of 4 × 4 pixels whose headers tell of times (s) and exposures (s); each frame holds its number."""
    times = np.arange(n_frames) * 0.1 if times is None else times
    exposures = [0.001] * n_frames if exposures is None else exposures
    with path.open("wb") as file:
        for number in range(n_frames):
            time = str(np.datetime64("2024-01-01T00:00:00") + np.timedelta64(round(times[number] * 1e6), "us")).replace(
                "T", " "
            )
            file.write(merlin_header(number + 1, 1, (4, 4), "U16", "1x1", 12, time, exposures[number]))
            file.write(np.full((4, 4), number, ">u2").tobytes())
    return path


def numbers(scan):
    return scan.frames[:, :, 0, 0].compute()


def test_rows_begin_after_longer_waits(tmp_path):
    times = np.cumsum([0.001 + (0.004 if number % 5 == 0 else 0) for number in range(30)])
    scan = open_raw_scan(stack(tmp_path / "scan.mib", 30, times=times))
    np.testing.assert_array_equal(numbers(scan), np.arange(30).reshape(6, 5))
    assert "after 5 there is a longer wait" in " ".join(scan.remarks)


@pytest.mark.parametrize("first", [0, 5])
def test_frames_of_the_flyback_are_left_out(tmp_path, first):
    exposures = [0.01 if number % 6 == first else 0.001 for number in range(24)]
    scan = open_raw_scan(stack(tmp_path / "scan.mib", 24, exposures=exposures))
    expected = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(numbers(scan), expected[:, 1:] if first == 0 else expected[:, :-1])
    assert "that of the flyback, which is left out" in " ".join(scan.remarks)


def test_waits_without_a_rhythm_tell_nothing(tmp_path):
    times = np.cumsum([0.001 + (0.004 if number in (3, 11) else 0) for number in range(12)])
    with pytest.raises(ExperimentError, match="12 frames and does not say how they make a scan"):
        open_raw_scan(stack(tmp_path / "scan.mib", 12, times=times))


def test_text_beside_it_goes_before_the_rhythm(tmp_path):
    path = stack(tmp_path / "scan.mib", 12)
    path.with_suffix(".hdr").write_text("HDR,\t\nScanX:\t4\nScanY:\t3\nEnd\t")
    scan = open_raw_scan(path)
    assert scan.frames.shape[:2] == (3, 4)
    assert "scan.hdr says so" in " ".join(scan.remarks)


@pytest.mark.parametrize("name", ["Single", "Quad"])
def test_raw_and_processed_frames_of_a_real_detector_agree(real, tmp_path, name):
    """Both of the same still scene: pixel by pixel their means agree, which another order of pixels would break."""
    with zipfile.ZipFile(real("Merlin_Single_Quad.zip")) as packed:
        packed.extractall(tmp_path)
    means = [
        open_raw_scan(tmp_path / f"{name}_9_Frame_CounterDepth_1_Rows_256{kind}.mib").frames.mean(axis=(0, 1)).compute()
        for kind in ("RAW", "")
    ]
    assert means[0].shape == ((256, 256) if name == "Single" else (512, 512))
    assert np.corrcoef(means[0].ravel(), means[1].ravel())[0, 1] > 0.999
