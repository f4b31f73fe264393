"""Which scans of a store lack a map or its scores: scans, predictions and evaluations compared by their listings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from difsims_core.learn.wanted import takes_polar
from difsims_core.scans.listing import list_scans, name_problem, polar_scans
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True)
class MissingMap:
    """A scan that a model is to map, or whose map is to be evaluated.

    Attributes
    ----------
    scan : ObjectInfo
        As it was listed.
    model : str
        Id of the model.
    predicted : bool
        Whether the map is there, and only its evaluation is missing.
    """

    scan: ObjectInfo
    model: str
    predicted: bool


@dataclass(frozen=True)
class ModelOutput:
    """When the maps of a model, and their scores, came to lie in the store, by key.

    What is older than what it was made from does not count.
    """

    model: str
    predictions: dict[str, datetime]
    evaluations: dict[str, datetime]

    @classmethod
    def listed(cls, store: ObjectStore, model: str) -> ModelOutput:
        """List it."""
        predictions, evaluations = (
            {info.key: info.changed for info in store.describe(folder(model))}
            for folder in (layout.predictions, layout.evaluations)
        )
        return cls(model, predictions, evaluations)

    def is_predicted(self, scan: ObjectInfo) -> bool:
        """Return whether there is a map that is not older than its scan."""
        made = self.predictions.get(layout.prediction(self.model, experiment_name(scan.key)))
        return made is not None and made >= scan.changed

    def is_evaluated(self, name: str) -> bool:
        """Return whether there are scores that are not older than their map, by the whole name of the experiment."""
        scored = self.evaluations.get(layout.evaluation(self.model, name))
        predicted = self.predictions.get(layout.prediction(self.model, name))
        return scored is not None and (predicted is None or scored >= predicted)


@dataclass(frozen=True)
class Inventory:
    """The scans of a store beside the maps that models have made of them.

    Attributes
    ----------
    models : tuple of str
        Ids of the models that are to map every scan, the most important first.
    scans : mapping of str to ObjectInfo
        Well-named scans by key.
    misnamed : mapping of str to str
        Why other objects cannot be scans, by key.
    missing : tuple of MissingMap
        In the order of the models, then of the scans.
    mapped : frozenset of str
        Keys of the scans that some of the models have mapped as they are: these can be read.
    """

    models: tuple[str, ...]
    scans: dict[str, ObjectInfo]
    misnamed: dict[str, str]
    missing: tuple[MissingMap, ...]
    mapped: frozenset[str]

    @classmethod
    def listed(cls, store: ObjectStore, models: Sequence[str]) -> Inventory:
        """Compare the listings: of the scans, and two a model, whatever their numbers; of objects records are read.

        A scan without polar patterns lacks no map of a model that takes them.
        """
        listed = list_scans(store)
        problems = {info.key: name_problem(info.key) for info in listed}
        scans = {info.key: info for info in listed if problems[info.key] is None}
        misnamed = {key: problem for key, problem in problems.items() if problem is not None}
        missing, mapped = list[MissingMap](), set[str]()
        polar_models = {model for model in models if takes_polar(store, model)}
        with_polar = scans.keys() & polar_scans(store) if polar_models else set[str]()
        for model in models:
            fitting = with_polar if model in polar_models else scans.keys()
            fitted = [scan for key, scan in scans.items() if key in fitting]
            lacking = list(_missing(ModelOutput.listed(store, model), fitted))
            unmapped = {item.scan.key for item in lacking if not item.predicted}
            missing += lacking
            mapped |= fitting - unmapped
        return cls(tuple(models), scans, misnamed, tuple(missing), frozenset(mapped))


def _missing(output: ModelOutput, scans: Iterable[ObjectInfo]) -> Iterator[MissingMap]:
    for scan in scans:
        predicted = output.is_predicted(scan)
        if not predicted or not output.is_evaluated(experiment_name(scan.key)):
            yield MissingMap(scan, output.model, predicted)


def renew(store: ObjectStore, key: str) -> None:
    """Write an object again as it is, so that it is younger than what it was found to agree with."""
    store.write(key, store.read(key))
