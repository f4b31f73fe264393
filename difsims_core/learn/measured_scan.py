"""The patterns of a stored scan as a classifier takes them, read in runs of pixels: memory does not grow with the scan.

A scan is known by its file of profiles, ``experiments/profiles/<name>_radial_crop.npz``; its polar patterns lie in the
group of this name below ``experiments/polar/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difsims_core.errors import (
    CorruptDataError,
    DifsimsError,
    ExperimentError,
    IncompleteDatasetError,
    InputError,
    MissingObjectError,
)
from difsims_core.learn.classifiers.base import ClassifierInput
from difsims_core.learn.data.pattern_stream import rows_in_memory
from difsims_core.storage.npz.contracts import Profiles, read_profiles
from difsims_core.unit_names import QUnit

_PREPARE_ROWS = 16_384

Runs = Iterator[tuple[slice, np.ndarray]]
"""Pixels, counted row by row, and their patterns (m, n_q) or (m, n_q, n_φ)."""


@dataclass(frozen=True, eq=False)
class MeasuredScan:
    """A scan.

    Attributes
    ----------
    name : str
        Of the experiment.
    sha256 : str
        Of the file of profiles; the polar patterns of another file are refused.
    x : (n_q,) float64
        q axis of the patterns as it is written; its unit is that of the file.
    profile_x : (m,) float64
        That of the file of profiles.
    shape : tuple of int
        Of the scan: (ny, nx), (n,) or ().
    unusable : (…) bool
        Pixels that flags leave nothing to classify in.
    scan_step_nm : float or None
        Distance of neighbouring scan positions, nm; None where nobody said.
    beam_energy_kv : float or None
        At which polar patterns were recorded, kV; None where nobody said, as of profiles.
    runs : callable
        Reads the patterns, a run of pixels after the other.
    """

    name: str
    sha256: str
    x: np.ndarray
    profile_x: np.ndarray
    shape: tuple[int, ...]
    unusable: np.ndarray
    scan_step_nm: float | None
    beam_energy_kv: float | None
    runs: Callable[[], Runs]

    @property
    def n_patterns(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=np.int64))


def open_scan(url: str | Path, wanted: ClassifierInput, q_unit: QUnit | None = None) -> MeasuredScan:
    """Open the patterns of a scan that a classifier takes.

    Parameters
    ----------
    url
        Its file of profiles.
    wanted
        Profiles or polar patterns.
    q_unit
        Unit of the axis of the file, None: not stated; polar patterns are on an axis in Å⁻¹.

    Raises
    ------
    ExperimentError
        If it is not there, breaks its contract, or has no such patterns.
    """
    try:
        profiles = read_profiles(url)
    except MissingObjectError as error:  # it was there when the scans were listed; the others go on
        raise ExperimentError(str(error)) from None
    return _of_profiles(profiles) if wanted.kind == "profile" else _of_polar_patterns(url, profiles, q_unit)


def has_polar_patterns(url: str | Path) -> bool:
    """Return whether polar patterns lie beside the file of profiles of a scan: those that `open_scan` would read."""
    from difsims_core.experiment.write.open import open_experiment

    try:
        return "y" in open_experiment(url).arrays
    except (CorruptDataError, IncompleteDatasetError, InputError, MissingObjectError):
        return False


def runs_of(patterns: np.ndarray, n_dim: int) -> Runs:
    """Yield runs of patterns in memory, (…, n_q) or (…, n_q, n_φ)."""
    shape = patterns.shape[-n_dim:]
    flat = patterns.reshape(-1, *shape)
    step = rows_in_memory(shape, _PREPARE_ROWS)
    for start in range(0, len(flat), step):
        yield slice(start, min(start + step, len(flat))), flat[start : start + step]


def _of_profiles(profiles: Profiles) -> MeasuredScan:
    return MeasuredScan(
        profiles.name,
        profiles.sha256,
        profiles.x,
        profiles.x,
        profiles.y.shape[:-1],
        profiles.unusable,
        profiles.scan_step_nm,
        None,
        lambda: runs_of(profiles.y, 1),
    )


def _of_polar_patterns(url: str | Path, profiles: Profiles, q_unit: QUnit | None) -> MeasuredScan:
    from difsims_core.experiment.write.open import open_experiment

    remedy = "preprocess the raw scan (difsims preprocess), or map it with a model that takes radial profiles"
    if q_unit is not None:
        raise ExperimentError(
            f"{url}: its polar patterns are on an axis in Å⁻¹, q_unit is of profiles alone", "omit it"
        )
    try:
        experiment = open_experiment(url)
    except DifsimsError as error:
        raise ExperimentError(
            f"{url}: holds radial profiles, and no polar patterns lie beside it ({error})", remedy
        ) from None
    if experiment.completion.profiles_sha256 != profiles.sha256:
        raise ExperimentError(f"{url}: the polar patterns beside it are those of other profiles", remedy)
    if "y" not in experiment.arrays:
        raise ExperimentError(f"{url}: was preprocessed without polar patterns (integration.polar)", remedy)
    stored = experiment["y"]
    ny, nx, *cells = (int(edge) for edge in stored.shape)
    shard = int((stored.shards or stored.chunks)[0])
    rows = min(shard, max(1, rows_in_memory(tuple(cells), _PREPARE_ROWS) // nx))

    def runs() -> Runs:
        for start in range(0, ny, rows):
            stop = min(start + rows, ny)
            patterns = np.asarray(experiment["y"][start:stop], np.float32).reshape(-1, *cells)
            yield slice(start * nx, stop * nx), with_hidden_cells(patterns)

    q = np.asarray(experiment["q"][...], np.float64)
    said = experiment.attrs.get("beam_energy_kv")
    energy = float(said) if isinstance(said, int | float) else None
    return MeasuredScan(
        profiles.name, profiles.sha256, q, profiles.x, (ny, nx), profiles.unusable, profiles.scan_step_nm, energy, runs
    )


def with_hidden_cells(patterns: np.ndarray) -> np.ndarray:
    """Return polar patterns (n, n_q, n_φ) whose unmeasured cells, NaN, hold the median of the others of their ring.

    So they rise above their ring no more than cells without a spot do. A ring without any measured cell stays NaN.
    """
    rings = patterns.reshape(-1, patterns.shape[-1])
    hidden = np.isnan(rings)
    some = hidden.any(axis=1) & ~hidden.all(axis=1)
    filled = rings.copy()
    filled[some] = np.where(hidden[some], np.nanmedian(rings[some], axis=1, keepdims=True), rings[some])
    return filled.reshape(patterns.shape)
