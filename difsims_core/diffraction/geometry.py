"""What all patterns of a dataset share, and what differs between them, as the kernels take it.

See docs/physics.md §§4–5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from difsims_core.config.simulation import DetectorSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.imperfections.convergence import disc_points, disc_radius
from difsims_core.diffraction.imperfections.distortion import distortions
from difsims_core.diffraction.spread import REACH_SIGMA, reach_px, spread_operator
from difsims_core.kernels.spots.records import Conditions, Frame, Spread
from difsims_core.signal.grid import RadialGrid
from difsims_core.units import electron_wavelength_angstrom


@dataclass(frozen=True, slots=True)
class Geometry:
    """Beam, detector and annuli of a dataset: what has to do with no crystal.

    Attributes
    ----------
    k : float
        1/λ, Å⁻¹.
    detector, grid
        The detector and its annuli.
    sigma_px : (k,) float32
        The values of σ, increasing, pixels.
    spread : Spread
        Their spread operators.
    reach_px : float
        Largest distance of a spot from the centre that counts, pixels.
    disc_px : float
        Largest radius of a convergence disc, pixels.
    """

    k: float
    detector: DetectorSpec
    grid: RadialGrid
    sigma_px: np.ndarray
    spread: Spread
    reach_px: float
    disc_px: float = 0.0

    @classmethod
    def of(cls, beam_energy_kv: float, detector: DetectorSpec, sigma_px: np.ndarray, disc_px: float = 0.0) -> Geometry:
        """Prepare the spread operators for the values of σ (k,) and convergence discs of up to ``disc_px`` radius."""
        wavelength, grid = electron_wavelength_angstrom(beam_energy_kv), RadialGrid()
        reach = reach_px(detector, grid, float(sigma_px[-1])) + disc_px
        return cls(
            1 / wavelength,
            detector,
            grid,
            sigma_px,
            spread_operator(detector, grid, sigma_px, reach + disc_px),
            reach,
            disc_px,
        )

    def image_frame(self, shape: tuple[int, int]) -> Frame:
        """Return a detector of (ny, nx) pixels as images see it: spots beside it reach its outermost pixels."""
        rim = self._rim_px
        return Frame(shape[1] / 2, shape[0] / 2, rim, True, math.hypot(shape[0] / 2 + rim, shape[1] / 2 + rim))

    @property
    def frame(self) -> Frame:
        """The detector as profiles and polar patterns see it; spots beside it reach annuli that it leaves whole."""
        half = self.detector.size_px / 2
        return Frame(half, half, self._rim_px, False, self.reach_px)

    @property
    def _rim_px(self) -> float:
        return REACH_SIGMA * float(self.sigma_px[-1]) + self.disc_px


def conditions(geometry: Geometry, draws: Draws, which: np.ndarray, second: bool = False) -> Conditions:
    """Return the conditions of some patterns of one phase.

    Parameters
    ----------
    geometry, draws
        What they share, and what was drawn.
    which
        (m,) positions in ``draws``.
    second
        Whether the second grain of each is meant.
    """
    m, zeros = len(which), np.zeros(len(which))
    sigma = draws["sigma_px"][which]
    hidden = [draws.of(name, which) for name in ("beam_stop_radius_px", "gap_width_px", "gap_offset_px", "gap_along_x")]
    per_px = draws.of("calibration_scale", which, 1.0) * geometry.detector.calibration_per_angstrom
    fraction = draws.of("second_fraction", which)
    disc = disc_radius(draws.of("convergence_mrad", which), 1 / geometry.k)
    displacement = "second_rms_displacement_angstrom"
    if not second or displacement not in draws:  # one for both grains, but for those of a library
        displacement = "rms_displacement_angstrom"
    shift = draws.of("centre_error_px", which) if "centre_error_px" in draws else np.zeros((m, 2))
    return Conditions(
        pattern=draws.patterns[which],
        orientation=draws.of("second_orientation" if second else "orientation", which),
        lattice_scale=draws.of("second_lattice_scale" if second else "lattice_scale", which),
        per_px=per_px,
        thickness=draws.of("thickness_angstrom", which),
        width=draws.of("relrod_width_per_angstrom", which),
        angle=np.deg2rad(draws.of("precession_angle_deg", which)),
        sigma=sigma.astype(np.float64),
        level=np.searchsorted(geometry.sigma_px, sigma),
        weight=fraction if second else 1 - fraction,
        removed=np.zeros(m, np.uint64) if second else draws["removed_spots"][which].astype(np.uint64),
        beam=zeros if second else draws.of("direct_beam", which),
        distortion=distortions(draws.of("ellipticity", which), draws.of("ellipse_direction_deg", which), shift),
        extinction=zeros,
        displacement=draws.of(displacement, which),
        exponent=draws.of("intensity_exponent", which, 1.0),
        scatter=draws.of("intensity_scatter", which),
        disc=disc,
        points=disc_points(disc / per_px, sigma.astype(np.float64)),
        hidden=np.stack(hidden, axis=1),
    )
