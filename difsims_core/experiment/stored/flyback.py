"""Where rows of a scan end, by what the detector says of each frame: exposures and times."""

from __future__ import annotations

import numpy as np

from difsims_core.experiment.stored.recording import ScanLayout

_LONG_EXPOSURE = 1.5  # of the median; a detector that waits for the next trigger counts through the flyback
_LONG_WAIT = 1e-5  # of the median; clocks of detectors tell microseconds
_SPREADS = 5


def layout_by_exposures(exposures: np.ndarray) -> ScanLayout | None:
    """Return the scan between frames of the flyback, which were exposed much longer; None without such, or a rhythm.

    Parameters
    ----------
    exposures
        (n,) in any unit.
    """
    long = np.flatnonzero(exposures > _LONG_EXPOSURE * np.median(exposures))
    if len(long) < 2:
        return None
    first, period = int(long[0]), int(long[1] - long[0])
    if period < 2 or first > period or not np.array_equal(long, np.arange(first, len(exposures), period)):
        return None
    begin = first + 1 if first < period - 1 else 0
    rows = (len(exposures) - begin + 1) // period
    reason = f"each {period}th frame was exposed longer, that of the flyback, which is left out"
    return ScanLayout(rows, period - 1, begin, 1, reason) if rows else None


def layout_by_times(times: np.ndarray) -> ScanLayout | None:
    """Return the scan whose rows begin after longer waits; None without such, or a rhythm.

    Parameters
    ----------
    times
        (n,) when each frame was taken, in any unit.
    """
    waits = np.diff(times)
    if len(waits) < 2:
        return None
    usual = np.median(waits)
    spread = _SPREADS * np.median(np.abs(waits - usual))
    begins = np.flatnonzero(waits > usual + max(spread, _LONG_WAIT * usual)) + 1
    if not len(begins):
        return None
    width = int(begins[0])
    if width < 2 or len(times) % width or not np.array_equal(begins, np.arange(width, len(times), width)):
        return None
    return ScanLayout(
        len(times) // width, width, reason=f"inferred from the time of each frame, after {width} there is a longer wait"
    )
