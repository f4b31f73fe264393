"""What a detector reads of a run of patterns on a reduced polar grid, all but the normalisation.

See docs/physics.md §12.
"""

from __future__ import annotations

import numpy as np

from difsims_core.augment.cell_noise import SeenCells, apply_cell_noise
from difsims_core.augment.noise import old_maxima
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.imperfections.base import SignalAxes
from difsims_core.kernels.polar.cells import add_to_rows
from difsims_core.signal.cell_pixels import PolarCells
from difsims_core.signal.preprocess import normalise, square_root
from difsims_core.simulation.detector_signal import ProfileSignal, extended_counts, smooth_parts
from difsims_core.simulation.tables import Tables

_HIDDEN = ("beam_stop_radius_px", "gap_width_px", "gap_offset_px", "gap_along_x")


def cell_signal(
    spec: SimulationSpec, tables: Tables, draws: Draws, labels: np.ndarray, signal: ProfileSignal, cells: PolarCells
) -> np.ndarray:
    """Return the polar patterns (n, n_radii, n_azimuths) float32 of a run on a reduced grid.

    Parameters
    ----------
    spec, tables, draws, labels
        As ``profile_signal``.
    signal
        What that gave: the scales that profiles and polar patterns share.
    cells
        The grid on the detector of the document.
    """
    grid, historical = cells.grid, spec.noise_model == "historical"
    polar, _ = tables.engine.polar_cells(draws, labels, cells, spec.seed)
    every = np.arange(len(labels))
    hidden = np.stack([draws.of(name, every) for name in _HIDDEN], axis=1)
    seen = SeenCells.of(cells.pixels, cells.size_px, cells.effective, hidden)
    np.divide(polar, seen.parts, out=polar, where=seen.parts > 0, casting="same_kind")
    axes = SignalAxes("polar", grid.q[:, None], grid.azimuth_deg)
    polar = tables.extensions.change_signal(polar, axes, draws)
    parts = [(grid.mean_of_annuli(shapes), amplitude) for shapes, amplitude in smooth_parts(spec, grid.grid.q, draws)]
    if not historical:
        for shapes, amplitude in parts:
            add_to_rows(polar, shapes, amplitude * signal.height, 0)
    maxima = old_maxima(draws["sigma_px"], spec.seed, draws.patterns) if historical else None
    apply_cell_noise(polar, cells.shares, seen, signal.unit, draws.values, (spec.seed, draws.patterns), maxima)
    polar = extended_counts(tables, polar, axes, draws, seen.pixels)
    if spec.postprocessing.sqrt:
        polar = square_root(polar)
    if historical:
        flat = polar.reshape(len(polar), -1)
        flat[...] = normalise(flat)
        for shapes, amplitude in parts:
            add_to_rows(polar, shapes, np.asarray(amplitude, np.float64), 0)
        polar[np.broadcast_to(seen.pixels == 0, polar.shape)] = 0
    return polar
