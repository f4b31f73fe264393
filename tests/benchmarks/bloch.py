"""How fast dynamical patterns are made: directions a second, against multislice by abTEM, and drawn from a library.

    python -m tests.benchmarks.bloch [--directions 200] [--repeats 5] [--environment FOLDER] [--no-abtem]

One thread, by time of a processor, medians of several runs. A direction is random, with thicknesses of 100, 200 and
400 Å, 200 kV, the default beams, no absorption; the error of these is printed by `bloch_beams`. abTEM goes through a
box of 50 Å × 50 Å × 400 Å of PbI₂, in turns with ours; it is installed by pip, as its configuration says, into an
environment of its own, in a temporary folder unless one is named. Patterns from a library are whole blocks: draws,
detector, counting and normalisation included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.simulation.simulator import Simulator

PHASES = "pbi2_2h", "p4mbm_scaled_mixed_halide", "gratia_2h"
THICKNESSES = 100.0, 200.0, 400.0
EDGE_ANGSTROM = 50.0
ABTEM = "abtem>=1.0.11", "ase>=3.23"


def main() -> None:
    """Print all rates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--directions", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environment", type=Path, help="folder of an environment with abTEM, made unless it is there")
    parser.add_argument("--no-abtem", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {phase: directions_of(phase, asked.directions) for phase in PHASES}
        for run in runs.values():
            run()  # loads and compiles
        if asked.no_abtem:
            report(runs, asked.directions, [taken(runs) for _ in range(asked.repeats)], None)
        else:
            with multislice(abtem_python(asked.environment or Path(folder))) as ask:
                ask()
                turns = [(taken(runs), ask()) for _ in range(asked.repeats)]
            report(runs, asked.directions, [ours for ours, _ in turns], np.array([theirs for _, theirs in turns]))
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


def report(runs: dict[str, Callable[[], None]], n: int, ours: list[list[float]], theirs: np.ndarray | None) -> None:
    """Print directions a second, and ratios."""
    rates = n / np.median(ours, axis=0)
    for phase, rate in zip(runs, rates, strict=True):
        print(f"{phase}: {rate:.0f} directions/s, three thicknesses each")
    if theirs is not None:
        seconds, atoms, *lengths = np.median(theirs, axis=0)
        box = " × ".join(f"{length:.0f}" for length in lengths)
        print(f"abTEM, PbI₂, {box} Å, {atoms:.0f} atoms: {seconds:.2f} s a pattern; ours is {rates[0] * seconds:.0f} × "
              f"as fast, {rates[-1] * seconds:.0f} × for gratia_2h")  # fmt: skip


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


def abtem_python(folder: Path) -> Path:
    """Return the interpreter of an environment with abTEM, made unless it is there."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *ABTEM], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"abTEM cannot be installed into {folder} (pip config says where from):\n{done.stderr[-1500:]}")
    return python


@contextmanager
def multislice(python: Path) -> Iterator[Callable[[], list[float]]]:
    """Give what makes abTEM compute a pattern, in a process of its own, and returns its line of numbers."""
    script = Path(__file__).with_name("abtem_side.py")
    told = [str(find_crystal(PHASES[0])), str(EDGE_ANGSTROM), str(THICKNESSES[-1])]
    with subprocess.Popen([python, script, *told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, answers = process.stdin, process.stdout

        def ask() -> list[float]:
            to.write("\n")
            to.flush()
            line = answers.readline()
            if not line:
                sys.exit("abTEM failed")
            return [float(number) for number in line.split()]

        yield ask
        to.close()


if __name__ == "__main__":
    main()
