"""Axes that a file describes, and what they say of a scan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from difsims_core.config.raw_scans.reading import ReadingSpec, StoredOrder
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.calibration import kind_of
from difsims_core.experiment.stored.recording import Measure

_SQUARE = 0.01  # by which width and height of a pixel may differ


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a stored array.

    Attributes
    ----------
    scale : float
        Distance of neighbouring points.
    unit : str
        Its unit, as the file spells it.
    of_scan : bool or None
        Whether it runs over scan positions; None where the file does not say.
    """

    scale: float = 1.0
    unit: str = ""
    of_scan: bool | None = None


def stored_order(axes: Sequence[Axis], reading: ReadingSpec) -> StoredOrder:
    """Return which axes come first, as given, or by what the file says of them, else by their units.

    Raises
    ------
    ExperimentError
        If those of scan and detector alternate.
    """
    if reading.stored_order is not None:
        return reading.stored_order
    flags = [axis.of_scan for axis in axes]
    if None in flags or len(set(flags)) == 1:  # nothing is said: all axes are described alike
        kinds = [kind_of(axis.unit) for axis in axes]
        return "detector_first" if kinds == ["scattering", "scattering", "length", "length"] else "scan_first"
    if flags in ([True, True, False, False], [True, False, False]):
        return "scan_first"
    if flags in ([False, False, True, True], [False, False, True]):
        return "detector_first"
    found = ", ".join("scan" if flag else "detector" for flag in flags)
    raise ExperimentError(
        f"expected two axes of the scan and two of the detector, one pair after the other, found {found}",
        "store it again with the axes y, x, ky, kx, or give stored_order if the file is wrong",
    )


def scan_and_detector(
    axes: Sequence[Axis], order: StoredOrder
) -> tuple[Measure | None, Measure | None, Measure | None]:
    """Return scan step, distance of rows where that is another (`Recording`), and width of a detector pixel.

    Raises
    ------
    ExperimentError
        If pixels are not square.
    """
    scan, detector = (axes[:-2], axes[-2:]) if order == "scan_first" else (axes[2:], axes[:2])
    return *_steps(scan), _square(detector)


def _steps(axes: Sequence[Axis]) -> tuple[Measure | None, Measure | None]:
    """Return the step within a row, and that of rows where it is another."""
    found = [measure for axis in axes if (measure := _measure(axis)) is not None]
    if not found or len(found) < len(axes):
        return None, None
    return found[-1], None if _alike(found) else found[0]


def _square(axes: Sequence[Axis]) -> Measure | None:
    found = [measure for axis in axes if (measure := _measure(axis)) is not None]
    if len(found) == 2 and not _alike(found):
        raise ExperimentError(
            f"detector pixels are {found[0].value:g} {found[0].unit} high and {found[1].value:g} {found[1].unit} "
            "wide, expected square ones",
            "bin or crop them to squares, or correct the axes in the file",
        )
    return found[-1] if found else None


def _alike(measures: Sequence[Measure]) -> bool:
    return all(
        measure.unit == measures[0].unit and abs(measure.value - measures[0].value) <= _SQUARE * abs(measures[0].value)
        for measure in measures
    )


def _measure(axis: Axis) -> Measure | None:
    scale = abs(axis.scale)
    return Measure(scale, axis.unit) if math.isfinite(scale) and scale > 0 else None
