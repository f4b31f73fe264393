"""Classify the patterns of a scan, a run of pixels after the other: the next is read while one is classified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.learn.classifiers.base import Answer
from difsims_core.learn.measured_scan import Runs
from difsims_core.signal.preprocess import preprocess_measured
from difsims_core.storage.concurrent import consume_concurrently

if TYPE_CHECKING:
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.learn.scan.grains import Grains, GrainSearch


@dataclass(frozen=True, eq=False)
class Classified:
    """What a classifier says of a scan.

    Attributes
    ----------
    answer : Answer
        In the shape of the scan: probabilities (…, n_phases), uniform where there is nothing to classify, and the rest
        NaN there.
    invalid : (…) bool
        Where it is so.
    grains : Grains, optional
        What pixels that show one pattern say together.
    """

    answer: Answer
    invalid: np.ndarray
    grains: Grains | None = None


def classify(
    bundle: ModelBundle,
    runs: Runs,
    shape: tuple[int, ...],
    q: np.ndarray,
    unusable: np.ndarray,
    *,
    grains: bool = False,
) -> Classified:
    """Classify the patterns of a scan; while a run of them is classified the next is read.

    Parameters
    ----------
    bundle
        The trained classifier.
    runs, shape
        The patterns, and the shape of the scan.
    q
        (n_q,) their axis, Å⁻¹.
    unusable
        (…) bool: pixels that get a uniform probability whatever their pattern is.
    grains
        Whether pixels of one grain are looked for, of a scan (ny, nx) or (n,).
    """
    found = _Answers(int(np.prod(shape, dtype=np.int64)), len(bundle.phases))
    said = unusable.reshape(-1)
    search = _search(bundle, shape, q) if grains else None

    def prepared() -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        for pixels, measured in runs:
            patterns, invalid = prepare_patterns(bundle, measured, q)
            usable = ~(invalid | said[pixels])
            yield pixels, measured, usable, patterns[usable]

    def answered(item: tuple[slice, np.ndarray, np.ndarray, np.ndarray]) -> None:
        pixels, measured, usable, patterns = item
        if usable.any():
            found.add(np.arange(pixels.start, pixels.stop)[usable], bundle.classifier.answer(patterns))
        if search is not None:
            search.add(measured, usable, found.arrays["probabilities"][pixels])

    for _ in consume_concurrently(prepared(), answered, workers=1):
        pass
    return found.in_shape(shape, None if search is None else search.found())


def _search(bundle: ModelBundle, shape: tuple[int, ...], q: np.ndarray) -> GrainSearch:
    from difsims_core.learn.scan.grains import GrainSearch  # compiled, as reports of maps need not

    return GrainSearch(shape, len(bundle.phases), partial(_of_means, bundle, q))


def _of_means(bundle: ModelBundle, q: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    prepared, invalid = prepare_patterns(bundle, patterns, q)
    probabilities = np.full((len(patterns), len(bundle.phases)), np.nan, np.float32)
    if not invalid.all():
        probabilities[~invalid] = bundle.classifier.answer(prepared[~invalid]).probabilities
    return probabilities


def prepare_patterns(bundle: ModelBundle, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bring measured patterns to what the classifier was trained on.

    Returns
    -------
    patterns
        (…, *input_shape) float32 in [0, 1].
    invalid
        (…) bool: constant, or NaN or infinite somewhere.

    Raises
    ------
    ExperimentError
        If the shapes do not fit, or the axis does not cover the model's.
    """
    check_patterns(bundle, y)
    return preprocess_measured(y, x, bundle.q_axis, sqrt=bundle.preprocessing.sqrt, n_dim=bundle.input.n_dim)


def check_patterns(bundle: ModelBundle, y: np.ndarray) -> None:
    """Refuse patterns (…, n_q) or (…, n_q, n_φ) that are not of the form that the classifier declares.

    Raises
    ------
    ExperimentError
        With the form that it takes.
    """
    n_dim, others = bundle.input.n_dim, bundle.other_axes
    if y.ndim < n_dim:
        raise ExperimentError(
            f"expected {bundle.input} of shape (…, {', '.join(('n_q', *map(str, others)))}), found {y.shape}",
            "put the axes of a pattern last, q first of them",
        )
    if n_dim > 1 and y.shape[1 - n_dim :] != others:
        raise ExperimentError(
            f"the model takes {bundle.input} of {others} values for each q, found {y.shape[1 - n_dim :]}",
            "integrate the scan on the same azimuths",
        )


class _Answers:
    """Collects the answers for pixels in any order; what some of them lack is not kept of the others."""

    def __init__(self, n_pixels: int, n_classes: int) -> None:
        self.invalid = np.ones(n_pixels, bool)
        self.arrays: dict[str, np.ndarray] = {
            "probabilities": np.full((n_pixels, n_classes), 1 / n_classes, np.float32)
        }

    def add(self, pixels: np.ndarray, answer: Answer) -> None:
        self.invalid[pixels] = False
        for field in fields(Answer):
            values = getattr(answer, field.name)
            if values is None:
                continue
            if field.name not in self.arrays:
                self.arrays[field.name] = np.full((len(self.invalid), *values.shape[1:]), np.nan, values.dtype)
            self.arrays[field.name][pixels] = values

    def in_shape(self, shape: tuple[int, ...], grains: Grains | None) -> Classified:
        arrays = {name: values.reshape(*shape, *values.shape[1:]) for name, values in self.arrays.items()}
        return Classified(Answer(**arrays), self.invalid.reshape(shape), grains)
