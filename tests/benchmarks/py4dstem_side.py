"""What py4DSTEM takes for a direction; runs in an environment of its own (`bloch`), which has no difsims.

    python py4dstem_side.py CRYSTAL.cif DIRECTIONS THICKNESS_ANGSTROM…

Answers each line of its input with the seconds of a processor that one random direction takes, all thicknesses from one
run: beams within |g| ≤ 1.5 Å⁻¹ and |s| ≤ 0.056 Å⁻¹, dense matrix, eigenvectors. Elastic factors with displacements, no
absorption, as ours; the potential's coefficients, to 3 Å⁻¹, are computed once before.
"""

import contextlib
import sys
import time

import numpy as np
from ase.io import read
from py4DSTEM.process.diffraction import Crystal

ENERGY_EV, REACH, SHELL, RMS_ANGSTROM = 200e3, 1.5, 0.056, (2.0 / (8 * np.pi**2)) ** 0.5


def main() -> None:
    """Answer lines until there are no more."""
    path, n, thicknesses = sys.argv[1], int(sys.argv[2]), list(map(float, sys.argv[3:]))
    atoms = read(path)
    crystal = Crystal(atoms.get_scaled_positions(), atoms.numbers, np.array(atoms.cell))
    with contextlib.redirect_stdout(sys.stderr):
        crystal.setup_diffraction(ENERGY_EV)
        crystal.calculate_dynamical_structure_factors(ENERGY_EV, "WK", k_max=2 * REACH, thermal_sigma=RMS_ANGSTROM)
    chance = np.random.default_rng(0)
    for _ in sys.stdin:
        directions, beams = chance.normal(size=(n, 3)), 0
        begun = time.process_time()
        for direction in directions:
            along = {"zone_axis_cartesian": direction / np.linalg.norm(direction)}
            chosen = crystal.generate_diffraction_pattern(
                **along, k_max=REACH, sigma_excitation_error=SHELL, tol_excitation_error_mult=1, tol_intensity=0
            )
            crystal.generate_dynamical_diffraction_pattern(chosen, thicknesses, **along)
            beams += len(chosen.data)
        print((time.process_time() - begun) / n, beams / n, flush=True)


if __name__ == "__main__":
    main()
