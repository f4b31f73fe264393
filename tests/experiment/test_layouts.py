"""Which frames are the scan, how it is known, and what is said where it is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.layouts import arrange
from difsims_core.experiment.stored.recording import Recording, ScanLayout
from tests.experiment.test_frames import Large


def recording(n_frames: int, layout: ScanLayout | None = None) -> Recording:
    return Recording(Large(n_frames, (8, 8), "u2"), "test", layout)


def shown(layout: ScanLayout) -> tuple[int, int, int, int]:
    return layout.ny, layout.nx, layout.first, layout.extra


@pytest.mark.parametrize(
    ("n_frames", "given", "expected", "remark"),
    [
        (12, {"scan_shape": [3, 4]}, (3, 4, 0, 0), "given"),
        (13, {"scan_shape": [3, 4]}, (3, 4, 0, 0), "1 of 13 frames come after the scan"),
        (15, {"scan_shape": [3, 4], "extra_frames_per_row": 1}, (3, 4, 0, 1), "1 frames more a row"),
        (14, {"scan_shape": [3, 4], "extra_frames_per_row": 1}, (3, 4, 0, 1), "1 frames more a row"),  # none at the end
        (14, {"scan_shape": [3, 4], "first_frame": 2}, (3, 4, 2, 0), "2 frames come before"),
        (9, {}, (3, 3, 0, 0), "inferred, as the file does not say: 9 frames are 3²"),
        (11, {"first_frame": 2}, (3, 3, 2, 0), "9 frames are 3²"),
        (1, {}, (1, 1, 0, 0), "1 frames are 1²"),
    ],
)
def test_given_or_square(n_frames, given, expected, remark):
    layout, remarks = arrange(recording(n_frames), ReadingSpec(**given))
    assert shown(layout) == expected
    assert remark in " ".join(remarks)


def test_file_says_it_and_its_reason_is_told():
    layout, remarks = arrange(recording(8, ScanLayout(2, 4, reason="scan.hdr says so")), ReadingSpec())
    assert shown(layout) == (2, 4, 0, 0)
    assert remarks == ("The scan has 2 × 4 positions: scan.hdr says so.",)


def test_what_is_given_goes_before_what_the_file_says():
    layout, _ = arrange(recording(8, ScanLayout(2, 4)), ReadingSpec(scan_shape=(4, 2)))
    assert shown(layout) == (4, 2, 0, 0)


@pytest.mark.parametrize(
    ("n_frames", "candidates"),
    [
        (256 * 257, ["256 × 256 with extra_frames_per_row 1", "256 × 257", "257 × 256"]),
        (256 * 257 - 1, ["256 × 256 with extra_frames_per_row 1"]),
        (12, ["3 × 3 with extra_frames_per_row 1", "3 × 4", "4 × 3", "2 × 6"]),
        (65537, ["none is near a square; 256 × 256 would leave 1 frames"]),
    ],
)
def test_ambiguous_count_lists_the_candidates(n_frames, candidates):
    with pytest.raises(ExperimentError, match="is no square; give scan_shape") as caught:
        arrange(recording(n_frames), ReadingSpec())
    assert all(candidate in str(caught.value) for candidate in candidates)


@pytest.mark.parametrize("given", [{"scan_shape": [3, 4]}, {"scan_shape": [2, 4], "first_frame": 4}])
def test_interrupted_recording_is_refused(given):
    with pytest.raises(ExperimentError, match=r"needs 12 frames .*, found 11"):
        arrange(recording(11), ReadingSpec(**given))


def test_extra_frames_need_the_shape_that_remains():
    with pytest.raises(ValidationError, match="extra_frames_per_row needs scan_shape"):
        ReadingSpec(extra_frames_per_row=1)


@pytest.mark.parametrize("first", [12, 16])
def test_a_first_frame_beyond_the_end_is_what_the_error_is_about(first):
    with pytest.raises(ExperimentError, match=rf"first_frame is {first}, but the file holds 12 frames"):
        arrange(recording(12), ReadingSpec(first_frame=first))
