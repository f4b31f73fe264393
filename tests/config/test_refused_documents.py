"""Documents that are refused: each by its file, its key and what was found."""

from __future__ import annotations

import pytest

from difsims_core.config.documents import apply_changes, load_spec, make_spec, read_document
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import SpecError


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"n_pattern": 3}, ["n_pattern", "'n_patterns'"]),
        ({"noise": {"dosee": 3}}, ["noise", "'dose'"]),
        ({"microscope": {"beam_energy_kv": 200_000}}, ["beam_energy_kv", "3000", "200000"]),
        ({"spots": {"sigma_px": {"uniform": [5, 1]}}}, ["sigma_px", "5", "1"]),
        ({"noise": {"dose": {"log_uniform": [0, 10]}}}, ["dose", "log_uniform"]),
        ({"lattice_scale": [0.9, 1.1]}, ["lattice_scale", "{uniform: [low, high]}"]),
        ({"lattice_scale": 98}, ["lattice_scale", "98"]),
        ({"calibration_scale": {"normal": [1, 0.1]}}, ["calibration_scale", "log_uniform", "normal"]),
        ({"detector": {"calibration_per_angstrom": 5.88}}, ["calibration_per_angstrom"]),
        ({"diffraction": {"precession_angle_deg": 1, "shape_factor": "sinc"}}, ["lorentzian"]),
        ({"diffraction": {"debye_waller": {"Pb": 900}}}, ["Pb", "B = 8π²U"]),
        ({"phases": "pb"}, ["phases", "[pb]"]),
        ({"phases": ["pb", "pb"]}, ["phase", "pb"]),
        ({"phases": ["../etc/passwd"]}, ["phases"]),
        ({"phases": []}, ["phases"]),
        ({"seed": -1}, ["seed"]),
        ({"n_patterns": "many"}, ["n_patterns", "many"]),
        ({"postprocessing": {"sqrt": "yes"}}, ["postprocessing: sqrt", "true", "'yes'"]),
        ({"seed": "10:30"}, ["seed", "1e3", "'10:30'"]),
        ({"seed": "1_000"}, ["seed", "'1_000'"]),
        ({"noise": "off"}, ["noise", "null"]),
        ({"lattice_scale": True}, ["lattice_scale", "rue"]),
        ({"n_patterns": True}, ["n_patterns", "rue"]),
        ({"noise": {"dose": "much"}}, ["noise.dose", "log_uniform", "'much'"]),
        ({"spots": {"removal": {"among": 5, "count": -2}}}, ["removal.count"]),
        ({"spots": {"removal": {"among": 5, "count": 9}}}, ["removal", "count", "among"]),
        ({"spots": {"sigma_px": {"choice": [1 + 0.01 * i for i in range(100)]}}}, ["sigma_px", "64"]),
        ({"background": {"model": "power_law", "decay_angstrom": 30}}, ["background", "exponent"]),
        ({"distortion": {"elipticity": 0.1}}, ["distortion", "'ellipticity'"]),
        ({"distortion": 0.1}, ["distortion", "{}", "centre_error_px", "0.1"]),
        ({"noise": False}, ["noise", "null"]),
        ({"thickness_angstrom": 100}, ["diffraction.thickness_angstrom"]),
        ({"dose": 100}, ["noise.dose"]),
        ({"diffraction": {"thickness_angstrom": 0}}, ["diffraction.thickness_angstrom: 0 ", " 2 …"]),
        ({"overlap": {"fraction": {"uniform": [0.4, 0.1]}}}, ["overlap.fraction", "0.4", "0.1"]),
        ({"overlap": {"fraction": 0.7}}, ["overlap.fraction", "0.7"]),
        ({"intensities": "two_beam"}, ["intensities", "{model: two_beam}"]),
        ({"intensities": {"exponent": 1}}, ["intensities", "{model: …}", "two_beam, random"]),
        ({"intensities": {"model": "dynamical"}}, ["intensities", "'dynamical'"]),
        ({"intensities": {"model": "two_beam"}}, ["two_beam", "diffraction.thickness_angstrom"]),
        ({"intensities": {"model": "random", "skatter": 1}}, ["intensities", "'scatter'"]),
        ({"combinations": "spots.sigma_px"}, ["combinations", "[spots.sigma_px]"]),
        ({"combinations": [3]}, ["combinations", "[spots.sigma_px]"]),
        ({"orientations": {"kind": "list"}}, ["orientations", "file"]),
        ({"orientations": {"order": "sequential"}}, ["orientations", "order"]),
        ({"output": {"precision": "full"}}, ["output.precision", "'rounded'", "'exact'", "full"]),
        ({"postprocessing": {"q_crop": {"jitter": 0.02}}}, ["postprocessing.q_crop.jitter", "0.02"]),
        ({"postprocessing": {"q_crop": {"q_min_per_angstrom": 2, "q_max_per_angstrom": 1}}}, ["q_min 2", "q_max 1"]),
    ],
)
def test_bad_values_are_named(document, words):
    with pytest.raises(SpecError) as caught:
        make_spec(document)
    for word in words:
        assert word in str(caught.value)


def test_bad_files_are_named(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere\.yaml"):
        load_spec(tmp_path / "nowhere.yaml")
    bad = tmp_path / "bad.yaml"
    for text, words in [
        ("a: [1", "malformed"),
        ("- 1", r"bad\.yaml"),
        ("seed: 2020-01-01", "seed.*'2020-01-01'"),
        ("a: &a [*a]", r"line 1.*\*a"),
        ("seed: 1\nseed: 2", "line 2.*seed"),
        ("[" * 20_000, "malformed"),
        ("#" * 1_100_000, "1,000,000"),
        ("seed = 3", "'seed = 3'"),
        ("a: !!python/object:os.system {}", "malformed"),
    ]:
        bad.write_text(text)
        with pytest.raises(SpecError, match=words):
            load_spec(bad)
    for content in (b"\xff\xfe\x00", "# Å\nseed: 3".encode("latin-1")):
        bad.write_bytes(content)
        with pytest.raises(SpecError, match=r"bad\.yaml") as caught:
            load_spec(bad)
        assert "UTF-8" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"seed": 1, "seed": 2}', "seed"),
        ('{"seed": NaN}', "NaN"),
        ('{"seed": 1' + "0" * 5000 + "}", "'1000"),
        ('{"seed": ' + "[" * 51 + "]" * 51 + "}", "50"),
        ("[" * 200_000, "50"),
        (r'{"store": "\ud800"}', r"\\u"),
        ('{"seed": 1,\n}', "line 2, column 1"),
        ("3", r"\bint\b"),
    ],
)
def test_json_is_read_as_strictly(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SpecError, match=f"a.json: .*{words}"):
        read_document(tmp_path / "a.json")


@pytest.mark.parametrize("change", ["n_patterns", "=3", "noise.dose={", "seed.x=1"])
def test_malformed_changes_are_refused(change):
    with pytest.raises(SpecError):
        make_spec(apply_changes({"seed": 1}, [change]))


@pytest.mark.parametrize("name", ["\x00", "\x1b[2J", "\u202e"])
def test_errors_about_names_of_control_characters_hold_none(name):
    for document in ({"phases": name}, {"phases": ["pb", name, name]}):
        with pytest.raises(SpecError) as caught:
            make_spec(document, SimulationSpec)
        assert all(character.isprintable() for character in str(caught.value).replace("\n", ""))
