"""A model of somebody's own crystals at the beam energy of their scans, as a recipe makes it: found, or yet to be made.

A recipe is the document of a pipeline (``polar.yaml``): its simulation and its classifiers, with other phases and
another beam energy put in. What it makes is known by fingerprint, so that the same question finds it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from difsims_core.config.documents import make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import input_of
from difsims_core.simulation.inputs import Inputs

if TYPE_CHECKING:
    from difsims_core.config.learning import TrainingDocument
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.storage.objects import ObjectStore


def with_crystals(recipe: PipelineSpec, phases: Sequence[str], beam_energy_kv: float) -> PipelineSpec:
    """Return a recipe for other phases at a beam energy.

    Parameters
    ----------
    recipe
        The document; all else of it stays.
    phases
        Names or CIF files, in any order: the same phases make the same dataset.
    beam_energy_kv
        Of the scans, kV.

    Raises
    ------
    InputError
        If there are fewer than two, one is given twice, by whatever name, or has no crystal file; or no pattern can be
        simulated at this energy.

    Examples
    --------
    >>> from difsims_core.config.documents import load_spec
    >>> from difsims_core.models.recipes import with_crystals
    >>> spec = with_crystals(load_spec("polar.yaml", PipelineSpec), ["pb", "gratia_2h"], 300)
    >>> spec.simulation.class_names, spec.simulation.microscope.beam_energy_kv
    (('gratia_2h', 'pb'), 300.0)
    """
    if len(phases) < 2:
        raise InputError(
            f"expected two phases or more, found {', '.join(phases) or 'none'}: a classifier tells them apart",
            "name all that the specimen may hold",
        )
    document = recipe.to_document()
    simulation = document["simulation"] | {"phases": list(phases)}
    simulation["microscope"] = simulation["microscope"] | {"beam_energy_kv": beam_energy_kv}
    spec = make_spec(document | {"simulation": simulation}, PipelineSpec, source="phases and beam energy")
    first = [phase.name for phase in recipe.simulation.phases]
    ordered = sorted(
        spec.simulation.phases,
        key=lambda phase: (first.index(phase.name) if phase.name in first else len(first), phase.name),
    )
    found = Inputs.read(spec.simulation.model_copy(update={"phases": tuple(ordered)}))
    same: dict[str, str] = {}
    for crystal in found.crystals:
        other = same.setdefault(crystal.structure_sha256, crystal.name)
        if other != crystal.name:
            raise InputError(f"{other} and {crystal.name} are the same crystal", "name it once")
    return spec.model_copy(update={"simulation": found.spec})


def training_for(recipe: PipelineSpec, kind: Literal["profile", "polar"]) -> TrainingDocument:
    """Return the first classifier of a recipe that reads radial profiles, or polar patterns.

    Raises
    ------
    InputError
        If it has none.

    Examples
    --------
    >>> from difsims_core.config.documents import load_spec
    >>> from difsims_core.models.recipes import training_for
    >>> training_for(load_spec("polar.yaml", PipelineSpec), "polar").takes_polar
    True
    """
    found = next((training for training in recipe.trainings if input_of(training).kind == kind), None)
    if found is None:
        names = ", ".join(training.label for training in recipe.trainings)
        raise InputError(
            f"the recipe has no classifier of {kind} patterns, only {names}",
            "preprocess the scans with integration.polar: true"
            if kind == "profile"
            else "take another recipe, such as polar.yaml",
        )
    return found


def find_model(store: ObjectStore, simulation: SimulationSpec, training: TrainingDocument) -> ModelBundle | None:
    """Return the model of a document and a training, if the store holds it; its dataset may be gone.

    Raises
    ------
    InputError
        If a crystal cannot be read.
    StoreError
        If the store fails.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from difsims_core import SimulationSpec, TrainingSpec
    >>> from difsims_core.models.recipes import find_model
    >>> from difsims_core.storage.objects import open_store
    >>> with TemporaryDirectory() as folder:
    ...     find_model(open_store(folder), SimulationSpec(), TrainingSpec()) is None
    True
    """
    from difsims_core.dataset.plan import fingerprint
    from difsims_core.learn.data.training_data import training_fingerprint
    from difsims_core.learn.train import find_trained
    from difsims_core.learn.trained_index import find_indexed

    if training.source == "stream":
        return find_trained(store, simulation, training)
    return find_indexed(store, training_fingerprint(training, [fingerprint(Inputs.read(simulation))]))
