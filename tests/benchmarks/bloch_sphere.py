"""How far beams count: profiles against every lattice point of a sphere, by dense Bloch waves in double precision.

    python -m tests.benchmarks.bloch_sphere [--phases pb:2.0,pbi2_2h:1.5] [--directions 8] [--tilts 0.5,3,4.6]

The number after a phase is the largest |g|, Å⁻¹. Compared are dense calculations with the beams up to some excitation
error, and the engine's own choices, whose beams reach as far as they do in use. Directions are random ones, and some
tilted off [001]; thicknesses 100, 200 and 400 Å, 200 kV, B = 2 Å² for Pb and I. The error is that of `bloch_beams`.
"""

from __future__ import annotations

import argparse

import numpy as np
from orix.quaternion import Rotation
from orix.vector import Vector3d

from difsims_core import excited_spots
from difsims_core.crystal.phases import as_crystal, load_phase
from tests.benchmarks.bloch_beams import SIGMA_PX, THICKNESSES, errors_of, random_directions, zone_axis
from tests.oracles.bloch import diffract
from tests.oracles.bloch_boxes import atoms_of

Q = np.arange(13, 160) * 0.008290514530472063
SIGMA = SIGMA_PX * 0.00588
B = {"Pb": 2.0, "I": 2.0}
ERRORS = 0.08, 0.12, 0.2, 0.4  # Å⁻¹


def main() -> None:
    """Print a table for each phase."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--phases", default="pb:2.0,pbi2_2h:1.5")
    parser.add_argument("--directions", type=int, default=8, help="random ones")
    parser.add_argument("--tilts", default="0.5,3,4.6", help="off [001], degrees")
    asked = parser.parse_args()
    for entry in asked.phases.split(","):
        name, _, g_max = entry.partition(":")
        along = Rotation(zone_axis(as_crystal(name), (0, 0, 1)))
        across = Vector3d([np.cos(0.4), np.sin(0.4), 0.0])
        tilted = [along * Rotation.from_axes_angles(across, np.deg2rad(float(t))) for t in asked.tilts.split(",")]
        rotations = [*(Rotation(each[None]) for each in random_directions(asked.directions)), *tilted]
        errors = np.array([errors_at(name, rotation, float(g_max)) for rotation in rotations])
        print(f"{name}, |g| ≤ {g_max} Å⁻¹; error of the profile, %, at 100, 200 and 400 Å")
        off = "".join(f"{tilt + '° off [001]':^21}" for tilt in asked.tilts.split(","))
        print(f"{'':>18}{'median, random':^21}{'worst, random':^21}{off}")
        ways = *(f"dense, |s| ≤ {s}" for s in ERRORS), "engine, default", "engine, fine"
        for way, label in enumerate(ways):
            of_random, rest = errors[: asked.directions, way], errors[asked.directions :, way]
            rows = [np.median(of_random, axis=0), of_random.max(axis=0), *rest]
            print(f"{label:>18}" + "".join("".join(f"{x:6.1f}" for x in row) + "   " for row in rows), flush=True)


def errors_at(name: str, rotation: Rotation, g_max: float) -> np.ndarray:
    """Return (ways, 3) errors at one orientation."""
    phase, matrix = load_phase(name), rotation.to_matrix()[0].T
    every, *some = (diffract(atoms_of(phase, B), matrix, THICKNESSES, g_max=g_max, s_max=s) for s in (g_max, *ERRORS))
    found = [np.array([profile(each.g[1:], row[1:]) for row in each.intensity]) for each in (every, *some)]
    for beams in ("default", "fine"):
        spots = [
            excited_spots(
                phase, rotation, intensities={"model": "bloch", "beams": beams}, thickness_angstrom=t, debye_waller=B
            )
            for t in THICKNESSES
        ]
        found.append(np.array([profile(each.g, each.intensity) for each in spots]))
    return errors_of(np.array(found[1:]), np.array(found[:1]))


def profile(g: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    """Return what the annuli of the crop show of some spots."""
    distance = (Q[:, None] - np.linalg.norm(g[:, :2], axis=1)) / SIGMA
    return (np.exp(-(distance**2) / 2) * intensity).sum(axis=1) / Q


if __name__ == "__main__":
    main()
