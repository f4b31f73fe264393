"""What a retraining would do now, found out without doing any of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.dataset.build import find
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict_scans import check_names
from difsims_core.models.registry import read_registry
from difsims_core.models.retraining_inputs import (
    Ingredients,
    check_simulation,
    choose_datasets,
    earlier_decision,
    scans_of,
)

if TYPE_CHECKING:
    from difsims_core.config.retraining import RetrainingSpec
    from difsims_core.models.registry_record import RecordedDecision
    from difsims_core.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class RetrainingPlan:
    """What a retraining would do.

    Attributes
    ----------
    champion : str or None
        Id of the model that the challenger would be measured against.
    simulates : int
        Patterns of the dataset that would be simulated first; 0: it is there, or none is asked for.
    datasets : tuple of str
        Ids of the datasets that are there to train on.
    patterns : int
        In these datasets and the one that would be simulated, or in an epoch of a stream.
    scans : tuple of str
        URLs of the scans that would be mapped to compare the two.
    left_out : mapping of str to str
        Why other scans would not be.
    before : RecordedDecision or None
        The decision on exactly these ingredients, if there was one.
    """

    champion: str | None
    simulates: int
    datasets: tuple[str, ...]
    patterns: int
    scans: tuple[str, ...]
    left_out: Mapping[str, str]
    before: RecordedDecision | None

    @property
    def trains(self) -> bool:
        """Whether a challenger would be trained."""
        return self.patterns > 0 and self.before is None


def plan_retraining(store: ObjectStore, spec: RetrainingSpec) -> RetrainingPlan:
    """Return what a retraining would do; nothing is written.

    Raises
    ------
    InputError
        If the retraining would refuse the document.
    StoreError
        If the store fails, or a listed dataset is missing or incomplete.
    """
    registry = read_registry(store)
    bundle = None if registry.champion is None else load_bundle(registry.champion.model, store)
    check_simulation(spec, bundle)
    streamed = spec.simulation if spec.training.source == "stream" else None
    dataset = None if spec.simulation is None or streamed else find(store, spec.simulation)[1]
    simulated = dataset.id if dataset is not None and dataset.complete else None
    simulates = 0 if spec.simulation is None or streamed or simulated is not None else spec.simulation.n_patterns
    datasets = choose_datasets(store, spec, bundle, simulated)
    scans, left_out = scans_of(store, spec)
    check_names(list(scans))
    digest = Ingredients.of(datasets, scans, spec).digest()
    return RetrainingPlan(
        champion=None if bundle is None else bundle.id,
        simulates=simulates,
        datasets=tuple(sim.id for sim in datasets),
        patterns=simulates + sum(sim.n_patterns for sim in datasets) + (streamed.n_patterns if streamed else 0),
        scans=tuple(scans),
        left_out=left_out,
        before=None if simulates or not (datasets or streamed) else earlier_decision(registry, digest),
    )
