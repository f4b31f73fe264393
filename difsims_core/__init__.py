"""Simulate electron-diffraction profiles, train phase classifiers, map phases in 4D-STEM scans, score the maps.

The public names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from difsims_core.version import __version__

_HOMES = {
    "SimulationSpec": "difsims_core.config.simulation",
    "TrainingSpec": "difsims_core.config.learning",
    "PreprocessingSpec": "difsims_core.config.raw_scans.preprocessing",
    "load_spec": "difsims_core.config.documents",
    "load_sweep": "difsims_core.config.sweep",
    "simulate": "difsims_core.simulation.simulator",
    "open_simulation": "difsims_core.dataset.open",
    "radial_profiles": "difsims_core.diffraction.noise_free",
    "patterns": "difsims_core.diffraction.noise_free",
    "polar_patterns": "difsims_core.diffraction.noise_free",
    "excited_spots": "difsims_core.diffraction.noise_free",
    "preprocess_scan": "difsims_core.experiment.preprocess",
    "calibrate": "difsims_core.experiment.correct.standard",
    "write_scan": "difsims_core.experiment.write.write_scan",
    "open_experiment": "difsims_core.experiment.write.open",
    "load_bundle": "difsims_core.learn.bundle",
    "predict_profiles": "difsims_core.learn.predict",
    "evaluate_all": "difsims_core.evaluate.peak_positions",
    "export_map": "difsims_core.results.maps.formats",
    "load_phase": "difsims_core.crystal.phases",
    "reflection_list": "difsims_core.crystal.reflections",
    "describe_crystal": "difsims_core.crystal.describe",
}

_FOLDERS = (
    "config",
    "crystal",
    "dataset",
    "diffraction",
    "evaluate",
    "experiment",
    "learn",
    "signal",
    "simulation",
    "storage",
)

__all__ = [
    "PreprocessingSpec",
    "SimulationSpec",
    "TrainingSpec",
    "__version__",
    "calibrate",
    "describe_crystal",
    "evaluate_all",
    "excited_spots",
    "export_map",
    "load_bundle",
    "load_phase",
    "load_spec",
    "load_sweep",
    "open_experiment",
    "open_simulation",
    "patterns",
    "polar_patterns",
    "predict_profiles",
    "preprocess_scan",
    "radial_profiles",
    "reflection_list",
    "simulate",
    "write_scan",
]

if TYPE_CHECKING:
    from difsims_core.config.documents import load_spec
    from difsims_core.config.learning import TrainingSpec
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.config.sweep import load_sweep
    from difsims_core.crystal.describe import describe_crystal
    from difsims_core.crystal.phases import load_phase
    from difsims_core.crystal.reflections import reflection_list
    from difsims_core.dataset.open import open_simulation
    from difsims_core.diffraction.noise_free import excited_spots, patterns, polar_patterns, radial_profiles
    from difsims_core.evaluate.peak_positions import evaluate_all
    from difsims_core.experiment.correct.standard import calibrate
    from difsims_core.experiment.preprocess import preprocess_scan
    from difsims_core.experiment.write.open import open_experiment
    from difsims_core.experiment.write.write_scan import write_scan
    from difsims_core.learn.bundle import load_bundle
    from difsims_core.learn.predict import predict_profiles
    from difsims_core.results.maps.formats import export_map
    from difsims_core.simulation.simulator import simulate


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _FOLDERS:
        return import_module(f"difsims_core.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
