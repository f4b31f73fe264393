"""What npz files hold, as values: measured profiles, predictions, truth maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.storage.npz.pattern_flags import UNUSABLE


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Measured profiles of an experiment.

    Attributes
    ----------
    name : str
        Of the experiment (`experiment_name`).
    x : (nq,) float64
        q axis, Å⁻¹, increasing.
    y : (…, nq) float32, or float64 where float32 would lose what the file says
        Profiles; the shape before the last axis is that of the scan: (ny, nx), (n,) or ().
    sha256 : str
        Of the bytes of the file.
    scan_step_nm : float or None
        Distance of neighbouring scan positions, nm; None where the file does not say.
    flags : (…) uint8 or None
        Bits of each pattern (`pattern_flags`); None where the file does not say.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    sha256: str
    scan_step_nm: float | None = None
    flags: np.ndarray | None = None

    @property
    def unusable(self) -> np.ndarray:
        """Pixels (…) bool that flags leave nothing to classify in."""
        return np.zeros(self.y.shape[:-1], bool) if self.flags is None else self.flags & UNUSABLE != 0


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Class probabilities of every pixel of an experiment.

    Attributes
    ----------
    pred : (…, n_phases) float32
        Probabilities, in the shape of the scan.
    phases : tuple of str
        Class names, in the order of the last axis.
    cnn_id : str
        The model.
    x : (nq,) float64 or None
        q axis that the model saw, or that of the scan's profiles where it saw polar patterns; None in historical files,
        as for everything that follows.
    sim_ids : tuple of str
        Datasets that the model was trained on.
    experiment, experiment_sha256 : str
        URL and checksum of the file of profiles.
    created : str
        ISO date and time.
    invalid : (…) bool or None
        Pixels that could not be classified and have a uniform probability.
    scan_q : (n,) float64 or None
        q axis of the scan, Å⁻¹, as it was understood when it was predicted: its ``x`` may be in another unit.
    scan_step_nm : float or None
        Distance of neighbouring scan positions, nm; None where nobody said.
    orientation : (…, 4) float64 or None
        Unit quaternions (w, x, y, z), crystal ← sample; NaN where a pixel has none, None where they are not known.
    confidence : (…) float32 or None
        Probability that the most probable phase is the right one: the highest of ``pred``, less where a polar pattern
        resembles no neighbour's; NaN where a pixel could not be classified.
    fractions : (…, n_phases) float32 or None
        Parts of the diffracting volume, 1 together; NaN where they are not known.
    reliability : (…) float32 or None
        1 − (score of the best other phase / best score) of template matching.
    disagreement : (…) float32 or None
        How far the members of an ensemble are apart, 0 … 1.
    grain : (…) int32 or None
        Which pixels show one pattern: 0, 1, …, and −1 where a pixel belongs to no grain.
    grain_pred : (…, n_phases) float32 or None
        Probabilities of the grain of each pixel, of the pixel alone where it belongs to none; beside ``grain``.
    sha256 : str
        Of the bytes of the file; empty when it was not read.
    """

    pred: np.ndarray
    phases: tuple[str, ...]
    cnn_id: str
    x: np.ndarray | None = None
    sim_ids: tuple[str, ...] = ()
    experiment: str = ""
    created: str = ""
    experiment_sha256: str = ""
    invalid: np.ndarray | None = None
    scan_q: np.ndarray | None = None
    scan_step_nm: float | None = None
    orientation: np.ndarray | None = None
    confidence: np.ndarray | None = None
    fractions: np.ndarray | None = None
    reliability: np.ndarray | None = None
    disagreement: np.ndarray | None = None
    grain: np.ndarray | None = None
    grain_pred: np.ndarray | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A map of known phases, for scoring.

    Attributes
    ----------
    label : (…) int64
        Index into ``phases``; −1: none of them (amorphous).
    phases : tuple of str
        Names.
    boundary : (…) bool or None
        Pixels where grains overlap.
    url : str
        Where it was read from; empty when it was not.
    sha256 : str
        Of the bytes of the file; empty when it was not read.
    """

    label: np.ndarray
    phases: tuple[str, ...]
    boundary: np.ndarray | None = None
    url: str = ""
    sha256: str = ""
