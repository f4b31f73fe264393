"""The shipped historical document is what becomes of the legacy platform's public parameter document."""

from __future__ import annotations

import json

import pytest

from difsims_core.config.documents import load_spec
from difsims_core.config.legacy.convert import convert_document
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import simulate

# Values of jordiferrero/diffsims_xl, ml_difsims/simulators/param_space_yaml.yml, as of commit 0e23862.
PUBLIC = {
    "random_seed": 10,
    "structure_parameters": {
        "phase_files": ["p4mbm_scaled_mixed_halide.cif", "gratia_2h.cif", "pbi2_2h.cif"],
        "add_bkg_phase": False,
        "scattering_params": "lobato",
    },
    "calibration_parameters": {"calibration_value": [0.00588], "calibration_modify_percent": 5},
    "orientations_parameters": {
        "n_points": 10_000,
        "use_orix_sampling": True,
        "orientation_files_list": [f"orientations_pg{group}_3_xxxx.npy" for group in (422, 622, 32)],
        "orientation_sampling_mode": ["cubo", "euler", "quat"],
    },
    "data_augmentation_parameters": {
        "peak_removal": {
            "remove_peaks_from_diffraction_library": True,
            "n_intensity_peaks": 20,
            "num_peaks_to_remove": "random",
        },
        "noise_addition": {
            "add_noise": "random",
            "include_also_non_noisy_simulation": False,
            "snrs": [0.9, 0.99, 0.999, 0.9999],
            "intensity_spikes": [0, 0.1, 0.25, 0.5, 0.75],
        },
        "background_parameters": {
            "add_background_to_simulation": "random",
            "include_also_non_bkg_simulation": False,
            "a_vals": [0, 0.1, 1, 5, 10],
            "tau_vals": [0.1, 0.5, 1, 1.5, 2, 2.5],
        },
        "simulated_direct_beam_bool": False,
    },
    "relrod_parameters": {"randomise_relrod": True, "relrod_list": [0.02, 0.2, 0.4, 0.6, 1, 2, 5, 10]},
    "sigma_parameters": {"randomise_sigmas": True, "sigma_2d_gaussian_list": list(range(1, 11))},
    "detector_geometry": {
        "detector_size": 515,
        "beam_energy": 200,
        "radial_integration_1d": True,
        "radial_integration_2d": True,
        "save_peak_position_library": False,
    },
    "postprocessing_parameters": {
        "crop_in_k": False,
        "crop_in_px": True,
        "save_full_scan": True,
        "cropping_start_k": 0.11,
        "cropping_stop_k": 1.30,
        "cropped_signal_k_points": 147,
        "cropping_start_px": 13,
        "cropping_stop_px": 160,
        "sqrt_signal": False,
    },
}


def test_the_shipped_document_differs_from_it_only_where_it_says_so(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(PUBLIC), encoding="utf-8")
    (point,) = convert_document(path).sweep.points
    converted = point.spec.to_document()
    shipped = load_spec(specs_folder() / "historical.yaml").to_document()
    assert converted["n_patterns"] == 30_000
    for document in (converted, shipped):
        del document["n_patterns"], document["phases"]
        document["output"] |= {"polar_px": False, "polar_all": False}
    assert shipped == converted


def test_the_shipped_legacy_document_is_the_public_one_with_a_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text(json.dumps(PUBLIC), encoding="utf-8")
    (alone,) = convert_document("old.json").sweep.points
    shipped = convert_document("legacy.yaml")
    assert [point.spec.seed for point in shipped.sweep.points] == [10, 15]
    assert shipped.sweep.points[0].spec == alone.spec
    assert shipped.findings


def test_what_was_added_since_is_off():
    spec = load_spec(specs_folder() / "historical.yaml")
    added = ("intensities", "overlap", "distortion", "cut_off", "amorphous_ring", "inelastic")
    assert [getattr(spec, name) for name in added] == [None] * len(added)
    assert spec.diffraction.thickness_angstrom is None
    assert spec.spots.convergence_semi_angle_mrad is None
    assert not spec.combinations


@pytest.mark.parametrize("crop", ["x_px", "x_all"])
def test_it_simulates(crop):
    spec = load_spec(specs_folder() / "historical.yaml", changes=["orientations.resolution_deg=10"])
    block = simulate(spec, 0, 60)
    assert getattr(block, crop).min() == 0
    assert (getattr(block, crop).max(axis=1) == 1).all()
