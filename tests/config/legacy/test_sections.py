"""Crystals, orientations, detector, crops, what is kept, and keys that need nothing here or that nobody knows."""

from __future__ import annotations

from math import prod

import pytest

from difsims_core.config.legacy import sections
from difsims_core.diffraction.draws import combinations
from difsims_core.errors import SpecError
from difsims_core.signal import grid
from tests.config.legacy.documents import DROPPED, POINTS, convert, warning
from tests.config.legacy.test_quantities import EVERYTHING_THROUGH, spec_of


def test_phases_and_seed(tmp_path):
    done = convert(tmp_path)
    spec = spec_of(done)
    assert spec.class_names == ("gratia_2h", "pbi2_2h")
    assert (spec.seed, spec.crystal_folder) == (7, None)
    assert spec.diffraction.scattering_factors == "xtables"
    assert spec.lattice_scale.fixed == 1
    assert warning(done, "phase_files_location_from_root") == ""


def test_a_folder_of_crystals_that_exists_is_used(tmp_path):
    (tmp_path / "models" / "phases").mkdir(parents=True)
    place = {"top__root_path": str(tmp_path), "structure__phase_files_location_from_root": "models/phases"}
    done = convert(tmp_path, structure__phase_files=["mine.cif", "a.b.cif"], **place)
    spec = spec_of(done)
    assert spec.crystal_folder == str(tmp_path / "models" / "phases")
    assert [(phase.name, phase.cif) for phase in spec.phases] == [
        ("mine", None),
        ("a", str(tmp_path / "models" / "phases" / "a.b.cif")),
    ]


def test_a_folder_of_crystals_that_is_not_there(tmp_path):
    place = {"top__root_path": "C:/Users/me", "structure__phase_files_location_from_root": "models/phases"}
    done = convert(tmp_path, structure__phase_files=["gratia_2h.cif", "mine.cif"], **place)
    assert spec_of(done).crystal_folder is None
    told = warning(done, "phase_files_location_from_root")
    assert "C:/Users/me/models/phases" in told
    assert "mine.cif" in told
    assert "gratia_2h" not in told, "it comes along"
    assert "crystal_folder" in told


def test_the_background_class_counts(tmp_path):
    spec = spec_of(convert(tmp_path, structure__add_bkg_phase=True))
    assert spec.class_names == ("gratia_2h", "pbi2_2h", "background")
    assert spec.n_patterns == 3 * POINTS


def test_points_were_counted_for_each_phase(tmp_path):
    done = convert(tmp_path)
    assert spec_of(done).n_patterns == 2 * POINTS
    assert "100 × 2 classes = 200 n_patterns" in warning(done, "n_points")


@pytest.mark.parametrize("null", [None, DROPPED])
def test_scattering_of_atoms(tmp_path, null):
    done = convert(tmp_path, structure__scattering_params=null)
    assert spec_of(done).diffraction.scattering_factors == "lobato"
    assert bool(warning(done, "structure_parameters.scattering_params")) is (null is None)


@pytest.mark.parametrize(("mode", "method"), [("cubo", "cubochoric"), ("euler", "haar_euler"), ("quat", "quaternion")])
def test_lists_of_orientations_are_grids(tmp_path, mode, method):
    done = convert(tmp_path, orientations__orientation_sampling_mode=mode)
    found = spec_of(done).orientations
    assert (found.kind, found.method, found.resolution_deg, found.order) == ("grid", method, 5, "random")
    assert warning(done, "orientation_sampling_mode") == ""
    assert "not read" in warning(done, "orientation_files_list")


def test_several_modes_become_the_first(tmp_path):
    done = convert(tmp_path, orientations__orientation_sampling_mode=["quat", "cubo"])
    assert spec_of(done).orientations.method == "quaternion"
    assert "quat, cubo together" in warning(done, "orientation_sampling_mode")


@pytest.mark.parametrize(
    ("files", "expected"), [(["mine.npy"], 3.0), (["o_pg32_4_xxxx.npy", "o_pg32_2.5_cubo.npy"], 2.5)]
)
def test_a_resolution_that_the_names_do_not_tell(tmp_path, files, expected):
    done = convert(tmp_path, orientations__orientation_files_list=files)
    assert spec_of(done).orientations.resolution_deg == expected
    assert "set orientations.resolution_deg" in warning(done, "orientation_files_list")


def test_random_rotations(tmp_path):
    done = convert(tmp_path, orientations__use_orix_sampling=False)
    assert spec_of(done).orientations.kind == "uniform"
    assert "same for every phase" in warning(done, "use_orix_sampling")


def test_detector_and_beam(tmp_path):
    done = convert(tmp_path)
    spec = spec_of(done)
    assert spec.microscope.beam_energy_kv == 300
    assert (spec.detector.size_px, spec.detector.calibration_per_angstrom) == (515, 0.00588)
    assert spec.calibration_scale.fixed == 1
    assert warning(done, "detector_size") == ""


def test_calibrations_are_averaged_and_the_grid_no_longer_follows(tmp_path):
    done = convert(tmp_path, calibration__calibration_value=[0.005, 0.007])
    assert spec_of(done).detector.calibration_per_angstrom == pytest.approx(0.006)
    assert "do not share a q axis" in warning(done, "detector_size")


def test_a_modified_calibration_varies_it_for_every_pattern(tmp_path):
    done = convert(tmp_path, calibration__calibration_modify_percent=5)
    spec = spec_of(done)
    assert spec.calibration_scale.uniform == pytest.approx((0.95, 1.05))
    assert spec.postprocessing.q_crop is None
    assert "not only in the k crop" in warning(done, "calibration_modify_percent")


def test_null_left_the_calibration_alone(tmp_path):
    assert spec_of(convert(tmp_path, calibration__calibration_modify_percent=None)).calibration_scale.fixed == 1


def test_the_k_crop_is_the_q_crop_and_its_jitter_had_twenty_factors(tmp_path):
    done = convert(tmp_path, post__crop_in_k=True, calibration__calibration_modify_percent=10)
    crop = spec_of(done).postprocessing.q_crop
    assert (crop.q_min_per_angstrom, crop.q_max_per_angstrom, crop.n_points) == (0.2, 1.1, 90)
    factors = crop.jitter.choice
    assert len(factors) == 20
    assert (factors[0], factors[-1]) == (0.9, 1.1)
    assert factors[7] == pytest.approx(1 + (-10 + 20 * 7 / 19) / 100)


def test_the_jitter_is_no_combination(tmp_path):
    changes = EVERYTHING_THROUGH | {"post__crop_in_k": True, "calibration__calibration_modify_percent": 10}
    spec = spec_of(convert(tmp_path, **changes))
    assert "q_crop_scale" not in combinations(spec)
    assert spec.n_patterns == 2 * POINTS * prod(map(len, combinations(spec).values()))
    assert len(spec.postprocessing.q_crop.jitter.choice) == 20


def test_a_k_crop_without_a_modified_calibration_has_no_jitter(tmp_path):
    assert spec_of(convert(tmp_path, post__crop_in_k=True)).postprocessing.q_crop.jitter is None


def test_another_pixel_crop_becomes_a_q_crop_of_the_same_bins(tmp_path):
    done = convert(tmp_path, post__cropping_start_px=20, post__cropping_stop_px=100)
    crop = spec_of(done).postprocessing.q_crop
    assert crop.n_points == 80
    assert crop.q_min_per_angstrom == pytest.approx(grid.RadialGrid().q[20])
    assert crop.q_max_per_angstrom == pytest.approx(grid.RadialGrid().q[99])
    assert "train with profiles: x_q" in warning(done, "cropping_start_px")


def test_another_pixel_crop_beside_a_k_crop_is_left_to_the_reader(tmp_path):
    done = convert(tmp_path, post__cropping_stop_px=100, post__crop_in_k=True)
    assert spec_of(done).postprocessing.q_crop.n_points == 90
    assert "has the k values" in warning(done, "cropping_start_px")


def test_the_numbers_of_the_grid_are_its_own():
    assert sections._STEP == grid.REFERENCE_STEP_PER_ANGSTROM
    assert sections._CROP == grid.REFERENCE_CROP


def test_no_crop_at_all_is_not_possible(tmp_path):
    assert "always there" in warning(convert(tmp_path, post__crop_in_px=False), "crop_in_px")


def test_versions_without_switches_wrote_both_crops(tmp_path):
    done = convert(tmp_path, post__crop_in_px=DROPPED, post__crop_in_k=DROPPED, post__save_full_scan=DROPPED)
    assert spec_of(done).postprocessing.q_crop.n_points == 90
    assert spec_of(done).output.x_all
    assert warning(done, "not in the document") == ""


def test_versions_without_switches_varied_the_crop_alone(tmp_path):
    older = {"post__crop_in_px": DROPPED, "post__crop_in_k": DROPPED}
    spec = spec_of(convert(tmp_path, calibration__calibration_modify_percent=10, **older))
    assert spec.calibration_scale.fixed == 1
    assert spec.postprocessing.q_crop.jitter.support() == (0.9, 1.1)


def test_square_root(tmp_path):
    assert spec_of(convert(tmp_path, post__sqrt_signal=True)).postprocessing.sqrt


@pytest.mark.parametrize(
    ("full", "polar_pattern", "expected"),
    [
        (True, False, (True, False, False)),
        (False, False, (False, False, False)),
        (True, True, (True, True, True)),
        (False, True, (False, True, False)),
    ],
)
def test_what_is_kept(tmp_path, full, polar_pattern, expected):
    output = spec_of(convert(tmp_path, post__save_full_scan=full, detector__radial_integration_2d=polar_pattern)).output
    assert (output.x_all, output.polar_px, output.polar_all) == expected
    assert not output.peaks
    assert spec_of(convert(tmp_path, detector__save_peak_position_library=True)).output.peaks


def test_large_polar_data_are_announced(tmp_path):
    changes = {"orientations__n_points": 10_000, "detector__radial_integration_2d": True}
    assert "12 GB before compression" in warning(convert(tmp_path, **changes), "radial_integration_2d")


def test_profiles_are_always_there(tmp_path):
    done = convert(tmp_path, detector__radial_integration_1d=False)
    assert not spec_of(done).output.x_all
    assert "always there" in warning(done, "radial_integration_1d")


def test_keys_without_a_counterpart_are_named_in_one_line(tmp_path):
    done = convert(tmp_path, top__save_relpath="data", post__save_md_to_mongodb=True, detector__detector_type="M")
    told = warning(done, "left out")
    for name in ("save_relpath", "save_md_to_mongodb", "detector_type"):
        assert name in told


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("relrod__relrod_lst", "'relrod_list'"),
        ("top__relrod_parameter", "'relrod_parameters'"),
        ("post__beam_energy", "detector_geometry"),
        ("top__nothing_like_it_at_all_xyz", ""),
    ],
)
def test_unknown_keys_are_named_with_the_nearest_known_one(tmp_path, name, hint):
    told = warning(convert(tmp_path, **{name: 3}), name.rpartition("__")[2])
    assert told
    assert hint in told


def test_keys_that_are_not_there_are_named(tmp_path):
    done = convert(tmp_path, sigma__sigma_2d_gaussian_list=DROPPED)
    assert "sigma_parameters.sigma_2d_gaussian_list" in warning(done, "not in the document")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"structure__phase_files": []}, "phase_files"),
        ({"structure__phase_files": [3]}, r"phase_files.*3"),
        ({"structure__phase_files": ["a.cif", "a.cif"]}, "; a "),
        ({"structure__scattering_params": "muffin"}, r"scattering_params.*lobato.*xtables.*'muffin'"),
        ({"orientations__n_points": DROPPED}, "n_points"),
        ({"orientations__n_points": 1.5}, r"n_points.*1\.5"),
        ({"orientations__orientation_sampling_mode": "hex"}, r"orientation_sampling_mode.*cubo, euler, quat.*'hex'"),
        ({"post__cropping_start_px": 160}, r"cropping_start_px.*160"),
        ({"top__relrod_parameters": 5}, r"relrod_parameters.*5"),
        ({"top__root_path": 5, "structure__phase_files_location_from_root": "a"}, r"location_from_root.*'a'.* 5"),
        ({"calibration__calibration_modify_percent": 80}, "calibration_scale"),
    ],
)
def test_values_without_meaning_are_refused(tmp_path, changes, expected):
    with pytest.raises(SpecError, match=expected):
        convert(tmp_path, **changes)
