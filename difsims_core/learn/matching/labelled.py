"""What classifiers that match are fitted with: the simulation of their templates, and some labelled patterns."""

from __future__ import annotations

from typing import Any

import numpy as np

from difsims_core.config.classifiers.matching import MatchingDocument
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.matching.simulated import TemplateChoice, TemplateSimulation
from difsims_core.learn.weights import MOST_WEIGHTS
from difsims_core.simulation.inputs import read_crystals


def template_simulation(recipe: Recipe[Any], values: int) -> TemplateSimulation:
    """Return the simulation of the templates of a training; each is kept as so many ``values``.

    Raises
    ------
    InputError
        If it is not known what the patterns were simulated of, they are square roots, a class is no crystal, a crystal
        cannot be read, or the templates are more than a model may have weights.
    """
    spec: MatchingDocument = recipe.training
    if recipe.simulation is None:
        raise InputError(
            f"{spec.kind} computes templates of what the patterns were simulated of, and nothing says of what",
            "train on datasets or on a simulation document",
        )
    if recipe.simulation.postprocessing.sqrt:
        raise InputError(
            f"{spec.kind} compares intensities, found square roots", "simulate with postprocessing.sqrt: false"
        )
    choice = TemplateChoice(
        spec.resolution_deg, spec.thicknesses, spec.lattice_scales, spec.scale_range, spec.intensities, spec.sigma_px
    )
    crystals = read_crystals(recipe.simulation)
    return TemplateSimulation.of(recipe.simulation, crystals, choice, int(0.95 * MOST_WEIGHTS / values))


def labelled_patterns(stream: Stream, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``n`` patterns (n, …) float32 of the training part in a random order, and their classes (n,)."""
    patterns, classes, found = [], [], 0
    for some, labels in stream.batches(Part.TRAIN, 0):
        patterns.append(some)
        classes.append(labels)
        found += len(labels)
        if found >= n:
            break
    return np.concatenate(patterns)[:n], np.concatenate(classes)[:n].astype(np.int64)
