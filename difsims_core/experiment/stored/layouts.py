"""Which frames of a file are the scan: given, said by the file, or inferred from their number."""

from __future__ import annotations

import math
from dataclasses import replace

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.recording import Recording, ScanLayout

_MOST_CANDIDATES = 8
_MOST_EXTRA = 4  # frames of a flyback that are worth a guess
_LONGEST_ASPECT = 8


def arrange(recording: Recording, reading: ReadingSpec) -> tuple[ScanLayout, tuple[str, ...]]:
    """Return the layout of a scan, and remarks on how it is known.

    Raises
    ------
    ExperimentError
        If there are too few frames for it, or their number alone leaves a choice; the message lists the candidates.
    """
    n_frames = recording.frames.n_frames
    if reading.first_frame >= n_frames:
        raise ExperimentError(
            f"first_frame is {reading.first_frame}, but the file holds {n_frames} frames, numbered from 0",
            "give the number of frames before the scan begins",
        )
    if reading.scan_shape is not None:
        layout = ScanLayout(
            *reading.scan_shape, reading.first_frame, reading.extra_frames_per_row, "given as scan_shape"
        )
    elif recording.layout is not None:
        layout = replace(recording.layout, first=recording.layout.first + reading.first_frame)
    else:
        layout = _square(n_frames, reading.first_frame)
    if layout.n_frames > n_frames:
        raise ExperimentError(
            f"a scan of {_shown(layout)} needs {layout.n_frames} frames ({layout.reason or 'the shape of the array'}), "
            f"found {n_frames}: the recording was interrupted, or its shape is another",
            f"give scan_shape; candidates: {_candidates(n_frames - reading.first_frame)}",
        )
    remarks = [f"The scan has {_shown(layout)}: {layout.reason}."] if layout.reason else []
    rest = n_frames - layout.n_frames - layout.extra
    if rest > 0:
        remarks.append(f"{rest} of {n_frames} frames come after the scan and are left out.")
    if layout.first:
        remarks.append(f"{layout.first} frames come before the scan and are left out.")
    return layout, tuple(remarks)


def _square(n_frames: int, first: int) -> ScanLayout:
    count = n_frames - first
    edge = math.isqrt(max(count, 0))
    if count < 1 or edge * edge != count:
        raise ExperimentError(
            f"the file holds {count} frames and does not say how they make a scan, and {count} is no square",
            f"give scan_shape (rows, columns); candidates: {_candidates(count)}",
        )
    return ScanLayout(edge, edge, first, reason=f"inferred, as the file does not say: {count} frames are {edge}²")


def _candidates(count: int) -> str:
    """Return the shapes that so many frames can have, square ones with a flyback first, then the least oblong."""
    edge = math.isqrt(max(count, 1))
    found = [f"{edge} × {edge}"] if edge * edge == count else []
    for extra in range(1, _MOST_EXTRA + 1):
        found += [
            f"{side} × {side} with extra_frames_per_row {extra}"
            for side in range(max(edge - extra, 1), edge + 1)
            if count in (side * (side + extra), side * (side + extra) - extra)
        ]
    for rows in range(edge, 0, -1):
        if count % rows == 0 and rows * rows != count and count // rows <= _LONGEST_ASPECT * rows:
            found += [f"{rows} × {count // rows}", f"{count // rows} × {rows}"]
    if len(found) > _MOST_CANDIDATES:
        found = [*found[:_MOST_CANDIDATES], "…"]
    return ", ".join(found) or f"none is near a square; {edge} × {edge} would leave {count - edge * edge} frames"


def _shown(layout: ScanLayout) -> str:
    extra = f" and {layout.extra} frames more a row" if layout.extra else ""
    return f"{layout.ny} × {layout.nx} positions{extra}"
