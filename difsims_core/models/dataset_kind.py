"""What tells datasets apart that may be trained on together from those that may not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.config.learning import TrainingDocument
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import input_of
from difsims_core.learn.data.training_data import MAKES, SAME_AXIS_PER_ANGSTROM
from difsims_core.signal.grid import AZIMUTH_DEG, RadialGrid
from difsims_core.signal.polar_grid import PolarGrid
from difsims_core.signal.resample import q_crop_axis
from difsims_core.simulation.inputs import with_absolute_paths

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation
    from difsims_core.learn.classifiers.base import ClassifierInput


@dataclass(frozen=True, eq=False)
class Kind:
    """What datasets must share to be trained on together.

    Attributes
    ----------
    phases : tuple of str
        Classes, sorted.
    shape : tuple of int
        Of one pattern: (nq,) or (nq, n_azimuths).
    q_axis : (nq,) float64
        Å⁻¹.
    sqrt : bool
        Whether the profiles are square roots.
    """

    phases: tuple[str, ...]
    shape: tuple[int, ...]
    q_axis: np.ndarray
    sqrt: bool

    def __str__(self) -> str:
        root = "square roots of " if self.sqrt else ""
        span = f"{len(self.q_axis)} points {self.q_axis[0]:.4f} … {self.q_axis[-1]:.4f} Å⁻¹"
        return f"{root}profiles of {', '.join(self.phases)} on {span}"

    def fits(self, other: Kind) -> bool:
        """Return whether the two are the same."""
        return ((self.phases, self.sqrt, self.shape) == (other.phases, other.sqrt, other.shape)) and np.allclose(
            self.q_axis, other.q_axis, rtol=0, atol=SAME_AXIS_PER_ANGSTROM
        )


def kind_of(simulation: Simulation, wanted: ClassifierInput) -> Kind:
    """Return what a dataset must share with others."""
    sqrt = bool(simulation.attrs["parameters"]["postprocessing"]["sqrt"])
    axis = np.asarray(simulation[wanted.q_axis][:], np.float64)
    return Kind(tuple(sorted(simulation.phases)), tuple(simulation[wanted.array].shape[1:]), axis, sqrt)


def kind_to_come(spec: SimulationSpec, wanted: ClassifierInput) -> Kind | None:
    """Return what `kind_of` will say of the dataset of a document; None if it will not have the patterns wanted."""
    grid, output, crop = RadialGrid(), spec.output, spec.postprocessing.q_crop
    q_px, whole = grid.q[grid.crop], AZIMUTH_DEG.shape
    patterns: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {"1d/x_px": (q_px, ())}
    if crop is not None:
        patterns["1d/x_q"] = q_crop_axis(crop), ()
    if output.x_all:
        patterns["1d/x_all"] = grid.q, ()
    if output.polar_px:
        patterns["2d/x_px"] = q_px, whole
    if output.polar_all:
        patterns["2d/x_all"] = grid.q, whole
    if output.polar is not None:
        reduced = PolarGrid.over_crop(output.polar.annuli_per_radius, output.polar.n_azimuths)
        patterns["polar/x"] = reduced.q, (reduced.n_azimuths,)
    if wanted.array not in patterns:
        return None
    axis, azimuths = patterns[wanted.array]
    return Kind(tuple(sorted(spec.class_names)), (len(axis), *azimuths), axis, spec.postprocessing.sqrt)


def require_patterns(spec: SimulationSpec, training: TrainingDocument) -> None:
    """Refuse a document whose dataset will not have what a classifier is trained on.

    Raises
    ------
    InputError
        With the key that makes it.
    """
    wanted = input_of(training)
    if kind_to_come(spec, wanted) is None:
        raise InputError(
            f"{training.label} is trained on {wanted}, {wanted.array}, which the simulation does not make",
            f"give it {MAKES.get(wanted.array, 'an output that keeps it')}, or take another classifier",
        )


def document_of(source: Simulation | SimulationSpec) -> str:
    """Return the document of a dataset, or of one to come, as text to compare."""
    plain = (
        with_absolute_paths(source).to_document() if isinstance(source, SimulationSpec) else source.attrs["parameters"]
    )
    return json.dumps(plain, sort_keys=True)
