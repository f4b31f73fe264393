"""Template matching of polar patterns: which phase, and in which orientation (docs/physics.md §12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from difsims_core.config.classifiers.matching import TemplatesSpec
from difsims_core.errors import ModelError
from difsims_core.learn.classifiers.base import (
    Answer,
    Classifier,
    ClassifierInput,
    Fitted,
    ProgressCallback,
    Recipe,
)
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.matching.calibrate import Calibration, reliability
from difsims_core.learn.matching.labelled import labelled_patterns, template_simulation
from difsims_core.learn.matching.refine import refined_orientations
from difsims_core.learn.matching.runs import in_runs
from difsims_core.learn.matching.saved_grids import grid_weights, load_grids, of_grids, save_grids
from difsims_core.learn.matching.search import BestMatches, PreparedPatterns, SearchWidth, best_matches
from difsims_core.learn.matching.sparse import SparseTemplates
from difsims_core.learn.weights import Weight

_IN_DOUBT = 1.5  # difference of logits below which phases are compared again, by
_WIDE = SearchWidth(by_profile=1.0, by_few=0.15, last=4)
_AT_ONCE = 32  # patterns: their profiles' scores of 20 000 templates are 3 MB


class TemplateMatching(Classifier[TemplatesSpec]):
    """Sparse templates of each phase, compared at every turn and mirror.

    Attributes
    ----------
    templates : tuple of SparseTemplates
        Of each phase.
    calibration : Calibration
        From scores to probabilities.
    """

    training = TemplatesSpec
    simulates = True

    def __init__(
        self, templates: tuple[SparseTemplates, ...], calibration: Calibration, power: float, width: SearchWidth
    ) -> None:
        self.templates, self.calibration, self.power, self.width = templates, calibration, power, width

    @classmethod
    def input_of(cls, training: TemplatesSpec) -> ClassifierInput:  # noqa: ARG003
        """Return polar patterns on the reduced grid."""
        return ClassifierInput("polar", "polar/x")

    @classmethod
    def fit(
        cls,
        stream: Stream,
        recipe: Recipe[TemplatesSpec],
        progress: ProgressCallback | None = None,  # noqa: ARG003 - there are no epochs
    ) -> Fitted:
        """Compute the templates of each phase, and calibrate their scores on patterns of the training part."""
        spec = recipe.training
        simulation = template_simulation(recipe, spec.cells)
        templates = tuple(
            SparseTemplates.of(grid, simulation.polar(label), spec.cells, spec.power)
            for label, grid in enumerate(simulation.grids)
        )
        uncalibrated = Calibration(1.0, np.zeros(recipe.n_classes))
        matcher = cls(templates, uncalibrated, spec.power, _width(spec))
        patterns, classes = labelled_patterns(stream, spec.calibrate_on)
        scores = matcher.match(patterns).scores
        return Fitted(cls(templates, Calibration.fit(scores, classes), spec.power, matcher.width))

    @classmethod
    def weights_of(cls, recipe: Recipe[TemplatesSpec]) -> tuple[Weight, ...]:
        """Return what templates are; how many there are is told by no recipe."""
        cells = recipe.training.cells
        return (
            *grid_weights(recipe.n_classes),
            Weight("calibration", (1 + recipe.n_classes,), "float64"),
            Weight("cell", (None, cells), "uint16"),
            Weight("amplitude", (None, cells), "float16"),
        )

    @classmethod
    def load(cls, recipe: Recipe[TemplatesSpec], weights: Mapping[str, np.ndarray]) -> TemplateMatching:
        """Return the classifier of these templates.

        Raises
        ------
        ModelError
            If they do not fit together.
        """
        cell, amplitude = weights["cell"], weights["amplitude"]
        n_q, n_azimuths = recipe.input_shape
        if len(cell) != len(amplitude) or int(cell.max(initial=0)) >= n_q * n_azimuths:
            raise ModelError(
                f"expected templates of {n_q} × {n_azimuths} cells, found {len(cell)} with cells up to "
                f"{cell.max(initial=0)} and {len(amplitude)} with amplitudes",
                "train the model again",
            )
        grids = load_grids(weights, len(cell))
        parts = zip(grids, of_grids(grids, cell), of_grids(grids, amplitude.astype(np.float32)), strict=True)
        templates = tuple(SparseTemplates(grid, (n_q, n_azimuths), *arrays) for grid, *arrays in parts)
        spec = recipe.training
        return cls(templates, Calibration.load(weights["calibration"]), spec.power, _width(spec))

    def save(self) -> dict[str, np.ndarray]:
        """Return templates, their grids, and the calibration."""
        return {
            **save_grids([templates.grid for templates in self.templates]),
            "calibration": self.calibration.save(),
            "cell": np.concatenate([templates.cell for templates in self.templates]),
            "amplitude": np.concatenate([templates.amplitude for templates in self.templates]).astype(np.float16),
        }

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return the probability of each phase."""
        return self.calibration.probabilities(self.match(patterns).scores)

    def answer(self, patterns: np.ndarray) -> Answer:
        """Return probabilities, the orientation by the most probable phase, and the reliability."""
        found = self.match(patterns, orientations=True)
        return Answer(
            self.calibration.probabilities(found.scores),
            orientation=found.orientations,
            reliability=reliability(found.scores),
        )

    def match(self, patterns: np.ndarray, *, orientations: bool = False) -> Matched:
        """Return the best score of each phase, and the orientations of the most probable ones where they are asked for.

        A thread for each processor; the same numbers for any split of the patterns.
        """
        parts = in_runs(patterns, _AT_ONCE, lambda run: self._matched(run, orientations))
        return Matched(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _matched(self, patterns: np.ndarray, orientations: bool) -> tuple[np.ndarray, np.ndarray]:
        prepared = PreparedPatterns.of(patterns, self.power)
        best = [best_matches(prepared, templates, self.width) for templates in self.templates]
        for templates, found, doubtful in zip(self.templates, best, self._in_doubt(best).T, strict=True):
            if doubtful.any():
                found.improve(doubtful, best_matches(prepared.of_some(doubtful), templates, _WIDE))
        scores = np.stack([found.score for found in best], axis=1)
        turned = np.full((len(patterns), 4), np.nan)
        if orientations:
            phase = self.calibration.logits(scores).argmax(axis=1)
            for label, (templates, found) in enumerate(zip(self.templates, best, strict=True)):
                own = (phase == label) & (found.score > 0)
                if own.any():
                    turned[own] = refined_orientations(prepared.of_some(own), templates, found.of_some(own))
        return scores, turned

    def _in_doubt(self, best: list[BestMatches]) -> np.ndarray:
        """Return (n, k) bool: phases that are nearly as probable as another, or as which another nearly is."""
        scores = np.stack([found.score for found in best], axis=1)
        logits = self.calibration.logits(scores)
        near = (logits > logits.max(axis=1, keepdims=True) - _IN_DOUBT) & (scores > 0)
        return near & (near.sum(axis=1, keepdims=True) > 1)


@dataclass(frozen=True, slots=True)
class Matched:
    """What the match of n patterns found.

    Attributes
    ----------
    scores : (n, k) float32
        The best score of each phase, 0 … 1; 0 of a pattern in which nothing rises above its rings.
    orientations : (n, 4) float64
        By the most probable phase; NaN where nothing was found, or none was asked for.
    """

    scores: np.ndarray
    orientations: np.ndarray


def _width(spec: TemplatesSpec) -> SearchWidth:
    return SearchWidth(spec.directions_by_profile, spec.directions_by_few, last=1)
