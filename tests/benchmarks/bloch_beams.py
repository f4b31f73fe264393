"""How many beams dynamical diffraction needs: error of the profile and rate, for each choice of beams and each phase.

    python -m tests.benchmarks.bloch_beams [--phases pb,pbi2_2h] [--directions 50] [--choices default,fine,30:60:600]

The error is Σ|p − p₀| / Σ p₀ over the 147 annuli of the crop, spots one annulus wide, against a calculation of beams
with |s| ≤ 0.2 Å⁻¹ and |g| ≤ 2.4 Å⁻¹. All of them are propagated, or `--most` of the smallest |s|; the others get
first-order amplitudes. Along zone axes, and near them as the engine has it, those beyond |s| = 0.08 Å⁻¹ do: propagated,
they would be a part of the Laue zones far from the sphere, which is worse than none (docs/physics.md §11). The voltage
is 200 kV, B = 2 Å² for Pb and I and 1 Å² for other elements. Rates are random directions a second of one processor,
each with three thicknesses.
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
from difsims_core.diffraction.engines.bloch.tables import ACCURACIES, G_NEAR, NEAR, Accuracy, BlochTables
from difsims_core.diffraction.geometry import Geometry
from difsims_core.kernels.bloch.records import BeamChoice

THICKNESSES = np.array([100.0, 200.0, 400.0])
ZONES = ((0, 0, 1), (1, 1, 0), (1, 1, 1))
CONVERGED_S, CONVERGED_S_ZONE, CONVERGED_G = 0.2, 0.08, 2.4  # Å⁻¹
SIGMA_PX = 1.41  # of 0.00588 Å⁻¹: an annulus


def main() -> None:
    """Print a row for each phase and choice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--phases", default=",".join(entry.name for entry in list_catalogue()))
    parser.add_argument("--directions", type=int, default=50, help="random ones")
    parser.add_argument(
        "--choices", default="default,fine", help="names, or strong:fewest:most:coupling:weak:far:back:g_strong:g_weak"
    )
    parser.add_argument("--most", type=int, default=4500, help="beams that the reference propagates at most")
    asked = parser.parse_args()
    print(f"{'phase':>28} {'choice':>14} {'strong':>7} {'error, % (100, 200, 400 Å)':^62} {'rate':>7}")
    print(
        f"{'':>28} {'':>14} {'beams':>7} {'median':^20} {'worst, random':^20} {'worst, zone axes':^20} {'/s':>7}",
        flush=True,
    )
    for name in asked.phases.split(","):
        measure(name, asked.directions, asked.choices.split(","), asked.most)


def measure(name: str, n_random: int, choices: list[str], most: int) -> None:
    """Print the rows of one phase."""
    crystal = as_crystal(name)
    engine = engine_of(crystal)
    orientations = np.concatenate([random_directions(n_random), *(zone_axis(crystal, zone) for zone in ZONES)])
    tables = engine.tables[0]
    converged = np.concatenate(
        [
            profiles(engine, all_beams(tables.choice.zone, most), orientations[:n_random])[0],
            profiles(engine, all_beams(0.0, most), orientations[n_random:])[0],
        ]
    )
    for choice in choices:
        accuracy = ACCURACIES.get(choice) or Accuracy(
            *(float(number) if "." in number else int(number) for number in choice.split(":"))
        )
        chosen = accuracy.choice(tables.potential, tables.lengths, tables.reached_per_volume, engine.geometry.k)
        found, rate = profiles(engine, chosen, orientations, n_random)
        errors = errors_of(found, converged)
        numbers = [*np.median(errors, axis=0), *errors[:n_random].max(axis=0), *errors[n_random:].max(axis=0)]
        row = " ".join(f"{number:6.1f}" for number in numbers)
        print(f"{name:>28} {choice:>14} {strong_beams(tables, chosen):>7.0f} {row} {rate:>7.0f}", flush=True)


def errors_of(found: np.ndarray, converged: np.ndarray) -> np.ndarray:
    """Return the errors of profiles, %."""
    return 100 * np.abs(found - converged).sum(axis=2) / converged.sum(axis=2)


def random_directions(n: int) -> np.ndarray:
    """Return (n, 4) quaternions."""
    return Rotation.random(n, random_state=np.random.default_rng(5)).as_quat(scalar_first=True)


def engine_of(crystal: Crystal) -> BlochEngine:
    """Return an engine prepared for one phase and for all beams up to 2.4 Å⁻¹."""
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
    return BlochEngine.prepare(spec, [crystal], geometry, seen)


def all_beams(zone: float, most: int) -> BeamChoice:
    """Return the choice of the reference; directions of more than ``zone`` are near a zone axis."""
    return BeamChoice(
        strong=CONVERGED_S, strong_zone=CONVERGED_S_ZONE, weak=CONVERGED_S_ZONE, far=CONVERGED_S, far_coupling=0.0,
        back=0.0, g_strong=CONVERGED_G, g_weak=CONVERGED_G, near=NEAR, g_near=G_NEAR, zone=zone, most_strong=most,
    )  # fmt: skip


def strong_beams(tables: BlochTables, choice: BeamChoice) -> float:
    """Return how many beams are propagated in a random direction."""
    per_error = 2 * np.pi * choice.g_strong**2 * tables.reached_per_volume
    return min(per_error * choice.strong, choice.most_strong)


def profiles(
    engine: BlochEngine, choice: BeamChoice, orientations: np.ndarray, n_timed: int = 0
) -> tuple[np.ndarray, float]:
    """Return (n, 3, 147) profiles, and how many directions a second of the first ``n_timed``."""
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
    found = engine.profiles(draws, labels)[0][:, engine.geometry.grid.crop].reshape(n, 3, -1).astype(np.float64)
    if not n_timed:
        return found, 0.0
    random = next(engine.grains(draws, labels)).part(slice(0, 3 * n_timed))
    begun = time.process_time()
    engine.spots(random, engine.geometry.frame)
    return found, n_timed / (time.process_time() - begun)


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
