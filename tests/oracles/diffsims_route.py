"""A radial profile by way of diffsims: its spots, a native image, the mean over annuli (docs/physics.md §9).

What a user of diffsims does today, so also the baseline that a benchmark times. diffsims 0.7 bounds h, k and l
separately by the axes of the reciprocal lattice, which loses reflections of cells with oblique axes: with
γ = 120°, those beyond cos(30°) = 0.866 of the radius asked for. So ask for more than is needed.
"""

import numpy as np
from diffsims.generators.simulation_generator import SimulationGenerator
from diffsims.simulations import Simulation2D
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from tests.oracles.ewald import Spots
from tests.oracles.image_route import (
    CALIBRATION_PER_ANGSTROM,
    DETECTOR_SIZE_PX,
    SUPERSAMPLE,
    radial_mean,
    render,
    split_pixels,
)


def simulate(
    phase: Phase,
    rotation: Rotation,
    *,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    shape_factor: str = "lorentzian",
    precession_angle_deg: float = 0.0,
    q_max_per_angstrom: float = 1.85,
) -> Simulation2D:
    """Return diffsims' simulation of one orientation, without the direct beam (§9.2)."""
    generator = SimulationGenerator(
        accelerating_voltage=beam_energy_kv,
        shape_factor_model=shape_factor,
        precession_angle=precession_angle_deg,
    )
    return generator.calculate_diffraction2d(
        phase,
        rotation,
        reciprocal_radius=q_max_per_angstrom,
        with_direct_beam=False,
        max_excitation_error=max_excitation_error,
        shape_factor_width=relrod_width,
    )


def spots(simulation: Simulation2D) -> Spots:
    """Return the spots of a simulation of one orientation."""
    vectors = simulation.coordinates
    gx, gy, _ = vectors.data.reshape(-1, 3).T
    return Spots(gx, gy, np.asarray(vectors.intensity))


def profile(
    phase: Phase,
    rotation: Rotation,
    *,
    sigma_px: float = 4.0,
    calibration: float = CALIBRATION_PER_ANGSTROM,
    size: int = DETECTOR_SIZE_PX,
    parts: int = SUPERSAMPLE,
    **simulation,
) -> np.ndarray:
    """Return the radial profile of one orientation, (256,), from an image at native pixels.

    Each pixel is shared among annuli in ``parts`` × ``parts`` pieces; 1 assigns it whole, by its centre.
    """
    found = spots(simulate(phase, rotation, **simulation))
    image = render(found, sigma_px=sigma_px, calibration=calibration, size=size, supersample=1)
    return radial_mean(split_pixels(image, parts), calibration=calibration, supersample=parts)
