"""A phase map with all that travels with it into the files of other programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.crystal.phases import Crystal, load_crystal
from difsims_core.errors import CrystalError
from difsims_core.messages import printable
from difsims_core.storage.npz.contracts import predicted_name
from difsims_core.version import __version__

if TYPE_CHECKING:
    from difsims_core.storage.npz.contracts import Prediction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class PhaseMap:
    """Which phase claims each pixel of a scan, what it is and where that comes from.

    Attributes
    ----------
    name : str
        Of the scan.
    labels : (ny, nx) int16
        Index into ``phases``; −1: no usable measurement.
    probabilities : (ny, nx, k) float32
        Of each phase.
    phases : tuple of str
        Class names.
    colours : (k, 3) uint8
        Of the phases, as in the figures of a map.
    unmeasured : (3,) uint8
        Colour of pixels without a usable measurement.
    colour_names : tuple of str
        The named colours of matplotlib nearest to them, for programs that take no others.
    crystals : tuple of Crystal or None
        Of the phases; None where there is none, as for the background.
    orientations : (ny, nx, 4) float64 or None
        Unit quaternions (w, x, y, z), crystal ← sample; None where they are not known.
    grains : (ny, nx) int32 or None
        Number of the grain of each pixel, −1 where it is in none; None where they were not looked for.
    scan_step_nm : float or None
        Distance of neighbouring pixels; None where it is not known.
    model : str
        Id of the model that made the map.
    datasets : tuple of str
        Ids of the datasets that it was trained on.
    created : str
        When it was made; empty where that is not known.
    """

    name: str
    labels: np.ndarray
    probabilities: np.ndarray
    phases: tuple[str, ...]
    colours: np.ndarray
    unmeasured: np.ndarray
    colour_names: tuple[str, ...]
    crystals: tuple[Crystal | None, ...]
    orientations: np.ndarray | None
    grains: np.ndarray | None
    scan_step_nm: float | None
    model: str
    datasets: tuple[str, ...]
    created: str

    @property
    def step(self) -> tuple[float, str]:
        """The distance of neighbouring pixels and its unit: nm, or px where it is not known."""
        return (1.0, "px") if self.scan_step_nm is None else (self.scan_step_nm, "nm")

    def describe(self) -> dict[str, Any]:
        """Return what every file says of the map, as plain values: text, numbers and lists of text."""
        crystals = ["" if crystal is None else crystal.file for crystal in self.crystals]
        known = {} if self.scan_step_nm is None else {"scan_step_nm": self.scan_step_nm}
        return {
            "title": self.name,
            "model": self.model,
            "datasets": list(self.datasets),
            "phases": list(self.phases),
            "crystal_files": crystals,
            "colours": [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in self.colours],
            "orientations": "unknown" if self.orientations is None else "quaternions (w, x, y, z), crystal from sample",
            "created": self.created,
            "software": f"difsims {__version__}",
            **known,
        }


def phase_map(prediction: Prediction, url: str | Path, crystals: Mapping[str, Crystal]) -> PhaseMap:
    """Return a prediction as a map in two dimensions: a line scan is one row, a stack one map below the other.

    Parameters
    ----------
    prediction, url
        The probabilities, and where they were read from.
    crystals
        Of the phases that have one, by class name.
    """
    from difsims_core.evaluate.classification import invalid_pixels
    from difsims_core.evaluate.figure_style import INVALID, as_map, named_colours, phase_colours

    navigation, k = prediction.pred.shape[:-1], len(prediction.phases)
    labels = np.where(invalid_pixels(prediction), -1, prediction.pred.argmax(axis=-1)).astype(np.int16)
    orientations, grains = prediction.orientation, prediction.grain
    return PhaseMap(
        name=printable(predicted_name(url)),
        labels=as_map(labels, navigation),
        probabilities=as_map(prediction.pred, navigation),
        phases=prediction.phases,
        colours=np.rint(255 * phase_colours(k)).astype(np.uint8),
        unmeasured=np.frombuffer(bytes.fromhex(INVALID[1:]), np.uint8),
        colour_names=named_colours(k),
        crystals=tuple(crystals.get(name) for name in prediction.phases),
        orientations=None if orientations is None else as_map(orientations, navigation),
        grains=None if grains is None else as_map(grains, navigation),
        scan_step_nm=prediction.scan_step_nm,
        model=printable(prediction.cnn_id),
        datasets=tuple(map(printable, prediction.sim_ids)),
        created=printable(prediction.created),
    )


def crystals_of_classes(
    prediction: Prediction, files: Mapping[str, str | None], folder: str | None
) -> dict[str, Crystal]:
    """Return the crystals of the classes of a prediction that have one; why another has none is logged.

    Parameters
    ----------
    prediction
        Names the classes.
    files
        Crystal files by class name (`crystals_of`); None: it is gone.
    folder
        Where others are looked for by name, besides the crystals that come along.
    """
    from difsims_core.evaluate.experiment_scores import BACKGROUND
    from difsims_core.evaluate.peak_positions import crystal_of_class

    found: dict[str, Crystal] = {}
    for name in prediction.phases:
        if name == BACKGROUND:
            continue
        if (file := files.get(name, "")) is None:
            _log.warning("class %s has no crystal structure in the exported map: its crystal file is gone", name)
            continue
        try:
            found[name] = load_crystal(name, crystal_of_class(name, file or None, folder))
        except CrystalError as error:
            _log.warning("class %s has no crystal structure in the exported map: %s", name, error)
    return found
