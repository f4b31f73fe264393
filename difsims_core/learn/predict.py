"""Phase probabilities of measured patterns, in any navigation shape, and of experiment files."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import ExperimentError, MissingObjectError
from difsims_core.learn.classify import check_patterns, classify
from difsims_core.learn.measured_axis import axis_for, require_same_energy
from difsims_core.learn.measured_scan import MeasuredScan, open_scan, runs_of
from difsims_core.learn.scan.confidence import confidence
from difsims_core.moments import now_text
from difsims_core.signal.resample import check_axis, same_axis
from difsims_core.storage import layout
from difsims_core.storage.names import as_written, same_place
from difsims_core.storage.npz.contracts import Prediction, read_prediction, write_prediction
from difsims_core.storage.objects import ObjectStore
from difsims_core.unit_names import QUnit

if TYPE_CHECKING:
    from difsims_core.learn.bundle import ModelBundle

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """What became of one experiment.

    Attributes
    ----------
    model : str
        Id of the model.
    url : str
        Of the prediction.
    name : str
        Of the experiment.
    reused : bool
        Whether this model had predicted the same file already.
    n_invalid, n_patterns : int
        Pixels that hold nothing to classify or are flagged as unusable, and all of them.
    """

    model: str
    url: str
    name: str
    reused: bool
    n_invalid: int
    n_patterns: int


def predict_profiles(
    bundle: ModelBundle,
    y: np.ndarray,
    x: np.ndarray,
    q_unit: QUnit | None = None,
    *,
    beam_energy_kv: float | None = None,
) -> np.ndarray:
    """Return the probability of each phase for each profile.

    Parameters
    ----------
    bundle
        The trained classifier.
    y
        (…, nq) measured profiles; any navigation shape, ``()`` for a single profile included.
    x
        (nq,) their q axis. One that differs from the model's is resampled when it covers it with at least half a
        sample for each of its samples.
    q_unit
        Unit of ``x``: ``1/angstrom`` (q = 1/d), ``1/nm``, ``2pi/angstrom``, ``2pi/nm`` or ``mrad``. None: not stated;
        Å⁻¹ is expected, and an axis that looks like another unit is refused.
    beam_energy_kv
        Of the scan, kV, by which ``mrad`` become Å⁻¹; None: that of the simulations behind the model.

    Returns
    -------
    (…, n_phases) float32, each summing to 1; uniform where a profile is constant or not finite.

    Raises
    ------
    ExperimentError
        If the shapes do not fit, or the axis does not fit the model's, with the unit that it looks like.
    InputError
        If there is no such unit, or the beam energy is needed and not known.

    Examples
    --------
    >>> import numpy as np
    >>> from difsims_core import load_bundle, predict_profiles
    >>> bundle = load_bundle(model)  # an id, such as ``difsims train`` prints
    >>> with np.load("deployments/samples/roi_1_radial_crop.npz") as scan:
    ...     probabilities = predict_profiles(bundle, scan["y"][:2, :3], scan["x"])
    >>> probabilities.shape, bool(np.allclose(probabilities.sum(axis=-1), 1))
    ((2, 3, 2), True)
    """
    y, x = np.asarray(y), np.asarray(x, np.float64)
    check_patterns(bundle, y)
    check_axis(np.moveaxis(y, -bundle.input.n_dim, -1), x)
    q, n_dim = axis_for(bundle, x, q_unit, beam_energy_kv), bundle.input.n_dim
    shape = y.shape[:-n_dim]
    found = classify(bundle, runs_of(y, n_dim), shape, q, np.zeros(shape, bool))
    if found.invalid.any():
        n_invalid, n_patterns = found.invalid.sum(), found.invalid.size
        logger.warning("%d of %d patterns are constant or not finite: uniform there", n_invalid, n_patterns)
    return found.answer.probabilities


def predict_experiment(
    store: ObjectStore,
    bundle: ModelBundle,
    url: str | Path,
    q_unit: QUnit | None = None,
    *,
    beam_energy_kv: float | None = None,
) -> PredictionResult:
    """Classify an experiment file and store the prediction under the model's id.

    A file that this model has predicted already, byte for byte and on the same axis, is left alone; one that changed,
    or whose ``x`` is now read in another unit, is predicted again. ``q_unit`` and ``beam_energy_kv`` are those of
    `predict_profiles`.

    Raises
    ------
    ExperimentError
        If the file is not there or breaks its contract, or its q axis does not fit the model's.
    InputError
        If there is no such unit, or the beam energy is needed and not known.
    """
    experiment = open_scan(url, bundle.input, q_unit)
    require_same_energy(bundle, url, experiment.beam_energy_kv)
    try:
        q = axis_for(bundle, experiment.x, q_unit, beam_energy_kv)
    except ExperimentError as error:
        raise ExperimentError(f"{url}: {error.problem}", error.remedy) from None
    of_profiles = bundle.input.kind == "profile"
    scan_q = q if of_profiles else experiment.profile_x  # who scores a map reads the profiles
    key = layout.prediction(bundle.id, experiment.name)
    before = _read_before(store, bundle, key)
    n_patterns = experiment.n_patterns
    moved = before is not None and not same_place(before.experiment, url)
    same = before is not None and before.experiment_sha256 == experiment.sha256
    if before is not None and same and _read_alike(before, experiment, scan_q):
        if moved:  # evaluation finds the scan by this
            write_prediction(store.url(key), replace(before, experiment=as_written(url)))
        n_invalid = 0 if before.invalid is None else int(before.invalid.sum())
        return PredictionResult(bundle.id, store.url(key), experiment.name, True, n_invalid, n_patterns)
    if before is not None and moved and not same:
        raise ExperimentError(
            f"{url}: this model has predicted another scan of this name, {before.experiment}",
            f"rename one of them, or delete {store.url(key)}",
        )
    grains = 1 <= len(experiment.shape) <= 2
    found = classify(bundle, experiment.runs(), experiment.shape, q, experiment.unusable, grains=grains)
    answer, invalid = found.answer, found.invalid
    prediction = Prediction(
        answer.probabilities,
        bundle.phases,
        bundle.id,
        x=bundle.q_axis if of_profiles else scan_q,
        sim_ids=bundle.sim_ids,
        experiment=as_written(url),
        created=now_text(),
        experiment_sha256=experiment.sha256,
        invalid=invalid,
        scan_q=scan_q,
        scan_step_nm=experiment.scan_step_nm,
        confidence=confidence(answer.probabilities, ~invalid, None if of_profiles else found.grains),
        grain=None if found.grains is None else found.grains.number,
        grain_pred=None if found.grains is None else found.grains.probabilities,
        **{name: getattr(answer, name) for name in ("fractions", "orientation", "reliability", "disagreement")},
    )
    write_prediction(store.url(key), prediction)
    n_invalid = int(invalid.sum())
    if n_invalid:
        n_flagged = int(experiment.unusable.sum())
        logger.warning(
            "%s: %d of %d patterns get a uniform probability: %d flagged (dead, beam not found, or range not covered), "
            "%d others constant or not finite",
            url, n_invalid, n_patterns, n_flagged, n_invalid - n_flagged,
        )  # fmt: skip
    return PredictionResult(bundle.id, store.url(key), experiment.name, False, n_invalid, n_patterns)


def _read_alike(before: Prediction, experiment: MeasuredScan, q: np.ndarray) -> bool:
    """Return whether an earlier prediction took the same axis for that of the scan."""
    return same_axis(experiment.profile_x if before.scan_q is None else before.scan_q, q)


def _read_before(store: ObjectStore, bundle: ModelBundle, key: str) -> Prediction | None:
    """Return an earlier prediction of this model, or None; a damaged one is replaced."""
    try:
        before = read_prediction(store.url(key))
    except (MissingObjectError, ExperimentError):
        return None
    return before if before.cnn_id == bundle.id and before.phases == bundle.phases else None
