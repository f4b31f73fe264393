"""A slice of a block: small enough to stay in the cache, the same bytes however blocks are cut (docs/physics.md §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from difsims_core.config.signal import QCropSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.one_run import EngineOfRun
from difsims_core.diffraction.imperfections.overlap import volume_fractions
from difsims_core.diffraction.quantities import round_mantissa
from difsims_core.errors import InputError
from difsims_core.kernels.profile.normalise import normalise_rows
from difsims_core.kernels.profile.rebin import rebin_rows
from difsims_core.signal.resample import bin_edges
from difsims_core.simulation.block import Peaks
from difsims_core.simulation.cell_signal import cell_signal
from difsims_core.simulation.detector_signal import polar_signal, profile_signal
from difsims_core.simulation.tables import Tables

_KEPT_BITS = 11  # significant bits of a rounded intensity: 10 of the mantissa, and the hidden one
_G_BITS = 15  # of the mantissa of a scattering vector: 3 · 10⁻⁵ Å⁻¹, a hundredth of a pixel


@dataclass(frozen=True, slots=True)
class Slice:
    """The arrays of ``Block`` for some patterns."""

    x_px: np.ndarray
    y: np.ndarray
    x_all: np.ndarray | None
    x_q: np.ndarray | None
    polar_px: np.ndarray | None
    polar_all: np.ndarray | None
    polar: np.ndarray | None
    fractions: np.ndarray | None
    peaks: Peaks | None
    draws: Mapping[str, np.ndarray]


def simulate_slice(spec: SimulationSpec, tables: Tables, draws: Draws) -> Slice:
    """Simulate the patterns of which ``draws`` were drawn."""
    output, post, crop = spec.output, spec.postprocessing, tables.geometry.grid.crop
    labels = draws.patterns % len(spec.class_names)
    tables = replace(tables, engine=EngineOfRun(tables.engine, draws))
    signal = profile_signal(spec, tables, draws, labels, full=output.x_all or post.q_crop is not None)
    profiles = signal.profiles
    if not np.isfinite(profiles.max()):
        raise InputError("a profile is no longer finite; background and noise parameters are out of proportion")
    polar = None
    if output.polar_px or output.polar_all:
        polar = polar_signal(spec, tables, draws, labels, signal, full=output.polar_all)

    def stored(values: np.ndarray) -> np.ndarray:
        """Return values (n, …) scaled to [0, 1] for each pattern, as precise as the document asks."""
        out = np.empty(values.shape, np.float32)
        factor = 2.0 ** (24 - _KEPT_BITS) + 1 if output.precision == "rounded" else 0.0
        normalise_rows(values.reshape(len(values), -1), factor, out.reshape(len(out), -1))
        return out

    cropped = None if polar is None or not output.polar_px else polar[:, crop] if output.polar_all else polar
    return Slice(
        x_px=stored(profiles[:, crop]),
        y=labels.astype(np.uint8),
        x_all=stored(profiles) if output.x_all else None,
        x_q=None if post.q_crop is None else stored(_rebinned(profiles, tables, post.q_crop, draws)),
        polar_px=None if cropped is None else stored(np.ascontiguousarray(cropped)),
        polar_all=stored(polar) if polar is not None and output.polar_all else None,
        polar=None if tables.cells is None else stored(cell_signal(spec, tables, draws, labels, signal, tables.cells)),
        fractions=None if spec.overlap is None else _fractions(spec, draws, labels),
        peaks=_peaks(spec, tables, draws, labels) if output.peaks else None,
        draws=draws.values,
    )


def join_peaks(parts: Sequence[Peaks]) -> Peaks:
    """Return the spots of several runs of patterns, end to end."""
    offsets = np.cumsum([0, *(len(part.hkl) for part in parts)])
    starts = [part.start[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
    return Peaks(
        np.concatenate([*starts, offsets[-1:]]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("hkl", "g", "intensity")),
    )


def _rebinned(profiles: np.ndarray, tables: Tables, crop: QCropSpec, draws: Draws) -> np.ndarray:
    """Return the profiles (n, m) over the q crop, its limits moved by what was drawn (docs/physics.md §2)."""
    low, high = bin_edges(crop)
    out = np.empty((len(profiles), len(low)), np.float32)
    scale = draws.of("q_crop_scale", np.arange(len(profiles)), 1.0)
    rebin_rows(profiles, tables.geometry.grid.step_per_angstrom, low, high, scale, out)
    return out


def _fractions(spec: SimulationSpec, draws: Draws, labels: np.ndarray) -> np.ndarray:
    return volume_fractions(labels, draws["second_phase"], draws["second_fraction"], len(spec.class_names))


def _peaks(spec: SimulationSpec, tables: Tables, draws: Draws, labels: np.ndarray) -> Peaks:
    spots = tables.engine.detected_spots(draws, labels, spec.seed)
    g, intensity = spots.g.astype(np.float32), spots.intensity.astype(np.float32)
    if spec.output.precision == "rounded":
        g, intensity = round_mantissa(g, _G_BITS), round_mantissa(intensity, _KEPT_BITS - 1)
    return Peaks(spots.start, spots.hkl, g, intensity)
