"""Score predicted maps without labels, by whether the peaks of the pixels that a phase claims lie where it allows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.crystal.catalogue import crystal_files as crystal_files_in
from difsims_core.crystal.catalogue import find_crystal, is_place
from difsims_core.crystal.phases import load_crystal
from difsims_core.errors import CrystalError, DifsimsError, ExperimentError
from difsims_core.evaluate.base import ratio
from difsims_core.evaluate.experiment_scores import (
    BACKGROUND,
    ExperimentEvaluation,
    evaluate_experiment,
    model_axis,
)
from difsims_core.evaluate.matching import AllowedLines, PeakOptions, q_max_needed
from difsims_core.evaluate.scan_files import find_scan, read_truth_of
from difsims_core.storage.names import file_name
from difsims_core.storage.npz.contracts import (
    TRUTH_ENDING,
    Prediction,
    Profiles,
    Truth,
    predicted_name,
    read_prediction,
    read_profiles,
)
from difsims_core.storage.objects import expand_urls, files_in

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationResult:
    """The evaluations of several predicted maps, in the order of the predictions.

    Attributes
    ----------
    per_experiment
        One `ExperimentEvaluation` a prediction; each ``.to_document()`` is stored as one JSON object.
    failures
        Predictions that could not be evaluated, and why.
    """

    per_experiment: tuple[ExperimentEvaluation, ...]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> dict[str, Any]:
        """Return the numbers over all maps; counts are added before a ratio is taken.

        ``mean_distance_per_angstrom`` is the mean over the maps. ``phases``: for each class its pixels, the maps where
        it is present, in how many of those its peaks fit better than the null, precision and recall. ``accuracy``
        and ``n_labelled`` cover the maps with a truth.
        """
        distances = [e.mean_distance_per_angstrom for e in self.per_experiment]
        known = [d for d in distances if d is not None]
        scored = [e.scores for e in self.per_experiment if e.scores is not None and e.scores["n"]]
        n_labelled = sum(s["n"] for s in scored)
        names = list(dict.fromkeys(phase.phase for e in self.per_experiment for phase in e.phases))
        return {
            "n_experiments": len(self.per_experiment),
            "mean_distance_per_angstrom": ratio(sum(known), len(known)),
            "accuracy": ratio(sum(s["accuracy"] * s["n"] for s in scored), n_labelled),
            "n_labelled": n_labelled,
            "phases": {name: self._phase_summary(name) for name in names},
        }

    def to_document(self) -> dict[str, Any]:
        """Return ``summary``, ``per_experiment`` and ``failures`` as plain JSON values."""
        return {
            "summary": self.summary,
            "per_experiment": [e.to_document() for e in self.per_experiment],
            "failures": dict(self.failures),
        }

    def _phase_summary(self, name: str) -> dict[str, Any]:
        entries = [phase for e in self.per_experiment for phase in e.phases if phase.phase == name]
        matches = [phase.match for phase in entries if phase.match]
        return {
            "n_pixels": sum(phase.n_pixels for phase in entries),
            "n_present": sum(phase.status != "absent" for phase in entries),
            "n_scored": len(matches),
            "n_better_than_null": sum(phase.better_than_null is True for phase in entries),
            "precision": ratio(sum(m.n_matched for m in matches), sum(m.n_peaks for m in matches)),
            "recall": ratio(sum(m.n_strong_found for m in matches), sum(m.n_strong for m in matches)),
        }


def evaluate_all(
    prediction_paths: str | Path | Iterable[str | Path],
    experiments_folder: str | Path,
    crystal_folder: str | Path | None = None,
    truth_folder: str | Path | None = None,
    *,
    crystal_files: Mapping[str, str | None] | None = None,
    options: PeakOptions | None = None,
    progress: Callable[[ExperimentEvaluation], None] | None = None,
) -> EvaluationResult:
    """Evaluate predictions of unlabelled experiments by peak positions, and by truth maps where there are any.

    The mean profile of the pixels that a phase claims gives measured peaks, the CIF of the phase allowed lines. The
    historical distance is always joined by precision and recall of a one-to-one matching after a fitted lattice scale
    and by the null: the same peaks against every other phase of the model (docs/physics.md §10). Of several
    predictions, one that cannot be evaluated is kept in ``failures``, and the others are evaluated.

    Parameters
    ----------
    prediction_paths
        Prediction files: paths, ``s3://`` URLs, globs or folders.
    experiments_folder
        Folder or ``s3://`` prefix of the experiment files that the predictions name.
    crystal_folder
        Folder or prefix of CIFs; the shipped catalogue by default. A class without a CIF there is reported as such.
    truth_folder
        Folder or prefix with ``<name>_truth.npz`` for the maps whose phases are known (`scan_files`).
    crystal_files
        CIF files of classes that do not lie in ``crystal_folder`` under the name of the class; None: it is gone, and no
        other file of that name is meant.
    options
        How peaks are found and matched.
    progress
        Called with each evaluation as it is done.

    Raises
    ------
    ExperimentError
        If no prediction can be evaluated: it and its experiment do not belong together, or a file breaks its contract.
    StoreError, InputError
        If a file or folder cannot be read.

    Examples
    --------
    ``prediction`` is a map of one of the samples, here one that equals its truth:

    >>> from difsims_core import evaluate_all
    >>> result = evaluate_all([prediction], "deployments/samples", truth_folder="deployments/samples/truth")
    >>> result.summary["n_experiments"], result.summary["accuracy"]
    (1, 1.0)
    """
    options = options or PeakOptions()
    lines = LineLibrary(crystal_folder, crystal_files or {}, options)
    if truth_folder is not None:
        files_in(truth_folder, TRUTH_ENDING)
    if crystal_folder is not None:
        crystal_files_in(str(crystal_folder))
    evaluations, failures = [], {}
    paths = expand_urls(prediction_paths)
    for path in paths:
        try:
            prediction = read_prediction(path)
            truth = read_truth_of(prediction, path, truth_folder)
            evaluation = evaluate_prediction(prediction, path, experiments_folder, truth, lines)
        except Exception as error:
            if len(paths) == 1:
                raise
            failures[path] = str(error) if isinstance(error, DifsimsError) else f"{type(error).__name__}: {error}"
            _LOG.warning("cannot be evaluated: %s", failures[path])
            continue
        _LOG.info("evaluated %s of %s", evaluation.name, evaluation.cnn_id)
        evaluations.append(evaluation)
        if progress is not None:
            progress(evaluation)
    if not evaluations:
        raise ExperimentError(f"none of {len(paths)} predictions can be evaluated: {' · '.join(failures.values())}")
    return EvaluationResult(tuple(evaluations), failures)


def evaluate_prediction(
    prediction: Prediction, url: str, experiments_folder: str | Path, truth: Truth | None, lines: LineLibrary
) -> ExperimentEvaluation:
    """Evaluate a prediction that is read already, against its scan in a folder.

    Parameters
    ----------
    prediction, url
        The prediction, and where it was read from.
    experiments_folder
        Where its scan lies.
    truth
        Label map of the same scan, if known.
    lines
        Of the classes.

    Raises
    ------
    ExperimentError
        If prediction, scan and truth do not belong together; it names the file.
    """
    profiles = _experiment_of(prediction, url, experiments_folder)
    of_classes = {name: lines.of(name, model_axis(prediction, profiles)) for name in map(str, prediction.phases)}
    try:
        return evaluate_experiment(prediction, profiles, of_classes, truth, lines.options)
    except ExperimentError as error:
        raise ExperimentError(f"{url}: {error.problem}", error.remedy) from None


def crystal_of_class(name: str, file: str | None, folder: str | Path | None) -> str:
    """Return the crystal file of a class of a prediction; ``file`` says where it lies, the name alone never does.

    Raises
    ------
    CrystalError
        If there is none.
    """
    if file is None and is_place(name):
        raise CrystalError(f"the class is called {name!r}, which is a place and no name; a prediction opens no file")
    return find_crystal(name, file, folder)


@dataclass(frozen=True)
class LineLibrary:
    """Allowed lines by class and axis, each calculated once.

    Attributes
    ----------
    crystal_folder, crystal_files
        As for `evaluate_all`.
    options
        How peaks are found and matched.
    """

    crystal_folder: str | Path | None = None
    crystal_files: Mapping[str, str | None] = field(default_factory=dict)
    options: PeakOptions = field(default_factory=PeakOptions)
    _known: dict[tuple[str, bytes], AllowedLines | str] = field(default_factory=dict)

    def of(self, name: str, q: np.ndarray) -> AllowedLines | str:
        """Return the lines of a class for profiles on an axis, or why it has none."""
        key = name, np.asarray(q, np.float64).tobytes()
        if key not in self._known:
            self._known[key] = self._calculated(name, q)
        return self._known[key]

    def _calculated(self, name: str, q: np.ndarray) -> AllowedLines | str:
        from difsims_core.crystal.reflections import reflections_of  # loads Numba, and those who only map need it not

        if name == BACKGROUND:
            return "the background class has no lines"
        if self.crystal_files.get(name, "") is None:
            return "its crystal file is gone"
        try:
            file = crystal_of_class(name, self.crystal_files.get(name), self.crystal_folder)
            crystal = load_crystal(name, file)
            reflections = reflections_of(crystal, q_max_needed(q, self.options))
        except CrystalError as error:
            _LOG.warning("no allowed lines for class %s: %s", name, error)
            return str(error)
        return AllowedLines.of(reflections, q, self.options)


def _experiment_of(prediction: Prediction, path: str, folder: str | Path) -> Profiles:
    """Return the scan of a prediction, under the name of the prediction."""
    scan = find_scan(prediction, path, folder)
    profiles = read_profiles(scan)
    if prediction.experiment_sha256 and profiles.sha256 != prediction.experiment_sha256:
        raise ExperimentError(
            f"{path}: was predicted from another version of {file_name(scan)} than the one in {folder} (their SHA-256 "
            "differ)",
            "predict it again",
        )
    return replace(profiles, name=predicted_name(path))
