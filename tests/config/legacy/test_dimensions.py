"""Swept values: the same points in the same order, whatever keys of ours an old one touches."""

from __future__ import annotations

import pytest

from difsims_core.config.legacy.dimensions import at_point, find_axes, find_dimensions
from difsims_core.config.legacy.tagged_yaml import Dimension
from difsims_core.config.legacy.write import write_conversion
from difsims_core.config.sweep import load_sweep
from difsims_core.errors import SpecError
from tests.config.legacy.documents import convert, convert_yaml, warning

HEAD = """
sim_params: !pspace
  random_seed: {seed}
  structure_parameters: {{phase_files: [gratia_2h.cif, pbi2_2h.cif]}}
  calibration_parameters: {{calibration_value: [0.00588], calibration_modify_percent: {percent}}}
  orientations_parameters: {{n_points: {points}, use_orix_sampling: {orix}}}
  relrod_parameters: {{relrod_list: [0.02, 1]}}
  sigma_parameters: {{sigma_2d_gaussian_list: [2]}}
  data_augmentation_parameters:
    noise_addition: {{add_noise: {noise}, snrs: [0.9], intensity_spikes: [0, 1]}}
  postprocessing_parameters:
    {{crop_in_k: {crop}, crop_in_px: true, cropping_start_k: 0.2, cropping_stop_k: 1.1, sqrt_signal: {sqrt},
      save_md_to_mongodb: {database}}}
"""
SETTINGS = {
    "seed": "10", "percent": "5", "points": "10", "orix": "true", "noise": "random", "crop": "false", "sqrt": "false",
    "database": "false",
}  # fmt: skip


def converted(folder, **settings):
    return convert_yaml(folder, HEAD.format(**(SETTINGS | settings)))


def dim(default, *values):
    return f"!pdim {{default: {default}, values: [{', '.join(map(str, values))}]}}"


def test_seeds(tmp_path):
    done = converted(tmp_path, seed=dim(10, 0, 5, 10))
    assert done.document["sweep"] == {"seed": [0, 5, 10]}
    assert [point.spec.seed for point in done.sweep.points] == [0, 5, 10]
    assert done.document["seed"] == 10


def test_the_last_by_name_varies_fastest_as_in_paramspace(tmp_path):
    done = converted(tmp_path, seed=dim(10, 0, 5), sqrt=dim("false", "true", "false"))
    assert list(done.document["sweep"]) == ["postprocessing.sqrt", "seed"]
    found = [(point.spec.postprocessing.sqrt, point.spec.seed) for point in done.sweep.points]
    assert found == [(True, 0), (True, 5), (False, 0), (False, 5)]


def test_an_order_goes_before_the_name(tmp_path):
    seeds = "!pdim {default: 10, values: [0, 5], order: -1}"
    done = converted(tmp_path, seed=seeds, sqrt=dim("false", "true", "false"))
    assert list(done.document["sweep"]) == ["seed", "postprocessing.sqrt"]


def test_a_choice_of_orientations_is_one_key(tmp_path):
    done = converted(tmp_path, orix=dim("true", "true", "false"))
    assert list(done.document["sweep"]) == ["orientations"]
    assert [point.spec.orientations.kind for point in done.sweep.points] == ["grid", "uniform"]


def test_a_modified_calibration_is_one_key_and_with_a_k_crop_two_in_step(tmp_path):
    done = converted(tmp_path, percent=dim(0, 0, 5, 10))
    assert list(done.document["sweep"]) == ["calibration_scale"]
    assert [point.spec.calibration_scale.support()[1] for point in done.sweep.points] == pytest.approx([1, 1.05, 1.1])

    done = converted(tmp_path, percent=dim(0, 0, 5, 10), crop="true")
    assert list(done.document["sweep"]) == ["calibration_scale, postprocessing.q_crop.jitter"]
    jitters = [point.spec.postprocessing.q_crop.jitter for point in done.sweep.points]
    assert jitters[0] is None
    assert jitters[2].support() == (0.9, 1.1)


def test_noise_changes_several_keys_together(tmp_path):
    done = converted(tmp_path, noise=dim("random", "false", "random"), seed=dim(1, 1, 2))
    points = [(point.spec.noise is None, point.spec.noise_model, point.spec.seed) for point in done.sweep.points]
    assert points == [
        (True, "physical", 1), (True, "physical", 2), (False, "historical", 1), (False, "historical", 2),
    ]  # fmt: skip


def test_products_that_no_axes_give_become_one_axis(tmp_path):
    text = HEAD.replace("relrod_list: [0.02, 1]", "randomise_relrod: {relrod}, relrod_list: [0.02, 1]")
    settings = SETTINGS | {"noise": "false", "points": dim(10, 10, 20)}
    done = convert_yaml(tmp_path, text.format(**settings, relrod=dim("true", "true", "false")))
    assert list(done.document["sweep"]) == ["n_patterns, combinations"]
    found = [(point.spec.n_patterns, point.spec.combinations) for point in done.sweep.points]
    through = ("diffraction.precession_angle_deg",)
    assert found == [(20, False), (40, through), (40, False), (80, through)]


def test_what_changes_nothing_here_is_swept_no_longer(tmp_path):
    done = converted(tmp_path, database=dim("true", "true", "false"), seed=dim(1, 1, 2))
    assert done.document["sweep"] == {"seed": [1, 2]}
    assert "swept no longer" in warning(done, "save_md_to_mongodb")


def test_values_that_mean_the_same_are_one_point(tmp_path):
    assert len(converted(tmp_path, percent=dim(0, 5, -5, 0)).sweep.points) == 2


def test_a_default_that_is_no_value_stays_in_the_document_alone(tmp_path):
    done = converted(tmp_path, seed=dim(3, 0, 5))
    assert done.document["seed"] == 3
    assert [point.spec.seed for point in done.sweep.points] == [0, 5]


def test_nothing_swept_is_no_sweep(tmp_path):
    done = convert(tmp_path)
    assert "sweep" not in done.document
    assert [point.label for point in done.sweep.points] == [""]


def test_findings_of_all_points_are_told_once(tmp_path):
    done = converted(tmp_path, points=dim(10, 10, 20, 30))
    keys = [finding.key for finding in done.findings]
    assert len(keys) == len(set(keys))


def test_keys_beside_the_parameters_are_named(tmp_path):
    done = convert_yaml(tmp_path, HEAD.format(**SETTINGS) + "other: 3\n")
    assert "stands beside sim_params" in warning(done, "other")


def test_more_points_than_anyone_runs(tmp_path):
    many = "!pdim {default: 1, range: [200]}"
    with pytest.raises(SpecError, match=r"40,000.*10,000"):
        converted(tmp_path, seed=many, points=many)


def test_points_of_different_keys_are_refused():
    tree = {"a": Dimension(1, (1, 2), 0)}

    def convert_one(values):
        return {"x": 1} if values["a"] == 1 else {"y": 2}

    with pytest.raises(SpecError, match=r"^old: .* y "):
        find_axes(tree, find_dimensions(tree), convert_one, "old")


def test_dimensions_are_found_in_lists_too():
    tree = {"a": [1, {"b": Dimension(3, (4, 5), 0)}]}
    (place,) = find_dimensions(tree)
    assert place == ("a", 1, "b")
    assert at_point(tree, {}) == {"a": [1, {"b": 3}]}
    assert at_point(tree, {place: 5}) == {"a": [1, {"b": 5}]}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed": dim(10, 0, 5, 10), "sqrt": dim("false", "true", "false")},
        {"percent": dim(0, 0, 5), "crop": "true"},
        {"orix": dim("true", "true", "false"), "noise": dim("random", "false", "random")},
    ],
)
def test_the_written_document_is_read_as_the_same_sweep(tmp_path, settings):
    done = converted(tmp_path, **settings)
    text = write_conversion(done, "9.9")
    path = tmp_path / "new.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_sweep(path) == done.sweep
    assert max(len(line) for line in text.splitlines() if line.startswith("#")) <= 120
    head = "".join(line for line in text.splitlines() if line.startswith("#"))
    assert "difsims 9.9" in head
    assert "old.yml" in head
    assert "precession angle in degrees" in head.replace("#  ", "")
    assert "# relrod_parameters.relrod_list" in text


def test_what_was_gone_through_is_said_beside_it(tmp_path):
    text = write_conversion(convert(tmp_path, sigma__randomise_sigmas=False), "9.9")
    assert "combinations: [spots.sigma_px]  # sigma_parameters.sigma_2d_gaussian_list\n" in text
    assert "combinations: false  # no list was gone through\n" in write_conversion(convert(tmp_path), "9.9")


def test_nothing_from_outside_leaves_its_comment(tmp_path):
    evil = "bad\nn_patterns: 1\u2028seed: 2\x1b"
    done = convert(tmp_path, **{f"top__{evil}": 1})
    path = tmp_path / "new.yaml"
    path.write_text(write_conversion(done, "1"), encoding="utf-8")
    assert load_sweep(path) == done.sweep
