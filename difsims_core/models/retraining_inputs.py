"""What a retraining is made from, and whether exactly that was considered before."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.config.retraining import RetrainingSpec
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.errors import InputError, StoreError
from difsims_core.learn.classifiers.base import ClassifierInput, input_of
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.training_data import training_fingerprint
from difsims_core.learn.measured_scan import has_polar_patterns
from difsims_core.models.dataset_kind import Kind, document_of, kind_of, kind_to_come
from difsims_core.models.registry_record import ModelRegistry, RecordedDecision
from difsims_core.scans.intake import scans_to_predict
from difsims_core.scans.listing import list_scans, polar_scans, scan_key
from difsims_core.simulation.versions import versions_of
from difsims_core.storage.ids import list_simulations
from difsims_core.storage.names import url_name
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import expand_urls, local_copy
from difsims_core.version import __version__

if TYPE_CHECKING:
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.storage.objects import ObjectStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Everything that decides how a retraining ends, the champion apart.

    Attributes
    ----------
    simulations : tuple of str
        Fingerprints of the datasets, or of that which a stream would have made.
    scans : tuple of str
        Name of each experiment, with size and ETag or SHA-256.
    spec : RetrainingSpec
        The document.
    """

    simulations: tuple[str, ...]
    scans: tuple[str, ...]
    spec: RetrainingSpec

    @classmethod
    def of(cls, datasets: Iterable[Simulation], scans: Mapping[str, str], spec: RetrainingSpec) -> Ingredients:
        """Return those of datasets and of the scans that `scans_of` has found."""
        simulations = [dataset.fingerprint for dataset in datasets]
        if spec.training.source == "stream" and spec.simulation is not None:
            simulations = [StreamedSimulation.of(spec.simulation, spec.training).fingerprint]
        return cls(tuple(sorted(simulations)), tuple(scans.values()), spec)

    def digest(self) -> str:
        """Return the SHA-256 of all of it, of the rule, and of the code at work.

        A new champion alone is no reason to consider the same again: a person who has rolled back has decided.
        """
        content = {
            "training": training_fingerprint(self.spec.training, self.simulations),
            "scans": sorted(self.scans),
            "rule": self.spec.rule.to_document(),
            "version": __version__,
            **versions_of(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def earlier_decision(registry: ModelRegistry, digest: str) -> RecordedDecision | None:
    """Return the latest decision on the same ingredients, if there was one."""
    return next((item for item in registry.considered if item.ingredients == digest), None)


def choose_datasets(
    store: ObjectStore, spec: RetrainingSpec, champion: ModelBundle | None, simulated: str | None = None
) -> list[Simulation]:
    """Return the datasets to train on; none when the store holds none that fits.

    A stream is trained on none. Of datasets of the same document only the latest is taken from the store: the others
    are of an older engine, or of crystal files that have been revised.

    Parameters
    ----------
    store
        Where ids are looked up.
    spec
        Which: those that it lists, or all that fit.
    champion
        Its phases, q axis and preprocessing are the ones wanted, unless the document lists phases.
    simulated
        Id of the dataset that this retraining has simulated; always taken. None where the document asks for one: it is
        yet to come, and what it will be decides as if it were there.

    Raises
    ------
    InputError
        If nothing says which of several kinds of datasets is meant.
    StoreError
        If a listed dataset is missing or incomplete.
    """
    if spec.training.source == "stream":
        return []
    if spec.datasets:
        names = [*spec.datasets, *([simulated] if simulated else [])]
        return [open_simulation(name, store) for name in names]
    found = list(_complete(store, input_of(spec.training)))
    made = next((kind for sim, kind in found if sim.id == simulated), None)
    if spec.simulation is not None and simulated is None:
        made, document = kind_to_come(spec.simulation, input_of(spec.training)), document_of(spec.simulation)
        found = [(sim, kind) for sim, kind in found if document_of(sim) != document]
    if spec.phases:
        found = [(sim, kind) for sim, kind in found if kind.phases == tuple(sorted(spec.phases))]
    wanted = _wanted(spec, champion, [kind for _, kind in found], made)
    return _latest([sim for sim, kind in found if wanted is not None and kind.fits(wanted)])


def check_simulation(spec: RetrainingSpec, champion: ModelBundle | None) -> None:
    """Refuse, before any work, a simulation whose dataset would not be one of those wanted.

    Raises
    ------
    InputError
        Naming both and the remedy.
    """
    if spec.simulation is None or spec.datasets:
        return
    classes, sqrt = sorted(spec.simulation.class_names), spec.simulation.postprocessing.sqrt
    if spec.phases and classes != sorted(spec.phases):
        raise InputError(
            f"the simulation makes {', '.join(classes)}, but the phases asked for are {', '.join(spec.phases)}",
            "make them agree",
        )
    if champion is None or spec.phases:
        return
    if classes != sorted(champion.phases) or sqrt != champion.preprocessing.sqrt:
        raise InputError(
            f"the simulation makes {', '.join(classes)} (square roots: {sqrt}), but the champion knows "
            f"{', '.join(champion.phases)} (square roots: {champion.preprocessing.sqrt})",
            "set phases to train for others, and make that model champion with `difsims promote`",
        )


def scans_of(store: ObjectStore, spec: RetrainingSpec) -> tuple[dict[str, str], dict[str, str]]:
    """Return the scans to compare on, URL → what tells its content from another, and those left out with the reason.

    Parameters
    ----------
    store
        Its ``experiments/profiles`` are the default, without scans that cannot be read as they are.
    spec
        Its ``experiments``: files, folders, globs or URLs; none: the default, which may be empty. Where its classifier
        takes polar patterns, scans without them are left out.

    Raises
    ------
    InputError
        If one of those listed stands for nothing.
    """
    listed = {info.key: info for info in list_scans(store)}
    urls, left = (expand_urls(spec.experiments), {}) if spec.experiments else scans_to_predict(store)
    takes_polar, scans = input_of(spec.training).kind == "polar", {}
    polar = polar_scans(store) if takes_polar else frozenset[str]()
    for url in urls:
        key = scan_key(store, url) or ""
        info = listed.get(key)
        if takes_polar and key not in polar and (key or not has_polar_patterns(url)):
            left[experiment_name(url)] = "no polar patterns, which this classifier takes"
            continue
        scans[url] = f"{url_name(url)} {_sha256(url) if info is None else f'{info.size} {info.etag}'}"
    return scans, left


def _complete(store: ObjectStore, wanted: ClassifierInput) -> Iterable[tuple[Simulation, Kind]]:
    """Yield the complete datasets with the patterns to train on; one that cannot be used is logged."""
    for name in list_simulations(store):
        try:
            simulation = open_simulation(name, store)
            if wanted.array in simulation:
                yield simulation, kind_of(simulation, wanted)
        except StoreError as error:
            logger.info("%s is left out: %s", name, error)
        except Exception as error:  # noqa: BLE001 a damaged record must not end the retraining on all others
            logger.warning("%s is left out, its record is damaged (%s: %s)", name, type(error).__name__, error)


def _wanted(
    spec: RetrainingSpec, champion: ModelBundle | None, kinds: Sequence[Kind], simulated: Kind | None
) -> Kind | None:
    if champion is not None and (not spec.phases or sorted(spec.phases) == sorted(champion.phases)):
        if champion.input.array != input_of(spec.training).array:  # its axis is that of other patterns
            phases, sqrt = tuple(sorted(champion.phases)), champion.preprocessing.sqrt
            kinds = [kind for kind in kinds if (kind.phases, kind.sqrt) == (phases, sqrt)]
            return _only(kinds, simulated)
        return Kind(tuple(sorted(champion.phases)), champion.input_shape, champion.q_axis, champion.preprocessing.sqrt)
    return _only(kinds, simulated)


def _only(kinds: Sequence[Kind], simulated: Kind | None) -> Kind | None:
    """Return the kind of the dataset that was simulated for this, or else that of all datasets."""
    if simulated is not None or not kinds:
        return simulated
    others = [kind for kind in kinds if not kind.fits(kinds[0])]
    if others:
        raise InputError(
            f"the store holds {kinds[0]} and {others[0]}, and there is no champion that would say which is meant",
            "list datasets or phases, or give a simulation",
        )
    return kinds[0]


def _latest(simulations: Iterable[Simulation]) -> list[Simulation]:
    """Keep the latest of the datasets of the same document, in the order of their fingerprints."""
    latest: dict[str, Simulation] = {}
    for sim in sorted(simulations, key=lambda sim: str(sim.attrs["created"])):
        latest[document_of(sim)] = sim
    return sorted(latest.values(), key=lambda sim: sim.fingerprint)


def _sha256(url: str) -> str:
    with local_copy(url) as path, path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
