"""Crystals, orientations, detector and what is kept, from the legacy form (docs/physics.md §§2, 3, 5).

- ``phase_files`` lost everything from the first dot; the folder is used where it exists.
- ``n_points`` counted orientations of one phase; ``n_patterns`` counts patterns of all of them together.
- ``use_orix_sampling`` drew from lists over the fundamental zone of each phase's point group, made at the resolution
  that their names tell: a grid here. Without it, random rotations, the same ones for every phase and every seed.
- ``calibration_value`` was averaged. ``calibration_modify_percent`` p scaled the calibration of each pattern by a
  factor drawn evenly from 1 ± p/100, and, in the k crop alone, both ends of the crop by one of 20 factors between them.
- ``crop_in_k`` is the q crop; ``crop_in_px`` 13 … 160 is the crop that is always written; another one becomes a q crop.
  Versions without the two switches wrote both crops, and varied the ends of the k crop but not the calibration.
- The old radial grid followed the detector, to its corner in 256 bins for 515 px; here it is one and the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from difsims_core.config.legacy.keys import CALIBRATION, DETECTOR, ORIENTATIONS, POST, STRUCTURE
from difsims_core.config.legacy.quantities import Entry
from difsims_core.config.legacy.reading import OldDocument
from difsims_core.resources import crystal_folder

_METHODS = {"cubo": "cubochoric", "euler": "haar_euler", "quat": "quaternion"}
_STEP = 0.008290514530472063  # Å⁻¹, docs/physics.md §2
_CROP = (13, 160)
_REFERENCE = (515, 0.00588)
_RESOLUTION = re.compile(r"_(\d+(?:\.\d+)?)_(?:xxxx|cubo|euler|quat)\.npy$")
_FACTORS = 20


def read_crystals(old: OldDocument) -> list[Entry]:
    """Return phases, their folder, the background class and the scattering factors."""
    key = f"{STRUCTURE}.phase_files"
    files = old.texts(key)
    if not files:
        raise old.wrong(key, "expected the names of at least one crystal file, such as ['pbi2_2h.cif']")
    folder = _crystal_folder(old, files)
    phases: list[Any] = []
    for file in files:
        name = file.split(".")[0]
        place = file if folder is None else str(Path(folder) / file)
        phases.append(name if file == f"{name}.cif" else {"name": name, "cif": place})
    return [
        Entry("phases", phases, key),
        Entry("crystal_folder", folder, f"{STRUCTURE}.phase_files_location_from_root"),
        Entry("background_class", old.truth(f"{STRUCTURE}.add_bkg_phase", False), f"{STRUCTURE}.add_bkg_phase"),
        *_scattering(old),
    ]


def _crystal_folder(old: OldDocument, files: list[str]) -> str | None:
    key = f"{STRUCTURE}.phase_files_location_from_root"
    below, root = (old.value(name) if old.has(name) else None for name in (key, "root_path"))
    if not isinstance(below, str | None) or not isinstance(root, str | None):
        raise old.wrong(key, f"expected a folder, found {below!r} below {root!r}")
    folder = Path(root or "") / (below or "")
    if below and folder.is_dir():
        return str(folder)
    absent = [file for file in files if not (crystal_folder() / file).is_file()]
    remedy = f"; {', '.join(absent)} does not come with difsims: set crystal_folder" if absent else ""
    if below or absent:
        where = f"there is no folder {folder} here" if below else "it is not given"
        old.warn(key, f"{where}, so the crystal files that come with difsims are meant{remedy}")
    return None


def _scattering(old: OldDocument) -> list[Entry]:
    key = f"{STRUCTURE}.scattering_params"
    key = key if old.has(key) or not old.has("scattering_params") else "scattering_params"
    found = old.value(key, "lobato")
    if found is None:
        old.warn(key, "null left the scattering of atoms out; lobato stands for it, since here atoms always scatter")
        found = "lobato"
    if found not in ("lobato", "xtables"):
        raise old.wrong(key, f"expected lobato or xtables, found {found!r}")
    return [Entry("diffraction.scattering_factors", found, key)]


def read_orientations(old: OldDocument) -> list[Entry]:
    """Return the orientations; their number is ``n_points``, see ``read_count``."""
    key = f"{ORIENTATIONS}.use_orix_sampling"
    if not old.truth(key, False):
        old.warn(key, "the random rotations were the same for every phase and every seed; here all are different")
        return [Entry("orientations", {"kind": "uniform"}, key)]
    return [
        Entry("orientations.kind", "grid", key),
        Entry("orientations.method", _method(old), f"{ORIENTATIONS}.orientation_sampling_mode"),
        Entry("orientations.resolution_deg", _resolution(old), f"{ORIENTATIONS}.orientation_files_list"),
    ]


def _method(old: OldDocument) -> str:
    key = f"{ORIENTATIONS}.orientation_sampling_mode"
    modes = old.texts(key) or ["cubo"]
    unknown = [mode for mode in modes if mode not in _METHODS]
    if unknown:
        raise old.wrong(key, f"expected {', '.join(_METHODS)}, found {', '.join(map(repr, unknown))}")
    if len(modes) > 1:
        old.warn(
            key,
            f"orientations came from the lists of {', '.join(modes)} together; one grid is used here, "
            f"{_METHODS[modes[0]]}, which covers the same zone; orientations.method chooses another",
        )
    return _METHODS[modes[0]]


def _resolution(old: OldDocument) -> float:
    key = f"{ORIENTATIONS}.orientation_files_list"
    found = {float(match[1]) for match in map(_RESOLUTION.search, old.texts(key)) if match}
    if len(found) == 1:
        old.warn(key, "the lists are not read; grids over the point group of each phase's crystal file stand for them")
        return found.pop()
    finest = min(found, default=3.0)
    old.warn(key, f"the names tell no single resolution; {finest:g}° stands for it: set orientations.resolution_deg")
    return finest


def read_count(old: OldDocument, n_classes: int, copies: int) -> list[Entry]:
    """Return the number of patterns and the seed."""
    key = f"{ORIENTATIONS}.n_points"
    points = old.whole(key)
    if points is None or points < 1:
        raise old.wrong(key, f"expected the number of orientations of one phase, at least 1, found {points!r}")
    n_patterns = points * n_classes * copies
    each = f" × {copies:,} patterns of each orientation" if copies > 1 else ""
    old.warn(
        key, f"it counted orientations of one phase; {points:,} × {n_classes} classes{each} = {n_patterns:,} n_patterns"
    )
    seed = old.whole("random_seed")
    return [
        Entry("n_patterns", n_patterns, key),
        *([] if seed is None else [Entry("seed", seed, "random_seed")]),
    ]


def read_detector(old: OldDocument) -> list[Entry]:
    """Return beam, detector and calibration."""
    entries = []
    energy, size = old.number(f"{DETECTOR}.beam_energy"), old.whole(f"{DETECTOR}.detector_size")
    values = old.numbers(f"{CALIBRATION}.calibration_value")
    calibration = sum(values) / len(values) if values else None
    if energy is not None:
        entries.append(Entry("microscope.beam_energy_kv", energy, f"{DETECTOR}.beam_energy"))
    if size is not None:
        entries.append(Entry("detector.size_px", size, f"{DETECTOR}.detector_size"))
    if calibration is not None:
        key = f"{CALIBRATION}.calibration_value"
        entries.append(Entry("detector.calibration_per_angstrom", calibration, key))
    if (size or _REFERENCE[0], calibration or _REFERENCE[1]) != _REFERENCE:
        old.warn(
            f"{DETECTOR}.detector_size",
            f"the old radial grid followed detector and calibration; here it always has 256 bins of {_STEP:.6f} Å⁻¹, "
            f"as for {_REFERENCE[0]} px of {_REFERENCE[1]} Å⁻¹, so profiles of the two do not share a q axis",
        )
    percent = _percent(old) if _has_switches(old) else 0.0
    if percent:
        old.warn(
            f"{CALIBRATION}.calibration_modify_percent",
            f"it drew the calibration of every pattern within ± {percent:g} %, not only in the k crop; that is "
            "calibration_scale here, and jitter of the q crop where there is one",
        )
    drawn = {"uniform": [1 - percent / 100, 1 + percent / 100]} if percent else 1.0
    return [*entries, Entry("calibration_scale", drawn, f"{CALIBRATION}.calibration_modify_percent")]


def read_output(old: OldDocument) -> list[Entry]:
    """Return crops, square root and what is kept."""
    q_crop = _q_crop(old)
    full, flat = old.truth(f"{POST}.save_full_scan", True), old.truth(f"{DETECTOR}.radial_integration_1d", True)
    polar_pattern = old.truth(f"{DETECTOR}.radial_integration_2d", False)
    if not flat:
        old.warn(f"{DETECTOR}.radial_integration_1d", "false left profiles out; here 1d/x_px is always there")
    return [
        Entry("postprocessing.sqrt", old.truth(f"{POST}.sqrt_signal", False), f"{POST}.sqrt_signal"),
        Entry("postprocessing.q_crop", q_crop, f"{POST}.crop_in_k, crop_in_px"),
        Entry("output.x_all", full and flat, f"{POST}.save_full_scan"),
        Entry("output.polar_px", polar_pattern, f"{DETECTOR}.radial_integration_2d"),
        Entry("output.polar_all", polar_pattern and full, f"{DETECTOR}.radial_integration_2d and save_full_scan"),
        Entry(
            "output.peaks",
            old.truth(f"{DETECTOR}.save_peak_position_library", False),
            f"{DETECTOR}.save_peak_position_library",
        ),
    ]


def _q_crop(old: OldDocument) -> dict[str, Any] | None:
    always = not _has_switches(old) and old.has(f"{POST}.cropping_start_k")
    in_k, in_px = (always or old.truth(f"{POST}.{name}", always) for name in ("crop_in_k", "crop_in_px"))
    first, last = old.whole(f"{POST}.cropping_start_px"), old.whole(f"{POST}.cropping_stop_px")
    pixels = _CROP if first is None or last is None else (first, last)
    other = in_px and pixels != _CROP
    if other:
        start, stop = pixels
        if not 0 <= start < stop - 1:
            raise old.wrong(f"{POST}.cropping_start_px", f"expected start below stop, found {start} and {stop}")
        instead = (
            "the q crop below has the k values of this document; set it to these ends for a pixel crop"
            if in_k
            else "the q crop below stands for it: train with profiles: x_q"
        )
        old.warn(
            f"{POST}.cropping_start_px",
            f"the pixel crop is bins {_CROP[0]} … {_CROP[1]} here, found {start} … {stop} "
            f"({start * _STEP:.4f} … {(stop - 1) * _STEP:.4f} Å⁻¹); {instead}",
        )
    if not in_px and not in_k:
        old.warn(f"{POST}.crop_in_px", "false left the crop out; here 1d/x_px is always there")
    if in_k:
        return _k_crop(old)
    if other:
        return {
            "q_min_per_angstrom": pixels[0] * _STEP,
            "q_max_per_angstrom": (pixels[1] - 1) * _STEP,
            "n_points": pixels[1] - pixels[0],
            "jitter": None,
        }
    return None


def _k_crop(old: OldDocument) -> dict[str, Any]:
    low, high = old.number(f"{POST}.cropping_start_k"), old.number(f"{POST}.cropping_stop_k")
    n_points, percent = old.whole(f"{POST}.cropped_signal_k_points"), _percent(old)
    jitter: dict[str, Any] | None = None
    if percent:
        steps = [-percent + 2 * percent * i / (_FACTORS - 1) for i in range(_FACTORS)]
        jitter = {"choice": [round(1 + step / 100, 12) for step in steps]}
    return {
        "q_min_per_angstrom": 0.11 if low is None else low,
        "q_max_per_angstrom": 1.30 if high is None else high,
        "n_points": 147 if n_points is None else n_points,
        "jitter": jitter,
    }


def _has_switches(old: OldDocument) -> bool:
    """Return whether a document is of the versions that had switches of the crops."""
    return any(old.has(f"{POST}.{name}") for name in ("crop_in_k", "crop_in_px"))


def _percent(old: OldDocument) -> float:
    key = f"{CALIBRATION}.calibration_modify_percent"
    return abs(old.number(key) or 0.0)
