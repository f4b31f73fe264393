"""What a preprocessed scan looks like before its first row: arrays, axes, and what it says of itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.integrate.blocks import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED, Patterns
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.experiment.write.fingerprint import PREPROCESSING_VERSION
from difsims_core.experiment.write.plan import ScanPlan
from difsims_core.storage.zarr.arrays import ArrayTemplate, GroupTemplate
from difsims_core.version import __version__

_ROW, _COLUMN = "scan_row", "scan_column"
_FLAGS = {
    str(DEAD): "dead",
    str(BEAM_MODELLED): "beam from the drift",
    str(UNCOVERED): "does not cover the crop",
    str(SATURATED): "beam saturates the detector",
}
_COUNTS = {"units": "1", "long_name": "mean counts per pixel"}


def rows_of(patterns: Patterns) -> dict[str, np.ndarray]:
    """Return the arrays of patterns by the paths under which they are stored."""
    found = {"profiles": patterns.profiles, "centre": patterns.centres, "flags": patterns.flags}
    found |= {"counts": patterns.counts[..., 0], "beam_counts": patterns.counts[..., 1]}
    return found | ({"y": patterns.polar} if patterns.polar.size else {})


def scan_template(inputs: ScanInputs, prepared: PreparedScan, plan: ScanPlan) -> GroupTemplate:
    """Return the arrays, axes and attributes of a preprocessed scan; axes are called like their dimensions."""
    q, polar = prepared.grids.q, prepared.grids.polar
    arrays = {
        "profiles": _rows(plan, "<f4", {"profile_q": len(q)}, **_COUNTS),
        "centre": _rows(plan, "<f8", {"row_column": 2}, units="pixel", long_name="direct beam, row and column"),
        "flags": _rows(plan, "|u1", {}, long_name="bits", bits=_FLAGS),
        "counts": _rows(plan, "<f8", {}, units="1", long_name="counts of the whole frame"),
        "beam_counts": _rows(plan, "<f8", {}, units="1", long_name="counts within the disc of the beam"),
        "profile_q": _axis("profile_q", q, units="1/angstrom", long_name="q = 1/d"),
    }
    if polar is not None:
        sizes = {"q": polar.n_radii, "azimuth": polar.n_azimuths}
        said = {"units": "1", "long_name": "effective pixels of a cell at the mean centre"}
        arrays |= {
            "y": _rows(plan, "<f4", sizes, **_COUNTS),
            "q": _axis("q", polar.q, units="1/angstrom", long_name="q = 1/d"),
            "azimuth": _axis("azimuth", polar.azimuth_deg, units="degree", long_name="from +x towards +y"),
            "pixels": ArrayTemplate(
                tuple(sizes.values()), "<f8", tuple(sizes), values=prepared.effective_pixels, attributes=said
            ),
        }
    return GroupTemplate(arrays, {"": _attributes(inputs, prepared, plan)})


def _rows(plan: ScanPlan, dtype: str, sizes: dict[str, int], **attributes: Any) -> ArrayTemplate:
    return ArrayTemplate(
        (plan.ny, plan.nx, *sizes.values()), dtype, (_ROW, _COLUMN, *sizes), plan.shard_rows, 1, attributes=attributes
    )


def _axis(name: str, values: np.ndarray, **attributes: str) -> ArrayTemplate:
    return ArrayTemplate(values.shape, "<f8", (name,), values=values, attributes=attributes)


def _attributes(inputs: ScanInputs, prepared: PreparedScan, plan: ScanPlan) -> dict[str, Any]:
    """Return what a preprocessed scan says of itself: `plan.ScanAttributes` and its provenance."""
    scan, survey, geometry = prepared.scan, prepared.survey, prepared.survey.geometry
    fit = survey.fit
    return {
        **plan.claim().to_document(),
        "preprocessing_version": PREPROCESSING_VERSION,
        "counts_scale": survey.counts_scale,
        "calibration_per_angstrom": geometry.calibration_per_angstrom,
        "calibration_relative_error": _finite(geometry.calibration_error),
        "ellipse": list(geometry.ellipse),
        "ellipse_error": _finite(geometry.ellipse_error),
        "lattice_scale": None if fit is None else _finite(fit.mean_scale),
        "lattice_scale_error": None if fit is None else _finite(fit.scale_error),
        "scan_step_nm": scan.scan_step_nm,
        "beam_energy_kv": scan.beam_energy_kv,
        "scan_rotation_deg": scan.scan_rotation_deg,
        "drift": survey.drift.kind,
        "drift_residual_px": _finite(survey.drift.residual_px),
        "bad_pixels": int((~survey.pixels.good).sum()),
        "source": scan.source,
        "file_format": scan.file_format,
        "remarks": list(scan.remarks),
        "crystals": [crystal.record() for crystal in inputs.crystals],
        "parameters": inputs.spec.to_document(),
        "versions": {"difsims": __version__},
    }


def _finite(value: float) -> float | None:
    """Return a number as JSON holds it; one that is not known as null."""
    return float(value) if math.isfinite(value) else None
