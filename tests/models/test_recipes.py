"""Models of somebody's own crystals: what a recipe becomes, what is refused, and how long making one takes."""

from __future__ import annotations

import os

import pytest

from difsims_core import SimulationSpec, TrainingSpec
from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.dataset.plan import fingerprint
from difsims_core.errors import InputError
from difsims_core.learn import train, trained_index
from difsims_core.learn.data.training_data import training_fingerprint
from difsims_core.models import work_left
from difsims_core.models.recipes import find_model, training_for, with_crystals
from difsims_core.resources import crystal_folder
from difsims_core.simulation.inputs import Inputs
from difsims_core.storage.objects import open_store


@pytest.fixture(scope="module")
def recipe() -> PipelineSpec:
    return load_spec("polar.yaml", PipelineSpec)


def copies(folder, n):
    """Write crystals that differ in nothing but the length of one axis."""
    text = (crystal_folder() / "pb.cif").read_text()
    (old,) = [line for line in text.splitlines() if line.startswith("_cell_length_a")]
    found = []
    for i in range(n):
        new = "\n".join(f"_cell_length_{axis} {4.9 + 0.001 * i:.4f}" for axis in "abc")
        lines = [line for line in text.splitlines() if not line.startswith(("_cell_length_b", "_cell_length_c"))]
        (folder / f"pb_{i:03d}.cif").write_text("\n".join(lines).replace(old, new))
        found.append(str(folder / f"pb_{i:03d}.cif"))
    return found


def test_phases_in_any_order_are_the_same_recipe(recipe, tmp_path):
    (own,) = copies(tmp_path, 1)
    one, other = (with_crystals(recipe, names, 120) for names in (["pb", "gratia_2h", own], [own, "pb", "gratia_2h"]))
    assert one.simulation.class_names == ("gratia_2h", "pb", "pb_000")
    assert one == other
    assert one.simulation.phases[2].cif == own
    assert one.simulation.microscope.beam_energy_kv == 120
    assert one.simulation.output == recipe.simulation.output
    assert one.training == recipe.training
    own_phases = with_crystals(recipe, sorted(recipe.simulation.class_names), 200)
    assert own_phases.simulation.class_names == recipe.simulation.class_names, "a pipeline of it makes the same"


def test_what_cannot_be_told_apart_or_simulated_is_refused(recipe, tmp_path):
    twin = tmp_path / "twin.cif"
    twin.write_bytes((crystal_folder() / "pb.cif").read_bytes())
    for phases, energy, words in [
        (["pb"], 200, "two phases or more, found pb"),
        ([], 200, "two phases or more, found none"),
        (["pb", "pb"], 200, "pb appears more than once"),
        (["pb", str(twin)], 200, "pb and twin are the same crystal"),
        (["pb", "pbx"], 200, "no crystal file for phase 'pbx'"),
        (["pb", str(tmp_path / "gone.cif")], 200, "no CIF file"),
        ([f"p{i}" for i in range(251)], 200, "250"),
        (["pb", "gratia_2h"], 200_000, "beam_energy_kv"),
    ]:
        with pytest.raises(InputError, match=words):
            with_crystals(recipe, phases, energy)


def test_two_hundred_phases(recipe, tmp_path):
    spec = with_crystals(recipe, copies(tmp_path, 200), 200)
    assert len(spec.simulation.class_names) == 200


def test_the_classifier_is_that_of_the_input(recipe):
    assert training_for(recipe, "polar").label == "polar_harmonics"
    with pytest.raises(InputError, match="no classifier of profile patterns, only polar_harmonics"):
        training_for(recipe, "profile")
    both = recipe.model_copy(update={"also": (TrainingSpec(),)})
    assert training_for(both, "profile").label == "large_filter"


def test_a_model_is_found_without_its_dataset(tmp_path, monkeypatch):
    simulation, training = SimulationSpec(phases=("pb", "gratia_2h")), TrainingSpec()
    assert train.find_indexed is trained_index.find_indexed, "loaded before it is replaced"
    wanted = training_fingerprint(training, [fingerprint(Inputs.read(simulation))])
    monkeypatch.setattr(trained_index, "find_indexed", lambda _store, found: found)
    assert find_model(open_store(tmp_path), simulation, training) == wanted
    other = simulation.model_copy(update={"seed": 11})
    assert find_model(open_store(tmp_path), other, training) != wanted


def test_the_time_of_what_is_missing_is_estimated(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    library = {"kind": "library", "resolution_deg": 3, "thicknesses": 2}
    document = {"n_patterns": 4000, "phases": ["pb", "gratia_2h"], "orientations": library,
                "diffraction": {"thickness_angstrom": 100}, "output": {"polar": {}}}  # fmt: skip
    simulation = make_spec(document)
    training = TrainingSpec(network="polar_harmonics", epochs=3)
    steps = work_left.work_left(store, simulation, training)
    assert [step.what.split(" of ")[0] for step in steps] == [
        "libraries", "4,000 patterns", "polar_harmonics on 3,000",
    ]  # fmt: skip
    assert all(step.seconds > 0 for step in steps)
    stream = training.model_copy(update={"source": "stream"})
    monkeypatch.setattr(work_left, "_TRAINED", {"polar_harmonics": 1000.0})
    monkeypatch.setattr(work_left, "_SIMULATED", {"polar": 500.0})
    monkeypatch.setattr(work_left, "_PROCESSORS", os.cpu_count())
    assert [step.seconds for step in work_left.work_left(store, simulation, training)[1:]] == [8, 9]
    steps = work_left.work_left(store, simulation, stream)
    assert ["fresh" in step.what for step in steps] == [False, True]
    assert steps[1].seconds == pytest.approx(9 + 18), "fresh patterns are simulated in every epoch"
    monkeypatch.setattr(work_left, "_measured", lambda *_: 90.0)
    assert work_left.work_left(store, simulation, stream)[-1].seconds == 100, "a stream was measured as a whole"
    monkeypatch.undo()
    monkeypatch.setattr(work_left, "_TRAINED", {})
    *_, unknown = work_left.work_left(store, simulation, training)
    assert str(unknown).endswith("nobody has measured how long")
