"""Parameter documents: frozen, hashable, forbidding, with the nearest key named (CONTRIBUTING.md, style 6)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from difsims_core.config.diffraction import DiffractionSpec
from difsims_core.config.distributions import Choice, LogUniform
from difsims_core.config.documents import apply_changes, dump_spec, load_spec, make_spec, read_document
from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import load_sweep
from difsims_core.errors import SpecError
from difsims_core.resources import specs_folder
from difsims_core.storage.urls import expand_urls

SHIPPED = ["reference", "bulk", "realistic", "historical"]
IMPERFECTIONS = ("intensities", "overlap", "distortion", "amorphous_ring", "inelastic", "cut_off")


@pytest.mark.parametrize("kind", [SimulationSpec, TrainingSpec, PipelineSpec])
def test_documents_survive_yaml_and_json(kind, tmp_path):
    spec = kind()
    (tmp_path / "a.yaml").write_text(dump_spec(spec), encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps(spec.to_document()), encoding="utf-8")
    for name in ("a.yaml", "a.json"):
        read = load_spec(tmp_path / name, kind)
        assert read == spec
        assert hash(read) == hash(spec)
        assert read.digest() == spec.digest()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_documents_are_valid(name):
    spec = load_spec(specs_folder() / f"{name}.yaml")
    assert spec.class_names == ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")


def test_shipped_documents_are_found_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_spec("reference.yaml") == SimulationSpec()
    with pytest.raises(SpecError, match=r"^referense\.yaml") as caught:
        load_spec("referense.yaml")
    assert "reference.yaml" in caught.value.remedy
    with pytest.raises(SpecError, match=str(tmp_path)):
        load_spec(tmp_path / "reference.yaml")
    (tmp_path / "reference.yaml").write_text("n_patterns: 7")
    assert load_spec("reference.yaml").n_patterns == 7


def test_the_shipped_pipeline_maps_the_samples_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = load_spec("pipeline.yaml", PipelineSpec)
    assert len(expand_urls(spec.experiments)) == 3
    assert Path(str(spec.truth_folder)).is_dir()


def test_scans_of_a_pipeline_are_looked_for_beside_its_document(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a_radial_crop.npz").touch()
    (tmp_path / "run.yaml").write_text("experiments: [scans/*.npz, elsewhere/*.npz, 's3://lab/*.npz', '**/*.npz']")
    found = load_spec(tmp_path / "run.yaml", PipelineSpec).experiments
    assert found == (str(tmp_path / "scans" / "*.npz"), "elsewhere/*.npz", "s3://lab/*.npz", "**/*.npz")


@pytest.mark.parametrize(("key", "meant"), [("truth", "truth_folder"), ("scans", "experiments"), ("model", "training")])
def test_a_wrong_key_of_a_pipeline_names_the_right_one(key, meant):
    with pytest.raises(SpecError, match=f"write '{meant}'"):
        make_spec({key: "x"}, PipelineSpec)


def test_reference_document_is_as_promised():
    spec = load_spec(specs_folder() / "reference.yaml")
    assert spec == SimulationSpec()
    assert (spec.n_patterns, spec.output.x_all) == (75_000, True)
    assert spec.diffraction.relrod_width_per_angstrom.support() == (0.005, 0.05)
    assert spec.lattice_scale.support() == (0.97, 1.03)
    assert spec.calibration_scale.support() == (0.98, 1.02)
    assert spec.noise is not None
    assert spec.noise.dose.support() == (20, 1e5)


def test_bulk_is_the_reference_without_full_profiles():
    reference = load_spec(specs_folder() / "reference.yaml").to_document()
    bulk = load_spec(specs_folder() / "bulk.yaml").to_document()
    assert bulk["n_patterns"] >= 10**6
    assert bulk["output"] == {**reference["output"], "x_all": False}
    for document in (reference, bulk):
        del document["n_patterns"], document["output"]
    assert bulk == reference


def test_realistic_is_the_reference_with_imperfections():
    reference = load_spec(specs_folder() / "reference.yaml").to_document()
    realistic = load_spec(specs_folder() / "realistic.yaml").to_document()
    on = [name for name in IMPERFECTIONS if realistic[name] is not None]
    assert on == ["intensities", "overlap", "distortion", "amorphous_ring", "inelastic"]
    kept = {**reference["output"], "x_all": False}
    for document in (reference, realistic):
        del document["orientations"], document["diffraction"]["thickness_angstrom"]
    assert {**reference, "output": kept} == realistic | dict.fromkeys(IMPERFECTIONS)


def test_realistic_patterns_are_dynamical_ones_from_libraries():
    spec = load_spec(specs_folder() / "realistic.yaml")
    assert (spec.engine, spec.orientations.kind) == ("bloch", "library")


def commented_out(name):
    """Return the dotted keys and values that stand behind a # in a shipped document."""
    section = ""
    for line in (specs_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if line[:1].isalpha():
            section = line.partition(":")[0]
        found = re.fullmatch(r"( *)# ([a-z_]+): (.+)", line)
        if found:
            indent, key, value = found.groups()
            yield f"{section}.{key}" if indent else key, value


@pytest.mark.parametrize(
    ("name", "key", "value"), [(name, *found) for name in SHIPPED for found in commented_out(name)]
)
def test_what_stands_commented_out_is_valid(name, key, value, tmp_path):
    path = specs_folder() / f"{name}.yaml"
    if key == "sweep":
        text = path.read_text(encoding="utf-8").replace("# sweep:", "sweep:")
        (tmp_path / "doc.yaml").write_text(text, encoding="utf-8")
        assert len(load_sweep(tmp_path / "doc.yaml").points) == 6
        return
    assert load_spec(path, changes=[f"{key}={value}"]) != load_spec(path)


def test_the_reference_names_every_section_and_every_kind_of_output():
    shown = {key.partition(".")[0] for key, _ in commented_out("reference")}
    plain = read_document(specs_folder() / "reference.yaml")
    assert shown | set(plain) >= set(SimulationSpec.model_fields)
    assert set(plain["output"]) == set(SimulationSpec().to_document()["output"])
    assert set(plain["diffraction"]) | {"thickness_angstrom"} == set(DiffractionSpec.model_fields)


def test_specs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        SimulationSpec().seed = 3


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_of_yaml_and_json_is_read(tmp_path, name, encoding):
    (tmp_path / name).write_bytes('{"phases": ["phase_α"],\r\n"seed": 10}'.encode(encoding))
    assert read_document(tmp_path / name) == {"phases": ["phase_α"], "seed": 10}


def test_changes_reach_nested_keys(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("n_patterns: 5\n")
    changes = ["n_patterns=7", "phases=[pb]", "noise.dose={choice: [10, 20]}", "spots.sigma_px=2"]
    spec = load_spec(path, changes=changes)
    assert spec.n_patterns == 7
    assert spec.class_names == ("pb",)
    assert spec.noise is not None
    assert spec.noise.dose == Choice(choice=(10, 20))
    assert spec.spots.sigma_px.support() == (2, 2)


def test_exponents_need_no_decimal_point():
    spec = make_spec(apply_changes({}, ["n_patterns=1e5", "noise.dose=2e4", "spots.sigma_px={uniform: [1e0, 3]}"]))
    assert spec.n_patterns == 100_000
    assert spec.noise is not None
    assert spec.noise.dose.support() == (2e4, 2e4)
    assert make_spec({"spots": {"sigma_px": np.float32(2)}}).spots.sigma_px.support() == (2, 2)


def test_changes_are_yaml_1_2():
    spec = make_spec(apply_changes({}, ["seed=010", "n_patterns=0x1F", "phases=[No, 'on']"]))
    assert (spec.seed, spec.n_patterns, spec.class_names) == (10, 31, ("No", "on"))
    with pytest.raises(SpecError, match=r"^noise: '\{dose: 3'"):
        apply_changes({}, ["noise={dose: 3"])


def test_a_phase_may_have_its_own_lattice_scale():
    spec = make_spec({"phases": ["pb", {"name": "pbi2_2h", "lattice_scale": {"log_uniform": [0.8, 1.1]}}]})
    assert spec.lattice_scale_of(0) == spec.lattice_scale
    assert spec.lattice_scale_of(1) == LogUniform(log_uniform=(0.8, 1.1))


def test_background_class_comes_last():
    assert make_spec({"phases": ["pb"], "background_class": True}).class_names == ("pb", "background")
    with pytest.raises(SpecError, match="background"):
        make_spec({"phases": ["background"], "background_class": True})


@pytest.mark.parametrize(("given", "kept"), [(True, (2, 72)), ({}, (2, 72)), ({"n_azimuths": 90}, (2, 90))])
def test_the_reduced_polar_grid_is_asked_for_as_the_other_outputs_are(given, kept):
    polar = make_spec({"output": {"polar": given}}).output.polar
    assert (polar.annuli_per_radius, polar.n_azimuths) == kept


def test_without_the_reduced_grid_a_document_is_what_it_was():
    assert make_spec({"output": {"polar": False}}) == make_spec({"output": {"polar": None}}) == SimulationSpec()
    assert "polar" not in fingerprint_document(SimulationSpec())["output"]
    digests = {make_spec({"output": {"polar": grid}}).digest() for grid in (None, {}, {"n_azimuths": 90})}
    assert len(digests) == 3
    with pytest.raises(SpecError, match=r"'azimuths'.*n_azimuths"):
        make_spec({"output": {"polar": {"azimuths": 90}}})
