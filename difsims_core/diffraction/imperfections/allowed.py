"""Which values of drawn quantities a document allows: tables are built for these and no others."""

from __future__ import annotations

import numpy as np

from difsims_core.config.distributions import Distribution
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.quantities import QUANTITIES, levels

_ROUNDING = 1e-5  # relative, of values that were rounded to be stored


def problem_of_values(spec: SimulationSpec, draws: Draws, name: str, values: np.ndarray) -> str:
    """Return what is wrong with values (n, …) in the place of a quantity's own; empty when they can be used."""
    if name in ("orientation", "second_orientation"):
        off = np.abs(np.linalg.norm(values, axis=1) - 1).max(initial=0)
        return "expected unit quaternions" if off > 1e-3 else ""
    if name == "second_phase":
        return f"expected 0 … {len(spec.phases) - 1}" if (values >= len(spec.phases)).any() else ""
    if name == "sigma_px":
        fits = np.isin(values, levels(spec.spots.sigma_px))
        return "" if fits.all() else f"expected one of its levels, found {values[~fits][0]:g}"
    if name in ("lattice_scale", "second_lattice_scale"):
        labels = draws["second_phase"] if name.startswith("second") else draws.patterns % len(spec.class_names)
        scales = [spec.lattice_scale_of(label) for label in range(len(spec.phases))]
        problems = (_outside(scale, values[labels == label]) for label, scale in enumerate(scales))
        return next((problem for problem in problems if problem), "")
    for quantity in QUANTITIES:
        if quantity.name == name and (wanted := quantity.wanted(spec)) is not None:
            derived = name == "relrod_width_per_angstrom" and spec.diffraction.thickness_angstrom is not None
            return "" if derived else _outside(wanted, values)
    return ""


def _outside(wanted: Distribution, values: np.ndarray) -> str:
    low, high = wanted.support()
    margin = _ROUNDING * max(abs(low), abs(high))
    wrong = values[(values < low - margin) | (values > high + margin)]
    return f"expected numbers from {low:g} to {high:g}, found {wrong[0]:g}" if len(wrong) else ""
