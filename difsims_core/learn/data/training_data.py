"""What a classifier is trained on: datasets that fit together, in an order of their own, and how they are split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.learning import TrainingDocument
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import ClassifierInput, input_of
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.learn.data.split import Part

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation

SAME_AXIS_PER_ANGSTROM = 1e-6
_PATTERNS = ("x_px", "x_all", "x_q", "x")
_MAKES = {
    "1d/x_q": "a postprocessing.q_crop", "2d/x_px": "output.polar_px", "2d/x_all": "output.polar_all",
    "polar/x": "output.polar",
}  # fmt: skip
RECIPE = "1"
"""Changes whenever the same document and datasets give other weights; part of every training fingerprint."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Labelled patterns of one or more datasets, ready to be streamed.

    Attributes
    ----------
    stream : PatternStream
        Batches.
    phases : tuple of str
        Class names.
    q_axis : (nq,) float64
        Å⁻¹.
    preprocessing : PostprocessingSpec
        Of the patterns.
    sim_ids, sim_fingerprints : tuple of str
        The datasets, in the order of the stream.
    """

    stream: PatternStream
    phases: tuple[str, ...]
    q_axis: np.ndarray
    preprocessing: PostprocessingSpec
    sim_ids: tuple[str, ...]
    sim_fingerprints: tuple[str, ...]

    def split_document(self) -> dict[str, Any]:
        """Return how many patterns each part has."""
        stream = self.stream
        sizes = {f"n_{part.name.lower()}": stream.count(part) for part in Part}
        return {"held_out_fraction": stream.held_out_fraction, "seed": stream.seed, **sizes}


def training_fingerprint(spec: TrainingDocument, sim_fingerprints: Iterable[str]) -> str:
    """Return the SHA-256 of everything that decides the weights; the order of the datasets does not.

    What is done with the finished model (``evaluate``) is no part of it.
    """
    content = {
        "training": spec.model_dump(mode="json", exclude={"evaluate"}),
        "simulations": sorted(set(sim_fingerprints)),
        "recipe": RECIPE,
        **({"plugins": spec.plugins()} if spec.plugins() else {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def load_training_data(simulations: Iterable[Simulation], spec: TrainingDocument) -> TrainingData:
    """Check that datasets fit together and return what they hold for training.

    Datasets must have the same classes (in any order), q axis and preprocessing; one that is given twice counts once.

    Raises
    ------
    InputError
        If there is no dataset, they do not fit together, or there are too few patterns for the split.
    """
    distinct = {sim.fingerprint: sim for sim in simulations}
    sims = [distinct[fingerprint] for fingerprint in sorted(distinct)]
    if not sims:
        raise InputError(
            "expected at least one dataset to train on, found none", "give the ids that `simulate` printed"
        )
    first = sims[0]
    if len(first.phases) < 2:
        raise InputError(f"{first.id} holds one class, {', '.join(first.phases)}", "a classifier needs at least two")
    wanted = input_of(spec)
    for sim in sims:
        _check_fits(sim, first, wanted)
    total = sum(sim.n_patterns for sim in sims)
    share = 1.0 if spec.max_patterns is None else min(1.0, spec.max_patterns / total)
    sources = tuple(
        PatternSource(
            name=sim.id,
            x=sim[wanted.array],
            y=sim[wanted.labels],
            n_rows=int(sim.n_patterns * share),
            classes=np.array([first.phases.index(phase) for phase in sim.phases], np.int64),
        )
        for sim in sims
    )
    stream = PatternStream(sources, spec.held_out_fraction, spec.seed, spec.batch_size)
    for part in Part:
        if not stream.count(part):
            raise InputError(
                f"{sum(source.n_rows for source in sources)} patterns leave none for {part.name.lower()} at "
                f"held_out_fraction {spec.held_out_fraction:g}",
                "simulate more, or raise max_patterns",
            )
    return TrainingData(
        stream=stream,
        phases=first.phases,
        q_axis=_axis(first, wanted),
        preprocessing=_preprocessing(first),
        sim_ids=tuple(sim.id for sim in sims),
        sim_fingerprints=tuple(sim.fingerprint for sim in sims),
    )


def _check_fits(sim: Simulation, first: Simulation, wanted: ClassifierInput) -> None:
    if wanted.array not in sim:
        raise InputError(
            f"{sim.id} has no {wanted.array}, the {wanted} to train on",
            f"simulate with {_MAKES.get(wanted.array, 'an output that keeps it')}, or train on what it has: "
            f"{', '.join(name for name in sim.arrays if name.rpartition('/')[2] in _PATTERNS)}",
        )
    if sorted(sim.phases) != sorted(first.phases):
        raise InputError(
            f"{sim.id} holds the classes {', '.join(sim.phases)} but {first.id} {', '.join(first.phases)}; "
            "a classifier is trained on datasets of the same classes"
        )
    here, there = _axis(sim, wanted), _axis(first, wanted)
    if sim[wanted.array].shape[1:] != first[wanted.array].shape[1:]:
        raise InputError(f"{sim.id} and {first.id} have patterns of different sizes", "simulate both on the same grid")
    if here.shape != there.shape or not np.allclose(here, there, rtol=0, atol=SAME_AXIS_PER_ANGSTROM):
        raise InputError(f"{sim.id} and {first.id} have different q axes", "simulate both on the same grid")
    if _preprocessing(sim).sqrt != _preprocessing(first).sqrt:
        raise InputError(
            f"only one of {sim.id} and {first.id} holds square roots", "simulate both with the same postprocessing"
        )


def _axis(sim: Simulation, wanted: ClassifierInput) -> np.ndarray:
    return np.asarray(sim[wanted.q_axis][:], np.float64)


def _preprocessing(sim: Simulation) -> PostprocessingSpec:
    return sim.spec.postprocessing
