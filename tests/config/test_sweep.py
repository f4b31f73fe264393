"""Sweeps of parameter documents: what is read, in which order, what is refused."""

from __future__ import annotations

import dataclasses
import json

import pytest

import difsims_core
from difsims_core.config.documents import dump_spec, load_spec, make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import MOST_POINTS, load_sweep, make_sweep
from difsims_core.errors import SpecError


@pytest.fixture
def write(tmp_path):
    def write(text, name="doc.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_axes_vary_in_document_order_the_last_fastest(write):
    sweep = load_sweep(write("n_patterns: 30\nsweep: {random_seed: [0, 5, 10], postprocessing.sqrt: [true, false]}"))
    found = [(point.spec.seed, point.spec.postprocessing.sqrt) for point in sweep.points]
    assert found == [(0, True), (0, False), (5, True), (5, False), (10, True), (10, False)]
    assert {point.spec.n_patterns for point in sweep.points} == {30}
    assert sweep.points[1].label == "seed=0 postprocessing.sqrt=false"
    assert sweep.plain_axes == {"seed": [0, 5, 10], "postprocessing.sqrt": [True, False]}


def test_a_sweep_is_frozen_and_has_a_lazy_public_name(write):
    sweep = difsims_core.load_sweep(write("sweep: {seed: [1]}"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        sweep.points = ()


@pytest.mark.parametrize("text", ["n_patterns: 30", "n_patterns: 30\nsweep: null", "n_patterns: 30\nsweep: {}"])
def test_a_document_without_a_sweep_is_a_sweep_of_one(write, text):
    path = write(text)
    sweep = load_sweep(path)
    assert sweep.axes == ()
    ((label, spec),) = [(point.label, point.spec) for point in sweep.points]
    assert (label, spec) == ("", load_spec(path))


def test_json_documents_sweep_too(write):
    sweep = load_sweep(write(json.dumps({"sweep": {"seed": [1, 2]}}), "doc.json"))
    assert [point.spec.seed for point in sweep.points] == [1, 2]


def test_a_swept_key_overrides_the_document_under_either_name(write):
    sweep = load_sweep(
        write("random_seed: 3\npostprocessing: {sqrt: true}\nsweep: {seed: [1], postprocessing.sqrt: [false]}")
    )
    (point,) = sweep.points
    assert (point.spec.seed, point.spec.postprocessing.sqrt) == (1, False)


def test_values_may_be_distributions_sections_or_null(write):
    text = "sweep:\n  noise: [null, {dose: 10}]\n  spots.sigma_px: [2, {uniform: [1, 4]}]\n"
    sweep = load_sweep(write(text))
    assert [point.spec.noise is None for point in sweep.points] == [True, True, False, False]
    assert [point.spec.spots.sigma_px.support() for point in sweep.points[:2]] == [(2, 2), (1, 4)]
    assert sweep.points[3].label == 'noise={"dose": 10} spots.sigma_px={"uniform": [1, 4]}'


def test_nested_keys_are_dotted_ones(write):
    sweep = load_sweep(write("sweep: {postprocessing: {sqrt: [true, false]}, seed: [1]}"))
    assert list(sweep.plain_axes) == ["postprocessing.sqrt", "seed"]


def test_keys_in_step_are_one_axis(write):
    text = "sweep:\n  noise, background: [[null, null], [{dose: 10}, {amplitude: 1}]]\n  seed: [1, 2]\n"
    sweep = load_sweep(write(text))
    found = [(point.spec.noise is None, point.spec.background is None, point.spec.seed) for point in sweep.points]
    assert found == [(True, True, 1), (True, True, 2), (False, False, 1), (False, False, 2)]
    assert sweep.points[0].label == "noise=null background=null seed=1"
    again = make_sweep(sweep.points[0].spec.to_document(), sweep.plain_axes)
    assert again == sweep


def test_the_first_point_can_stand_for_the_document(write):
    sweep = load_sweep(write("n_patterns: 90\nsweep: {noise.dose: [5, 10], spots.removal: [null, {among: 3}]}"))
    assert make_sweep(sweep.points[0].spec.to_document(), sweep.plain_axes) == sweep


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("{random_seed: [1], seed: [2]}", "seed.*random_seed"),
        ("{seed: []}", "seed: "),
        ("{seed: [1, 2, 1]}", "seed.* 1 "),
        ("{diffraction.precession_angle_deg: [1, 1.0]}", r"precession_angle_deg.* 1\.0 "),
        ("{seed: 3}", r"seed.* 3; .*\[3\]"),
        ("{spots.sigma_px: {uniform: [1, 4]}}", r"spots\.sigma_px: .*uniform"),
        ("{noise: {}}", "noise: "),
        ("[1, 2]", r"\[1, 2\]"),
        ("{noise: [null], noise.dose: [1]}", r"noise.*noise\.dose"),
        ("{noise.dose: [1], noise: {dose: [2]}}", r"noise\.dose"),
        ("{'seed, ': [[1, 2]]}", "'seed, '"),
        ("{'seed, n_patterns': [[1, 2], [3]]}", r"seed, n_patterns.* 2 .*\[3\]"),
        ("{'seed, n_patterns': [[1, 2], 3]}", r"seed, n_patterns.* 2 .* 3"),
        ("{seed: [1, x]}", "seed=x: document: seed: .*'x'"),
        ("{sed: [1]}", "sed=1: document: .*'sed'.*'seed'"),
        ("{n_patterns: [1, 0]}", "n_patterns=0: n_patterns"),
        ("{noise.dose: [1, true]}", r"noise\.dose=true"),
        ("{phases.x: [1]}", r"phases\.x=1: .*'phases\.x'"),
    ],
)
def test_what_cannot_be_swept_is_refused(write, sweep, expected):
    path = write(f"phases: [pbi2_2h]\nsweep: {sweep}")
    with pytest.raises(SpecError, match=expected) as caught:
        load_sweep(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_more_points_than_anyone_runs(write):
    values = list(range(101))
    with pytest.raises(SpecError, match=r"10,201 .*101 × 101.* 10,000"):
        load_sweep(
            write(f"sweep: {{seed: {values}, noise.dose: {values[1:]}}}".replace("noise.dose: [", "noise.dose: [0.5, "))
        )
    assert MOST_POINTS == 10_000


def test_one_and_true_are_two_values_and_so_are_large_seeds(write):
    assert len(make_sweep({}, {"seed": [2**60, 2**60 + 1]}).points) == 2
    with pytest.raises(SpecError, match="seed=true"):
        make_sweep({}, {"seed": [1, True]})


def test_a_change_on_top_settles_a_swept_key(write):
    path = write("sweep: {seed: [1, 2], postprocessing.sqrt: [true, false]}")
    sweep = load_sweep(path, ["random_seed=7", "n_patterns=30"])
    assert [(point.spec.seed, point.spec.postprocessing.sqrt) for point in sweep.points] == [(7, True), (7, False)]
    assert load_sweep(path, ["sweep=null"]).axes == ()
    assert [axis.values for axis in load_sweep(path, ["sweep.seed=[4]"]).axes] == [(4,), (True, False)]


@pytest.mark.parametrize("change", ["noise.dose=3", "background=null"])
def test_a_change_within_a_swept_value_is_refused(write, change):
    path = write("sweep:\n  noise, background: [[null, null]]\n")
    with pytest.raises(SpecError, match="noise, background"):
        load_sweep(path, [change])


def test_one_spec_cannot_hold_a_sweep(write):
    path = write("sweep: {seed: [1, 2]}")
    with pytest.raises(SpecError, match=r"doc\.yaml.*load_sweep.*difsims simulate"):
        load_spec(path)
    assert load_spec(path, changes=["sweep=null"]) == SimulationSpec()
    assert make_spec({"sweep": {}}) == SimulationSpec()
    with pytest.raises(SpecError, match="'sweep'"):
        make_spec({"sweep": {"seed": [1]}}, PipelineSpec)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("old.yml", "sim_params: !pspace\n  random_seed: !pdim {default: 1, values: [1]}"),
        ("old.yml", "sim_params: {random_seed: 1}"),
        ("old.json", '{"structure_parameters": {}}'),
    ],
)
def test_a_document_of_the_older_platform_is_recognised(write, name, text):
    with pytest.raises(SpecError, match=r"old\.\w+: .*difsims convert"):
        load_sweep(write(text, name))


def test_both_names_of_the_seed_on_top_of_each_other(write):
    path = write("seed: 3")
    assert load_spec(path, changes=["random_seed=4"]).seed == 4
    assert load_spec(write("random_seed: 3"), changes=["seed=4"]).seed == 4


def test_a_sweep_of_a_written_document(write):
    path = write(dump_spec(SimulationSpec()) + "sweep: {seed: [10, 11]}\n")
    assert load_sweep(path).points[0].spec == SimulationSpec()
