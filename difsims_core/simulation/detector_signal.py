"""What a detector reads of a run of patterns, all but the normalisation: profiles, polar patterns, images.

See docs/physics.md §§5–7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.augment.amorphous_ring import ring_shapes
from difsims_core.augment.background import add_shapes, background_shapes
from difsims_core.augment.cut_off import visible_mask, visible_parts
from difsims_core.augment.inelastic import inelastic_shapes
from difsims_core.augment.noise import apply_counting_noise, apply_historical_noise, draw_order, old_maxima
from difsims_core.augment.pixel_noise import apply_pixel_noise
from difsims_core.augment.polar_noise import apply_polar_noise
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.imperfections.base import SignalAxes
from difsims_core.kernels.image.images import add_radial
from difsims_core.kernels.polar.cells import add_to_rows
from difsims_core.signal.grid import AZIMUTH_DEG, pixel_counts, polar_pixel_counts
from difsims_core.signal.preprocess import normalise, square_root
from difsims_core.simulation.tables import Tables

_RADIAL_POINTS = 4096  # of a smooth radial function that is put on an image


@dataclass(frozen=True, slots=True)
class ProfileSignal:
    """Profiles of a run of patterns, and the scales that their polar patterns and images share.

    Attributes
    ----------
    profiles : (n, 256) float32
        All but the crop and the last normalisation.
    unit : (n,) float64
        Unit of intensity P (docs/physics.md §6).
    height : (n,) float64
        Maximum of the noise-free profile, which the amplitudes of backgrounds are relative to; 1 without spots.
    """

    profiles: np.ndarray
    unit: np.ndarray
    height: np.ndarray


def profile_signal(
    spec: SimulationSpec, tables: Tables, draws: Draws, labels: np.ndarray, *, full: bool = True
) -> ProfileSignal:
    """Return the profiles of a run of patterns by the radial route.

    Parameters
    ----------
    spec, tables
        The document and what was built for it.
    draws, labels
        What was drawn, and the (n,) label of each pattern.
    full
        Whether bins beside the pixel crop are wanted; when not, they stay noise-free.
    """
    geometry = tables.geometry
    profiles, unit = tables.engine.profiles(draws, labels, spec.seed)
    counts = pixel_counts(spec.detector.size_px, spec.detector.calibration_per_angstrom, geometry.grid)
    visible = _visible_parts(tables, draws)
    if visible is not None:
        beyond_stop, beside_gap = visible
        seen = beyond_stop * beside_gap
        profiles = np.divide(profiles, beside_gap, out=np.zeros_like(profiles), where=seen > 0)
        counts = np.rint(counts * seen).astype(np.int64)
    axes = SignalAxes("profile", geometry.grid.q)
    profiles = tables.extensions.change_signal(profiles, axes, draws)
    top = profiles.max(axis=1).astype(np.float64)
    height = np.where(top > 0, top, 1.0)
    if spec.noise_model == "historical":
        if spec.noise is not None:
            profiles = apply_historical_noise(
                profiles, counts, unit, old_maxima(draws["sigma_px"], spec.seed, draws.patterns), draws["snr"],
                draws["intensity_spike"], spec.seed, draws.patterns,
            )  # fmt: skip
        profiles = extended_counts(tables, profiles, axes, draws, counts)
        profiles = normalise(square_root(profiles) if spec.postprocessing.sqrt else profiles)
        for shapes, amplitude in smooth_parts(spec, geometry.grid.q, draws):
            add_shapes(profiles, shapes, np.ones(len(labels)), amplitude)
        if visible is not None:
            profiles[counts == 0] = 0
        return ProfileSignal(profiles, unit, height)
    for shapes, amplitude in smooth_parts(spec, geometry.grid.q, draws):
        add_shapes(profiles, shapes, height, amplitude)
    if spec.noise is not None or visible is not None:
        profiles = apply_counting_noise(
            profiles, counts, unit, draws["dose"], draws["snr"], draws["intensity_spike"], spec.seed, draws.patterns,
            slice(None) if full or tables.extensions.change_signals else geometry.grid.crop, geometry.grid.crop,
        )  # fmt: skip
    profiles = extended_counts(tables, profiles, axes, draws, counts)
    return ProfileSignal(square_root(profiles) if spec.postprocessing.sqrt else profiles, unit, height)


def polar_signal(
    spec: SimulationSpec, tables: Tables, draws: Draws, labels: np.ndarray, signal: ProfileSignal, *, full: bool
) -> np.ndarray:
    """Return the polar patterns (n, 256 or 147, 360) float32 of a run: of all annuli, or of the pixel crop alone."""
    geometry, detector = tables.geometry, spec.detector
    grid, historical = geometry.grid, spec.noise_model == "historical"
    whole = full or historical or tables.extensions.change_signals
    bins = slice(0, grid.n_bins) if whole else grid.crop
    polar, _ = tables.engine.polar_patterns(draws.without_cut_off(), labels, bins, spec.seed)
    axes = SignalAxes("polar", grid.q[bins, None], AZIMUTH_DEG)
    polar = tables.extensions.change_signal(polar, axes, draws)
    pixels = _visible_cells(tables, draws)
    parts = smooth_parts(spec, grid.q, draws)
    if not historical:
        for shapes, amplitude in parts:
            add_to_rows(polar, shapes, amplitude * signal.height, bins.start)
    counts = pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)
    maxima = old_maxima(draws["sigma_px"], spec.seed, draws.patterns) if historical else None
    apply_polar_noise(
        polar, pixels, counts, signal.unit, draws.values, (spec.seed, draws.patterns), bins,
        draw_order(grid.n_bins, bins, grid.crop), maxima,
    )  # fmt: skip
    polar = extended_counts(tables, polar, axes, draws, pixels[:, bins])
    if spec.postprocessing.sqrt:
        polar = square_root(polar)
    if historical:
        flat = polar.reshape(len(polar), -1)
        flat[...] = normalise(flat)
        for shapes, amplitude in parts:
            add_to_rows(polar, shapes, np.asarray(amplitude, np.float64), bins.start)
        polar[np.broadcast_to(pixels == 0, polar.shape)] = 0
    return polar[:, grid.crop] if whole and not full else polar


def image_signal(
    spec: SimulationSpec, tables: Tables, draws: Draws, labels: np.ndarray, *, noise: bool = True
) -> np.ndarray:
    """Return the detector images (n, ny, nx) float32 of a run by the pixel route, before any post-processing."""
    signal = profile_signal(spec, tables, draws, labels, full=False)
    size = spec.detector.size_px
    images, _ = tables.engine.images(draws.without_cut_off(), labels, (size, size), spec.seed)
    offset = np.arange(size) - (size - 1) / 2
    q = np.hypot(offset[:, None], offset[None, :]) * spec.detector.calibration_per_angstrom
    axes = SignalAxes("image", q, np.rad2deg(np.arctan2(offset[:, None], offset[None, :])))
    images = tables.extensions.change_signal(images, axes, draws)
    points = np.linspace(0, q.max() * (1 + 1e-6), _RADIAL_POINTS)
    for shapes, amplitude in smooth_parts(spec, points, draws):
        add_radial(images, (q / points[1]).astype(np.float32), shapes, amplitude * signal.height)
    if noise:
        images = apply_pixel_noise(
            images, signal.unit, draws["dose"], draws["snr"], draws["intensity_spike"], spec.seed, draws.patterns
        )
        images = tables.extensions.change_counts(images, axes, draws)
    if spec.cut_off is not None:
        for i in range(len(images)):
            images[i][~_mask(draws, i, offset[None, :], offset[:, None])] = 0
    return images


def extended_counts(
    tables: Tables, values: np.ndarray, axes: SignalAxes, draws: Draws, pixels: np.ndarray
) -> np.ndarray:
    """Return a signal as imperfections of other packages leave it; what has no pixels reads 0 all the same."""
    if not tables.extensions.at("counts"):
        return values
    values = tables.extensions.change_counts(values, axes, draws)
    values[np.broadcast_to(pixels == 0, values.shape)] = 0
    return values


def smooth_parts(spec: SimulationSpec, q: np.ndarray, draws: Draws) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the smooth radial intensities that a document asks for: (n, n_q) shapes and their (n,) amplitudes."""
    parts = []
    if spec.background is not None:
        shapes = background_shapes(q, draws["background_decay_angstrom"], spec.background.model)
        parts.append((shapes, draws["background_amplitude"]))
    if spec.amorphous_ring is not None:
        shapes = ring_shapes(q, draws["ring_position_per_angstrom"], draws["ring_width_per_angstrom"])
        parts.append((shapes, draws["ring_amplitude"]))
    if spec.inelastic is not None:
        loss, energy = spec.inelastic.energy_loss_ev, spec.microscope.beam_energy_kv
        shapes = inelastic_shapes(q, draws["screening_per_angstrom"], loss, energy)
        parts.append((shapes, draws["inelastic_amplitude"]))
    return parts


def _visible_parts(tables: Tables, draws: Draws) -> tuple[np.ndarray, np.ndarray] | None:
    if "gap_width_px" not in draws:
        return None
    edges = np.maximum(np.arange(tables.geometry.grid.n_bins + 1) - 0.5, 0) * tables.step_px
    return visible_parts(edges, draws["beam_stop_radius_px"], draws["gap_width_px"], draws["gap_offset_px"])


def _visible_cells(tables: Tables, draws: Draws) -> np.ndarray:
    """Return (1 or n, n_bins, 360) effective pixels of each cell."""
    detector, grid = tables.geometry.detector, tables.geometry.grid
    pixels = polar_pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)[None]
    if "gap_width_px" not in draws:
        return pixels
    radius, angle = np.arange(grid.n_bins)[:, None] * tables.step_px, np.deg2rad(AZIMUTH_DEG)[None, :]
    masks = [_mask(draws, i, radius * np.cos(angle), radius * np.sin(angle)) for i in range(len(draws.patterns))]
    return pixels * np.stack(masks)


def _mask(draws: Draws, i: int, x_px: np.ndarray, y_px: np.ndarray) -> np.ndarray:
    return visible_mask(
        x_px, y_px, draws["beam_stop_radius_px"][i], draws["gap_width_px"][i], draws["gap_offset_px"][i],
        along_x=bool(draws["gap_along_x"][i]),
    )  # fmt: skip
