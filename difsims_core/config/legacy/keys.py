"""Every key that legacy documents have had, over all its versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from difsims_core.config.legacy.reading import OldDocument
from difsims_core.plugins import nearest

BACKGROUND = "data_augmentation_parameters.background_parameters"
NOISE = "data_augmentation_parameters.noise_addition"
REMOVAL = "data_augmentation_parameters.peak_removal"
ORIENTATIONS = "orientations_parameters"
CALIBRATION = "calibration_parameters"
DETECTOR = "detector_geometry"
STRUCTURE = "structure_parameters"
POST = "postprocessing_parameters"

_USED = {
    "random_seed",
    "root_path",
    f"{STRUCTURE}.phase_files_location_from_root",
    f"{STRUCTURE}.phase_files",
    f"{STRUCTURE}.add_bkg_phase",
    f"{STRUCTURE}.scattering_params",
    "scattering_params",
    f"{CALIBRATION}.calibration_value",
    f"{CALIBRATION}.calibration_modify_percent",
    f"{ORIENTATIONS}.n_points",
    f"{ORIENTATIONS}.use_orix_sampling",
    f"{ORIENTATIONS}.orientation_files_list",
    f"{ORIENTATIONS}.orientation_sampling_mode",
    f"{REMOVAL}.remove_peaks_from_diffraction_library",
    f"{REMOVAL}.n_intensity_peaks",
    f"{REMOVAL}.num_peaks_to_remove",
    f"{NOISE}.add_noise",
    f"{NOISE}.include_also_non_noisy_simulation",
    f"{NOISE}.snrs",
    f"{NOISE}.intensity_spikes",
    f"{BACKGROUND}.add_background_to",
    f"{BACKGROUND}.add_background_to_1d",
    f"{BACKGROUND}.add_background_to_simulation",
    f"{BACKGROUND}.include_also_non_bkg_simulation",
    f"{BACKGROUND}.a_vals",
    f"{BACKGROUND}.tau_vals",
    "data_augmentation_parameters.simulated_direct_beam_bool",
    "simulated_direct_beam_bool",
    "relrod_parameters.randomise_relrod",
    "relrod_parameters.relrod_list",
    "sigma_parameters.randomise_sigmas",
    "sigma_parameters.sigma_2d_gaussian_list",
    f"{DETECTOR}.detector_size",
    f"{DETECTOR}.beam_energy",
    f"{DETECTOR}.radial_integration_1d",
    f"{DETECTOR}.radial_integration_2d",
    f"{DETECTOR}.save_peak_position_library",
    f"{POST}.crop_in_k",
    f"{POST}.crop_in_px",
    f"{POST}.save_full_scan",
    f"{POST}.cropping_start_k",
    f"{POST}.cropping_stop_k",
    f"{POST}.cropped_signal_k_points",
    f"{POST}.cropping_start_px",
    f"{POST}.cropping_stop_px",
    f"{POST}.sqrt_signal",
}
_WITHOUT_COUNTERPART = {
    "simulation_orientations_chunk_size",
    "save_relpath",
    f"{ORIENTATIONS}.ori_files_location_from_root",
    f"{DETECTOR}.detector_pix_size",
    f"{DETECTOR}.detector_type",
    f"{DETECTOR}.wavelength",
    f"{POST}.save_md_to_mongodb",
    "id",
    "_id",
    "timestamp",
    "calibration",
    "radial_steps",
}
ADDED_LATER = {
    f"{NOISE}.include_also_non_noisy_simulation",
    f"{BACKGROUND}.include_also_non_bkg_simulation",
    f"{POST}.crop_in_k",
    f"{POST}.crop_in_px",
    f"{POST}.save_full_scan",
}
"""Keys that early versions did not have; what these did instead is told where the keys are read."""
_KNOWN = _USED | _WITHOUT_COUNTERPART
_MOST_HINTS = 50
_SECTIONS = {key.rsplit(".", depth)[0] for key in _KNOWN for depth in range(1, key.count(".") + 1)}


def looks_old(values: Mapping[str, Any]) -> bool:
    """Return whether plain values have a section of the legacy form."""
    return any(key in _SECTIONS for key in values)


def check_keys(old: OldDocument) -> None:
    """Add a finding for each unknown key, with the nearest known one, and one for all that need nothing here."""
    left_out, unknown = [], []
    for key in _paths(old.values, ""):
        if key in _WITHOUT_COUNTERPART:
            left_out.append(key)
        elif key not in _USED:
            unknown.append(key)
    for key in unknown[:_MOST_HINTS]:
        old.warn(key, f"unknown to the legacy form and left out{_hint(key)}")
    if len(unknown) > _MOST_HINTS:
        old.warn("unknown", f"{len(unknown) - _MOST_HINTS} more keys are unknown to the legacy form and left out")
    if left_out:
        old.warn("left out", f"{', '.join(sorted(left_out))} (without a counterpart; --store says where datasets go)")


def _hint(key: str) -> str:
    section, _, name = key.rpartition(".")
    elsewhere = sorted(known for known in _KNOWN if known.rpartition(".")[2] == name)
    if elsewhere:
        return f"; it belongs to {elsewhere[0].rpartition('.')[0] or 'the top level'}"
    known = sorted(_KNOWN | _SECTIONS)
    beside = [item.rpartition(".")[2] for item in known if item.rpartition(".")[0] == section]
    return nearest(name, beside) or nearest(name, [item.rpartition(".")[2] for item in known])


def _paths(node: Mapping[Any, Any], prefix: str) -> Iterator[str]:
    """Yield the keys of a document, dotted, as far as sections are known."""
    for name, value in node.items():
        key = f"{prefix}{name}"
        if key in _SECTIONS and isinstance(value, Mapping):
            yield from _paths(value, f"{key}.")
        elif key not in _SECTIONS or value is not None:
            yield key
