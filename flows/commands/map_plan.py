"""What `difsims map` does with raw scans: how they are preprocessed, and which models are to map them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from difsims_core.config.documents import load_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.errors import ExperimentError, InputError
from difsims_core.learn.bundle import load_bundle
from difsims_core.models.recipes import find_model, training_for, with_crystals
from difsims_core.models.registry import resolve_model
from difsims_core.models.work_left import Work, in_words, work_left
from difsims_core.results.evaluate_map import candidate_phases, locations_of
from difsims_core.scans.raw_listing import raw_key
from flows.execution.steps import read_raw_one

if TYPE_CHECKING:
    from difsims_core.config.learning import TrainingDocument
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.storage.objects import ObjectStore


@dataclass(frozen=True)
class WantedModel:
    """A model that is there, or yet to be made.

    Attributes
    ----------
    simulation, training
        What it is made of; None of one that was named.
    id : str or None
        None: it is yet to be made.
    """

    simulation: SimulationSpec | None
    training: TrainingDocument | None
    id: str | None


@dataclass(frozen=True)
class MapPlan:
    """What is to be done.

    Attributes
    ----------
    preprocessing : PreprocessingSpec
        Of all scans.
    models : tuple of WantedModel
        One for each beam energy.
    of_scan : tuple of int
        Number of the model that maps each scan, in the order of `raw_scans`.
    also_read : list of str
        Crystal files that the user has named.
    story : list of str
        What is there and what is to be made, and how long that takes; for people.
    """

    preprocessing: PreprocessingSpec
    models: tuple[WantedModel, ...]
    of_scan: tuple[int, ...]
    also_read: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


def plan_by_model(store: ObjectStore, n_scans: int, preprocessing: PreprocessingSpec, model: str) -> MapPlan:
    """Return what is to be done with a model that is there; its phases are the candidates where none are named."""
    bundle = load_bundle(resolve_model(store, model), store)
    if not preprocessing.phases:
        preprocessing = preprocessing.model_copy(update={"phases": candidate_phases(store, bundle)})
    return MapPlan(preprocessing, (WantedModel(None, None, bundle.id),), (0,) * n_scans)


def plan_by_phases(
    store: ObjectStore,
    scans: Sequence[str],
    preprocessing: PreprocessingSpec,
    phases: Sequence[str],
    recipe: Path,
    changes: Sequence[str] = (),
) -> MapPlan:
    """Return what is to be done for phases: a model of them for each beam energy of the scans.

    Parameters
    ----------
    store
        Where models are looked for.
    scans
        Raw scans; they are opened for their beam energy, nothing of them is read.
    preprocessing
        Its phases become these where it names none.
    phases
        Names and CIF files; each text may hold several, with commas between.
    recipe
        Document of the pipeline that makes a model.
    changes
        ``key=value`` strings applied to the recipe.

    Raises
    ------
    InputError
        If phases, recipe or scans cannot be used, or nobody knows the beam energy of one.
    """
    document = load_spec(recipe, PipelineSpec, changes)
    names = [name for text in phases for name in _names(text)]
    kind = "polar" if preprocessing.integration.polar else "profile"
    training = training_for(document, kind)
    energies = [_beam_energy_kv(store, scan, preprocessing) for scan in scans]
    models: list[WantedModel] = []
    story: list[str] = []
    distinct = list(dict.fromkeys(energies))
    for energy in distinct:
        simulation = with_crystals(document, names, energy).simulation
        found = find_model(store, simulation, training)
        models.append(WantedModel(simulation, training, None if found is None else found.id))
        of = f"{', '.join(simulation.class_names)} at {energy:g} kV"
        if found is not None:
            story.append(
                f"the model of {of}: {found.id}, right on {found.metrics['accuracy']:.1%} of simulated patterns"
            )
            continue
        story.append(f"there is no model of {of} by {recipe.name} in {store.root} yet; one is made, and kept:")
        story += _work_in_words(work_left(store, simulation, training))
    simulation = models[0].simulation
    assert simulation is not None  # noqa: S101 narrows the type
    if not preprocessing.phases:
        files = tuple(find_crystal(phase.name, phase.cif, simulation.crystal_folder) for phase in simulation.phases)
        preprocessing = preprocessing.model_copy(update={"phases": files})
    number = tuple(distinct.index(energy) for energy in energies)
    return MapPlan(preprocessing, tuple(models), number, locations_of((), simulation), story)


def _work_in_words(left: Sequence[Work]) -> list[str]:
    seconds = [work.seconds for work in left]
    in_all = None if None in seconds else sum(filter(None, seconds))
    last = f"in all {in_words(in_all)} while nothing else runs here; stopped, the same command goes on"
    return [f"  {line}" for line in (*left, last)]


def _names(text: str) -> list[str]:
    """Return the phases of an option: the text itself where such a file exists, commas in its name or not."""
    if Path(text).is_file():
        return [text]
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"--phases {text!r}: expected names or CIF files with a comma between, found an empty one")
    return names


def _beam_energy_kv(store: ObjectStore, scan: str, preprocessing: PreprocessingSpec) -> float:
    """Return what the file says, or the document; a scan that was uploaded is first read by a process with limits."""
    from difsims_core.experiment.open_scan import open_raw_scan

    if raw_key(store, scan) is not None:
        read_raw_one(scan, preprocessing)
    found = open_raw_scan(scan, preprocessing.reading).beam_energy_kv
    if found is None:
        raise ExperimentError(
            f"{scan}: does not say at which beam energy it was recorded",
            "give it in kV, as --set reading.beam_energy_kv=200",
        )
    return round(found, 1)
