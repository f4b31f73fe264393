"""How fast dynamical patterns are made: against multislice by abTEM, py4DSTEM's Bloch waves, and from a library.

    python -m tests.benchmarks.bloch [--directions 200] [--repeats 5] [--environments FOLDER] [--alone]

One thread, by time of a processor, medians of several runs. A direction is random, with thicknesses of 100, 200 and
400 Å, 200 kV, the default beams, no absorption; the error of these is printed by `bloch_beams`. In turns with ours,
abTEM goes through a box of 50 Å × 50 Å × 400 Å of PbI₂, and py4DSTEM computes random directions of it at the same
thicknesses, with about as many beams as ours propagates. Each is installed by pip, as its configuration says, into an
environment of its own, in a temporary folder unless one is named. Patterns from a library are whole blocks: draws,
detector, counting and normalisation included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks.environments import answering, python_with

PHASES = "pbi2_2h", "p4mbm_scaled_mixed_halide", "gratia_2h"
THICKNESSES = 100.0, 200.0, 400.0
EDGE_ANGSTROM = 50.0
ABTEM = "abtem>=1.0.11", "ase>=3.23"
PY4DSTEM = "py4dstem>=0.14.18", "ase>=3.23"
THEIR_DIRECTIONS = 20


def main() -> None:
    """Print all rates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--directions", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environments", type=Path, help="folder of those of abTEM and py4DSTEM, made unless there")
    parser.add_argument("--alone", action="store_true", help="without abTEM and py4DSTEM")
    asked = parser.parse_args()
    runs = {phase: directions_of(phase, asked.directions) for phase in PHASES}
    for run in runs.values():
        run()  # loads and compiles
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_sides:
        sides = [] if asked.alone else [open_sides.enter_context(one) for one in others(asked.environments or folder)]
        for ask in sides:
            ask()
        turns = [(taken(runs), *(ask() for ask in sides)) for _ in range(asked.repeats)]
    report(runs, asked.directions, *(np.array(side) for side in zip(*turns, strict=True)))
    from_library(asked.repeats)


def document(phases: tuple[str, ...], n: int, **further: Any) -> SimulationSpec:
    """Return a document for dynamical patterns."""
    return make_spec(
        {
            "phases": list(phases),
            "n_patterns": n,
            "intensities": {"model": "bloch"},
            "diffraction": {"thickness_angstrom": {"choice": list(THICKNESSES)}, "debye_waller": {"Pb": 2.0, "I": 2.0}},
            "output": {"x_all": False},
        }
        | further,
        SimulationSpec,
        source="benchmark",
    )


def directions_of(phase: str, n: int) -> Callable[[], None]:
    """Return what computes ``n`` directions of a phase, each at all thicknesses."""
    spec = document(
        (phase,), 3 * n, combinations=["diffraction.thickness_angstrom"], lattice_scale=1.0, calibration_scale=1.0
    )
    simulator = Simulator.prepare(spec)
    engine, draws = simulator.tables.engine, simulator.draw(0, 3 * n)
    grains = next(iter(engine.grains(draws, np.zeros(3 * n, np.int64))))
    return lambda: list(engine.sources(grains, engine.geometry.frame)) and None


def taken(runs: dict[str, Callable[[], None]]) -> list[float]:
    """Return the seconds of a processor that each run takes."""
    seconds = []
    for run in runs.values():
        begun = time.process_time()
        run()
        seconds.append(time.process_time() - begun)
    return seconds


def others(folder: Path | str) -> list[AbstractContextManager[Callable[[], list[float]]]]:
    """Return what abTEM and py4DSTEM answer with, each in an environment of its own."""
    crystal = find_crystal(PHASES[0])
    abtem, py4dstem = (python_with(Path(folder) / name[0].partition(">")[0], *name) for name in (ABTEM, PY4DSTEM))
    return [
        answering(abtem, "abtem_side.py", crystal, EDGE_ANGSTROM, THICKNESSES[-1]),
        answering(py4dstem, "py4dstem_side.py", crystal, THEIR_DIRECTIONS, *THICKNESSES),
    ]


def report(
    runs: dict[str, Callable[[], None]],
    n: int,
    ours: np.ndarray,
    abtem: np.ndarray | None = None,
    py4dstem: np.ndarray | None = None,
) -> None:
    """Print directions a second, and ratios."""
    rates = n / np.median(ours, axis=0)
    for phase, rate in zip(runs, rates, strict=True):
        print(f"{phase}: {rate:.0f} directions/s, three thicknesses each")
    if abtem is not None:
        seconds, atoms, *lengths = np.median(abtem, axis=0)
        box = " × ".join(f"{length:.0f}" for length in lengths)
        print(f"abTEM, PbI₂, {box} Å, {atoms:.0f} atoms: {seconds:.2f} s a pattern; ours is {rates[0] * seconds:.0f} × "
              f"as fast, {rates[-1] * seconds:.0f} × for gratia_2h")  # fmt: skip
    if py4dstem is not None:
        seconds, beams = np.median(py4dstem, axis=0)
        print(f"py4DSTEM, PbI₂, {beams:.0f} beams: {1 / seconds:.1f} directions/s; ours is {rates[0] * seconds:.0f} × "
              "as fast")  # fmt: skip


def from_library(repeats: int) -> None:
    """Print how many patterns a second are drawn from a library of a coarse grid."""
    library = {"kind": "library", "resolution_deg": 2.0}
    further = {"thickness_angstrom": {"uniform": [60.0, 480.0]}, "debye_waller": {"Pb": 2.0, "I": 2.0}}
    for what, n, output in (("profiles", 3000, {}), ("reduced polar patterns and their profiles", 768, {"polar": {}})):
        spec = document(PHASES, n, orientations=library, diffraction=further, output={"x_all": False} | output)
        simulator = Simulator.prepare(spec)
        simulator.block(0, 30, threads=1)  # computes the library
        seconds = []
        for _ in range(repeats):
            begun = time.process_time()
            simulator.block(0, n, threads=1)
            seconds.append(time.process_time() - begun)
        print(f"from a library: {n / np.median(seconds):.0f} {what} a second")


if __name__ == "__main__":
    main()
