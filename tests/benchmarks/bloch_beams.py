"""How many beams dynamical diffraction needs: error of the profile and rate, for each choice of beams and each phase.

    python -m tests.benchmarks.bloch_beams [--phases pb,pbi2_2h] [--directions 50] [--choices default,fine,30:60:600]

The error is Σ|p − p₀| / Σ p₀ over the 147 annuli of the crop, spots one annulus wide, against a calculation in which
all beams with |s| ≤ 0.08 Å⁻¹ and |g| ≤ 2.4 Å⁻¹ are propagated, or those of the smallest |s| where they are more than
4 000. (Further ones would be a part of the Laue zones far from the sphere, which is worse than none, docs/physics.md
§11.) Directions are random ones and three zone axes; the voltage is 200 kV, B = 2 Å² for Pb and I and 1 Å² for other
elements. Rates are random directions a second of one processor, each with three thicknesses.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import list_catalogue
from difsims_core.crystal.phases import Crystal, as_crystal
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.bloch.engine import BlochEngine
from difsims_core.diffraction.engines.bloch.tables import ACCURACIES, Accuracy
from difsims_core.diffraction.geometry import Geometry
from difsims_core.kernels.bloch.records import BeamChoice

THICKNESSES = np.array([100.0, 200.0, 400.0])
ZONES = ((0, 0, 1), (1, 1, 0), (1, 1, 1))
CONVERGED_S, CONVERGED_G, CONVERGED_MOST = 0.08, 2.4, 4000  # Å⁻¹, Å⁻¹, beams
SIGMA_PX = 1.41  # of 0.00588 Å⁻¹: an annulus


def main() -> None:
    """Print a row for each phase and choice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--phases", default=",".join(entry.name for entry in list_catalogue()))
    parser.add_argument("--directions", type=int, default=50, help="random ones")
    parser.add_argument(
        "--choices", default="default,fine", help="names, or strong:fewest:most:weak:back:g_strong:g_weak"
    )
    asked = parser.parse_args()
    print(f"{'phase':>28} {'choice':>14} {'strong':>7} {'error, % (100, 200, 400 Å)':^62} {'rate':>7}")
    print(
        f"{'':>28} {'':>14} {'beams':>7} {'median':^20} {'worst, random':^20} {'worst, zone axes':^20} {'/s':>7}",
        flush=True,
    )
    for name in asked.phases.split(","):
        measure(name, asked.directions, asked.choices.split(","))


def measure(name: str, n_random: int, choices: list[str]) -> None:
    """Print the rows of one phase."""
    crystal = as_crystal(name)
    elements = sorted(set(crystal.structure.atoms.elements))
    spec = make_spec(
        {
            "intensities": {"model": "bloch", "beams": "fine"},
            "diffraction": {
                "thickness_angstrom": 100.0,
                "debye_waller": {element: 2.0 if element in ("Pb", "I") else 1.0 for element in elements},
            },
            "lattice_scale": 1.0,
            "calibration_scale": 1.0,
            "spots": {"sigma_px": SIGMA_PX, "removal": None},
            "output": {"x_all": False},
        },
        SimulationSpec,
        source="benchmark",
    )
    geometry = Geometry.of(spec.microscope.beam_energy_kv, spec.detector, np.array([SIGMA_PX], np.float32))
    seen = geometry.reach_px * spec.detector.calibration_per_angstrom
    engine = BlochEngine.prepare(spec, [crystal], geometry, seen)
    random = Rotation.random(n_random, random_state=np.random.default_rng(5))
    orientations = np.concatenate([random.as_quat(scalar_first=True), *(zone_axis(crystal, zone) for zone in ZONES)])
    tables = engine.tables[0]
    everything = BeamChoice(CONVERGED_S, CONVERGED_S, 0.0, CONVERGED_G, CONVERGED_G, CONVERGED_MOST, CONVERGED_MOST)
    converged, _, _ = profiles(engine, everything, orientations)
    for choice in choices:
        accuracy = ACCURACIES.get(choice) or Accuracy(
            *(float(number) if "." in number else int(number) for number in choice.split(":"))
        )
        chosen = accuracy.choice(tables.potential, tables.reached_per_volume, geometry.k)
        found, n_strong, rate = profiles(engine, chosen, orientations)
        errors = 100 * np.abs(found - converged).sum(axis=2) / converged.sum(axis=2)
        numbers = [*np.median(errors, axis=0), *errors[:n_random].max(axis=0), *errors[n_random:].max(axis=0)]
        row = " ".join(f"{number:6.1f}" for number in numbers)
        print(f"{name:>28} {choice:>14} {n_strong:>7.0f} {row} {rate:>7.0f}", flush=True)


def profiles(engine: BlochEngine, choice: BeamChoice, orientations: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return (n, 3, 147) profiles, the median number of strong beams, and directions a second."""
    engine = replace(engine, tables=(replace(engine.tables[0], choice=choice),))
    n = len(orientations)
    draws = Draws(
        np.arange(3 * n),
        {
            "orientation": np.repeat(orientations, 3, axis=0),
            "thickness_angstrom": np.tile(THICKNESSES, n),
            "lattice_scale": np.ones(3 * n),
            "sigma_px": np.full(3 * n, SIGMA_PX, np.float32),
            "removed_spots": np.zeros(3 * n, np.uint8),
        },
    )
    labels = np.zeros(3 * n, np.int64)
    random = next(engine.grains(draws, labels)).part(slice(0, 3 * (n - len(ZONES))))
    begun = time.process_time()
    spots = engine.spots(random, engine.geometry.frame)
    taken = time.process_time() - begun
    strong = np.abs(spots.excitation_error) <= choice.strong
    counts = np.bincount(spots.crystal[strong])
    found = engine.profiles(draws, labels)[0][:, engine.geometry.grid.crop]
    return found.reshape(n, 3, -1).astype(np.float64), float(np.median(counts)), (n - len(ZONES)) / taken


def zone_axis(crystal: Crystal, zone: tuple[int, int, int]) -> np.ndarray:
    """Return (1, 4) quaternion of the orientation with the direction [uvw] along the beam."""
    axis = np.array(zone) @ crystal.structure.cell.base
    axis /= np.linalg.norm(axis)
    across = np.eye(3)[np.abs(axis).argmin()]
    across -= axis * (across @ axis)
    across /= np.linalg.norm(across)
    matrix = np.stack([across, np.cross(axis, across), axis], axis=1)
    return Rotation.from_matrix(matrix).as_quat(scalar_first=True)[None]


if __name__ == "__main__":
    main()
