"""What HyperSpy writes beside the numbers of a signal, alike in HDF5 and Zarr: axes and microscope."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.experiment.stored.arrays import ArrayFrames
from difsims_core.experiment.stored.axes import Axis, scan_and_detector, stored_order
from difsims_core.experiment.stored.recording import Recording
from difsims_core.experiment.stored.values import number, text, truth

EXPERIMENTS = "Experiments"
_MICROSCOPE = ("metadata/Acquisition_instrument/TEM", "metadata/Acquisition_instrument/SEM")
_MM_PER_CM = 10  # HyperSpy's camera lengths are in cm

Attributes = Callable[[str], Mapping[str, object]]
"""The attributes of a group below that of a signal; none where it is missing."""


def axes_of(attributes: Attributes, n_axes: int) -> list[Axis]:
    """Return the axes of a signal in the order of the stored array."""
    found = [attributes(f"axis-{index}") for index in range(n_axes)]
    return [
        Axis(number(axis.get("scale")) or 0.0, text(axis.get("units")), truth(axis.get("navigate"))) for axis in found
    ]


def recording_of(
    attributes: Attributes, n_axes: int, frames_in: Callable[..., ArrayFrames], reading: ReadingSpec, file_format: str
) -> Recording:
    """Return a signal as a recording; ``frames_in`` takes which axes come first."""
    axes = axes_of(attributes, n_axes)
    order = stored_order(axes, reading)
    frames = frames_in(order)
    step, row_step, pixel = scan_and_detector(axes, order)
    microscope = {key: value for group in reversed(_MICROSCOPE) for key, value in attributes(group).items()}
    camera_length_cm = number(microscope.get("camera_length"))
    return Recording(
        frames=frames,
        file_format=file_format,
        layout=frames.layout,
        detector_pixel=pixel,
        scan_step=step,
        row_step=row_step,
        beam_energy_kv=number(microscope.get("beam_energy")),
        camera_length_mm=camera_length_cm * _MM_PER_CM if camera_length_cm else None,
        magnification=number(microscope.get("magnification")),
    )
