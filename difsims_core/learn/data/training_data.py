"""What a classifier is trained on: datasets that fit together, in an order of their own, and how they are split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.config.learning import TrainingDocument
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import ClassifierInput, input_of
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.streams import Stream

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation
    from difsims_core.storage.objects import ObjectStore

SAME_AXIS_PER_ANGSTROM = 1e-6
_PATTERNS = ("x_px", "x_all", "x_q", "x")
MAKES = {
    "1d/x_q": "a postprocessing.q_crop", "2d/x_px": "output.polar_px", "2d/x_all": "output.polar_all",
    "polar/x": "output.polar",
}  # fmt: skip
"""What of a simulation document makes an array, where not every document does."""
_FRACTIONS = "1d/fractions"
RECIPE = {"profile": "1", "polar": "2"}
"""Changes whenever the same document and datasets give other weights; part of every training fingerprint.

Polar patterns, 2: networks scale them to one root mean square.
"""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Labelled patterns of one or more datasets, ready to be streamed.

    Attributes
    ----------
    stream : Stream
        Batches.
    phases : tuple of str
        Class names.
    q_axis : (nq,) float64
        Å⁻¹.
    preprocessing : PostprocessingSpec
        Of the patterns.
    sim_ids, sim_fingerprints : tuple of str
        The datasets, in the order of the stream.
    simulation : StreamedSimulation or None
        What is simulated while it is trained on, in the place of datasets.
    """

    stream: Stream
    phases: tuple[str, ...]
    q_axis: np.ndarray
    preprocessing: PostprocessingSpec
    sim_ids: tuple[str, ...]
    sim_fingerprints: tuple[str, ...]
    simulation: StreamedSimulation | None = None

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Fingerprints of what the patterns come from."""
        return self.sim_fingerprints if self.simulation is None else (self.simulation.fingerprint,)

    def split_document(self) -> dict[str, Any]:
        """Return how many patterns each part has."""
        stream = self.stream
        sizes = {f"n_{part.name.lower()}": stream.count(part) for part in Part}
        return {"held_out_fraction": stream.held_out_fraction, "seed": stream.seed, **sizes}


def training_fingerprint(spec: TrainingDocument, sim_fingerprints: Iterable[str]) -> str:
    """Return the SHA-256 of everything that decides the weights; the order of the datasets does not.

    What is done with the finished model (``evaluate``) is no part of it.
    """
    document = fingerprint_document(spec)
    del document["evaluate"]
    content = {
        "training": document,
        "simulations": sorted(set(sim_fingerprints)),
        "recipe": RECIPE[input_of(spec).kind],
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
            fractions=sim[_FRACTIONS] if _FRACTIONS in sim else None,  # noqa: SIM401 no mapping
        )
        for sim in sims
    )
    return _checked(
        TrainingData(
            stream=PatternStream(sources, spec.held_out_fraction, spec.seed, spec.batch_size),
            phases=first.phases,
            q_axis=_axis(first, wanted),
            preprocessing=_preprocessing(first),
            sim_ids=tuple(sim.id for sim in sims),
            sim_fingerprints=tuple(sim.fingerprint for sim in sims),
        )
    )


def streamed_training_data(store: ObjectStore, simulation: StreamedSimulation, spec: TrainingDocument) -> TrainingData:
    """Prepare what a stream needs before its first pattern; libraries that the store lacks are computed into it.

    Raises
    ------
    InputError
        If a crystal cannot be simulated, there is one class, or too few patterns for the split.
    """
    from difsims_core.dataset.libraries.source import StoredLibraries
    from difsims_core.learn.data.simulated_stream import simulated_stream
    from difsims_core.simulation.simulator import Simulator

    array = input_of(spec).array
    simulator = Simulator.prepare(simulation.spec, StoredLibraries(store.root))
    axes = {"1d/x_q": simulator.q_q, "1d/x_all": simulator.q_all, "2d/x_all": simulator.q_all}
    if simulator.polar_grid is not None:
        axes["polar/x"] = simulator.polar_grid.q
    axis = axes.get(array)
    return _checked(
        TrainingData(
            stream=simulated_stream(
                simulator, array, spec.held_out_fraction, spec.seed, spec.batch_size, spec.most_epochs
            ),
            phases=simulator.class_names,
            q_axis=simulator.q_px if axis is None else axis,
            preprocessing=simulation.spec.postprocessing,
            sim_ids=(),
            sim_fingerprints=(),
            simulation=replace(simulation, libraries=simulator.libraries),
        )
    )


def _checked(data: TrainingData) -> TrainingData:
    """Refuse data of one class, or with an empty part."""
    if len(data.phases) < 2:
        where = data.sim_ids[0] if data.sim_ids else "the document"
        raise InputError(f"{where} holds one class, {', '.join(data.phases)}", "a classifier needs at least two")
    counts = {part: data.stream.count(part) for part in Part}
    for part, n in counts.items():
        if not n:
            raise InputError(
                f"{sum(counts.values())} patterns leave none for {part.name.lower()} at held_out_fraction "
                f"{data.stream.held_out_fraction:g}",
                "simulate more, or raise max_patterns",
            )
    return data


def _check_fits(sim: Simulation, first: Simulation, wanted: ClassifierInput) -> None:
    if wanted.array not in sim:
        raise InputError(
            f"{sim.id} has no {wanted.array}, the {wanted} to train on",
            f"simulate with {MAKES.get(wanted.array, 'an output that keeps it')}, or train on what it has: "
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
