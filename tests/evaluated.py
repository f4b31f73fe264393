"""An evaluated map of two pixels, for tests of what becomes of evaluations."""

from __future__ import annotations

import numpy as np

from difsims_core.evaluate.experiment_scores import ExperimentEvaluation
from difsims_core.results.evaluate_map import EvaluatedMap
from difsims_core.results.map_scores import MapScores
from difsims_core.storage.npz.contracts import Prediction


def evaluated_map(name: str, model: str, url: str, *, prediction: str = "", reused: bool = False) -> EvaluatedMap:
    evaluation = ExperimentEvaluation(name, model, np.arange(3.0), 2, 0, 0.9, (), None)
    scores = MapScores.of(evaluation, url=url, prediction=prediction, reused=reused)
    return EvaluatedMap(scores, evaluation, Prediction(np.full((1, 2, 2), 0.5, np.float32), ("a", "b"), model), None)
