"""Small documents in the legacy form, one value away from each other."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from difsims_core.config.legacy.convert import Conversion, convert_document

POINTS = 100
PLAIN: dict[str, Any] = {
    "random_seed": 7,
    "structure_parameters": {
        "phase_files": ["gratia_2h.cif", "pbi2_2h.cif"],
        "add_bkg_phase": False,
        "scattering_params": "xtables",
    },
    "calibration_parameters": {"calibration_value": [0.00588], "calibration_modify_percent": 0},
    "orientations_parameters": {
        "n_points": POINTS,
        "use_orix_sampling": True,
        "orientation_files_list": ["orientations_pg622_5_xxxx.npy", "orientations_pg32_5_xxxx.npy"],
        "orientation_sampling_mode": ["euler"],
    },
    "data_augmentation_parameters": {
        "peak_removal": {
            "remove_peaks_from_diffraction_library": True,
            "n_intensity_peaks": 8,
            "num_peaks_to_remove": "random",
        },
        "noise_addition": {
            "add_noise": "random",
            "include_also_non_noisy_simulation": False,
            "snrs": [0.9, 0.99],
            "intensity_spikes": [0, 0.5, 1],
        },
        "background_parameters": {
            "add_background_to_simulation": "random",
            "include_also_non_bkg_simulation": False,
            "a_vals": [0, 2],
            "tau_vals": [0.5, 1.5, 2.5],
        },
        "simulated_direct_beam_bool": False,
    },
    "relrod_parameters": {"randomise_relrod": True, "relrod_list": [0.02, 0.4, 5]},
    "sigma_parameters": {"randomise_sigmas": True, "sigma_2d_gaussian_list": [2, 4]},
    "detector_geometry": {
        "detector_size": 515,
        "beam_energy": 300.0,
        "radial_integration_1d": True,
        "radial_integration_2d": False,
        "save_peak_position_library": False,
    },
    "postprocessing_parameters": {
        "crop_in_k": False,
        "crop_in_px": True,
        "save_full_scan": True,
        "cropping_start_k": 0.2,
        "cropping_stop_k": 1.1,
        "cropped_signal_k_points": 90,
        "cropping_start_px": 13,
        "cropping_stop_px": 160,
        "sqrt_signal": False,
    },
}
SECTIONS = {
    "noise": "data_augmentation_parameters.noise_addition",
    "background": "data_augmentation_parameters.background_parameters",
    "removal": "data_augmentation_parameters.peak_removal",
    "augmentation": "data_augmentation_parameters",
    "relrod": "relrod_parameters",
    "sigma": "sigma_parameters",
    "structure": "structure_parameters",
    "orientations": "orientations_parameters",
    "calibration": "calibration_parameters",
    "detector": "detector_geometry",
    "post": "postprocessing_parameters",
    "top": "",
}
DROPPED = object()


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the plain document with ``section.key`` set, or dropped."""
    document = deepcopy(PLAIN)
    for name, value in changes.items():
        section, key = name.split(".")
        node = document
        for part in filter(None, SECTIONS[section].split(".")):
            node = node[part]
        if value is DROPPED:
            del node[key]
        else:
            node[key] = value
    return document


def convert(folder: Path, **changes: Any) -> Conversion:
    """Convert the plain document with ``section__key`` set."""
    path = folder / "old.json"
    document = changed({name.replace("__", "."): value for name, value in changes.items()})
    path.write_text(json.dumps(document), encoding="utf-8")
    return convert_document(path)


def convert_yaml(folder: Path, text: str) -> Conversion:
    """Convert a document given as text."""
    path = folder / "old.yml"
    path.write_text(text, encoding="utf-8")
    return convert_document(path)


def warning(conversion: Conversion, key: str) -> str:
    """Return what is said about the old key that ends like this, or an empty text."""
    found = [finding.text for finding in conversion.findings if finding.key.endswith(key)]
    assert len(found) <= 1, found
    return found[0] if found else ""
