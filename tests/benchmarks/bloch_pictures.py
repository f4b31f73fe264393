"""What dynamical diffraction looks like, and what it costs: the picture of docs/physics.md §11.

    python -m tests.benchmarks.bloch_pictures [FILE]

Rocking curve and thickness fringes of the 111 beam of aluminium near its two-beam condition, against the formula for
two beams; profiles of one crystal against its thickness; time of a direction, and error of its profile, against the
number of strong beams.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from diffpy.structure import Atom, Lattice, Structure
from orix.crystal_map import Phase
from orix.quaternion import Rotation
from orix.vector import Vector3d

from difsims_core import excited_spots, radial_profiles
from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import as_crystal
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks.bloch_beams import (
    CONVERGED_S,
    all_beams,
    engine_of,
    errors_of,
    profiles,
    random_directions,
    strong_beams,
)

ENERGY_KV, EXTINCTION_ANGSTROM = 100.0, 556.0
PHASE = "gratia_2h"


def main() -> None:
    """Draw all panels into one file."""
    figure, panels = plt.subplots(3, 2, figsize=(11, 12), layout="constrained")
    rocking_curve(panels[0, 0])
    fringes(panels[0, 1])
    against_thickness(panels[1, 0])
    cost(panels[1, 1])
    for panel, phase in zip(panels[2], ("pb", "pbi2_2h"), strict=True):
        convergence(panel, phase)
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "bloch.png", dpi=110)


def aluminium() -> Phase:
    """Return aluminium."""
    sites = ((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0))
    structure = Structure([Atom("Al", site) for site in sites], Lattice(4.0495, 4.0495, 4.0495, 90, 90, 90))
    return Phase("al", space_group=225, structure=structure)


def intensity_of_111(tilts_deg: np.ndarray, thickness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return excitation errors, Å⁻¹, and intensities of the 111 beam while the crystal is tilted through it."""
    g = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    along = np.array([-5.0, -2.0, 7.0]) + 0.31 * np.array([1.0, -1.0, 0.0])  # far from zone axes, across g
    along /= np.linalg.norm(along)
    flat = Rotation.from_matrix(np.stack([g, np.cross(along, g), along], axis=1))
    tilted = flat * Rotation.from_axes_angles(Vector3d.yvector(), np.deg2rad(tilts_deg))
    spots = excited_spots(
        aluminium(), tilted, beam_energy_kv=ENERGY_KV, intensities={"model": "bloch", "beams": "fine"},
        thickness_angstrom=thickness,
    )  # fmt: skip
    is_111 = np.all(spots.hkl == 1, axis=1)
    return spots.excitation_error[is_111], spots.intensity[is_111]


def two_beams(s: np.ndarray, thickness: np.ndarray | float) -> np.ndarray:
    """Return sin² (π t √(s² + 1/ξ²)) / (1 + s² ξ²)."""
    effective = np.sqrt(s**2 + EXTINCTION_ANGSTROM**-2)
    return (np.sin(np.pi * thickness * effective) / (EXTINCTION_ANGSTROM * effective)) ** 2


def rocking_curve(panel: plt.Axes) -> None:
    """Draw intensity against excitation error."""
    s, found = intensity_of_111(np.linspace(-0.2, 1.4, 161), 800.0)
    order = np.argsort(s)
    panel.plot(s[order], found[order], label="Bloch waves")
    panel.plot(s[order], two_beams(s[order], 800.0), "--", label="two beams")
    panel.set(xlabel="excitation error / Å⁻¹", ylabel="intensity", title="Al 111, 100 kV, 800 Å: rocking curve")
    panel.legend()


def fringes(panel: plt.Axes) -> None:
    """Draw intensity against thickness at the Bragg condition."""
    tilts = np.linspace(-0.2, 1.4, 161)
    s, _ = intensity_of_111(tilts, 100.0)
    bragg = np.array([tilts[np.abs(s).argmin()]])
    thicknesses = np.arange(20.0, 1700.0, 20.0)
    found = [intensity_of_111(bragg, t)[1][0] for t in thicknesses]
    panel.plot(thicknesses, found, label="Bloch waves")
    panel.plot(thicknesses, two_beams(np.zeros(1), thicknesses), "--", label="two beams, ξ = 556 Å")
    panel.set(xlabel="thickness / Å", ylabel="intensity", title="the same at the Bragg condition: thickness fringes")
    panel.legend()


def against_thickness(panel: plt.Axes) -> None:
    """Draw the profile of one orientation for each thickness."""
    rotation, thicknesses = Rotation.from_euler([20, 6, 51], degrees=True), np.arange(20.0, 500.0, 10.0)
    profiles = np.concatenate(
        [
            radial_profiles(
                PHASE, rotation, sigma_px=2, intensities={"model": "bloch", "rms_displacement_angstrom": 0.1},
                thickness_angstrom=float(t),
            )[:, 12:159]
            for t in thicknesses
        ]
    )  # fmt: skip
    q = np.arange(12, 159) * 0.00829
    panel.pcolormesh(
        q, thicknesses, np.sqrt(profiles / profiles.max(axis=1, keepdims=True)), cmap="magma", shading="auto"
    )
    panel.set(xlabel="q / Å⁻¹", ylabel="thickness / Å", title=f"√profile of {PHASE}, one orientation")


def cost(panel: plt.Axes) -> None:
    """Draw the time of a direction against the number of its strong beams."""
    spec = make_spec(
        {
            "phases": [PHASE],
            "n_patterns": 24,
            "intensities": {"model": "bloch"},
            "diffraction": {"thickness_angstrom": 400.0},
            "lattice_scale": 1.0,
            "output": {"x_all": False},
        },
        SimulationSpec,
        source="picture",
    )
    simulator = Simulator.prepare(spec)
    engine, draws = simulator.tables.engine, simulator.draw(0, 24)
    tables, counts, times = engine.tables[0], [], []
    for strong in (0.004, 0.006, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08):
        choice = tables.choice._replace(strong=strong, zone=math.inf, most_strong=2000)
        chosen = replace(engine, tables=(replace(tables, choice=choice),))
        grains = next(iter(chosen.grains(draws, np.zeros(24, np.int64))))
        chosen.spots(grains, engine.geometry.frame)
        begun = time.process_time()
        chosen.spots(grains, engine.geometry.frame)
        times.append((time.process_time() - begun) / 24)
        counts.append(strong_beams(tables, choice))
    panel.loglog(counts, 1e3 * np.array(times), "o-")
    panel.set(xlabel="strong beams", ylabel="ms of a processor", title=f"a direction of {PHASE}, 400 Å")
    panel.grid(visible=True, which="both", alpha=0.3)


def convergence(panel: plt.Axes, phase: str) -> None:
    """Draw the error of profiles against the number of strong beams, with and without the weak ones."""
    engine, directions = engine_of(as_crystal(phase)), random_directions(6)
    converged, _ = profiles(engine, all_beams(CONVERGED_S, 4000), directions)
    usual = engine.tables[0].choice
    ways = {
        "strong beams alone": {"weak": 0.0, "far": 0.0},
        "weak ones to 0.08 Å⁻¹": {"far": usual.weak},
        "weak ones to 0.2 Å⁻¹": {},
    }
    for label, without in ways.items():
        counts, errors = [], []
        for strong in (0.006, 0.01, 0.015, 0.02, 0.03, 0.04, 0.055, 0.08):
            choice = usual._replace(strong=strong, most_strong=2000, **without)
            choice = choice._replace(weak=max(choice.weak, strong), far=max(choice.far, strong))
            found, _ = profiles(engine, choice, directions)
            counts.append(strong_beams(engine.tables[0], choice))
            errors.append(np.median(errors_of(found, converged)))
        panel.loglog(counts, errors, "o-", label=label)
    panel.axvline(strong_beams(engine.tables[0], usual), color="grey", linestyle=":")
    panel.set(xlabel="strong beams", ylabel="error, %", title=f"{phase}, 100, 200 and 400 Å: error of the profile")
    panel.grid(visible=True, which="both", alpha=0.3)
    panel.legend()


if __name__ == "__main__":
    main()
