"""Seconds and memory that a big cell takes, and how much faster than a sum over its atoms, reflection by reflection.

    python -m tests.benchmarks.big_cell [--share 0.1] [--own-u]

Two cells of random atoms: 624 atoms in 18 000 Å³, as in a metal–organic framework, and 3000 in 10⁵ Å³. For each, in a
process of its own after one pattern of a small cell (nothing is compiled or imported in the time): ``radial_profiles``
of two orientations with its defaults; reflections and eight patterns of the reference document, whose lattice scale is
uniform in 0.97 … 1.03, with the time of its spread operators, which do not depend on the cell; and the peak of the
process's memory above what it held before. Then |F|² of the reflections of the first route by the direct sum, on a
``--share`` of them, against the tables, as a ratio of times of all, and the largest difference, in units of the largest
|F|². ``--own-u``: every atom has a U of its own and Debye–Waller factors apply, the worst case.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from diffsims.utils.sim_utils import get_atomic_scattering_factors
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core import SimulationSpec, load_spec, radial_profiles
from difsims_core.crystal.indices import friedel_half
from difsims_core.crystal.phases import read_phase
from difsims_core.crystal.structure_factors import Scatterers
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.simulation.tables import build_tables
from tests.oracles.big_cells import cube, random_phase

CELLS = ((624, 18_000.0), (3000, 1e5))
CORNER_PER_ANGSTROM = 2.14  # what radial_profiles takes with its defaults
TOLERANCE = 1e-6
_ROTATIONS = ((10, 40, 70), (200, 15, 3))
_CHUNK, _MB = 4096, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.1, help="of the reflections, for the direct sum")
    parser.add_argument("--own-u", action="store_true", help="a Debye–Waller factor of its own for every atom")
    arguments = parser.parse_args()
    for n_atoms, volume in CELLS:
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        with pool:
            print(pool.submit(measure, n_atoms, volume, arguments.share, own_u=arguments.own_u).result())


def measure(n_atoms: int, volume: float, share: float, *, own_u: bool) -> str:
    """Return what one cell takes, in words."""
    damping = "from_cif" if own_u else "none"
    phase = random_phase(n_atoms, cube(volume), u=(0.01, 0.08) if own_u else None)
    rotations = Rotation.from_euler(_ROTATIONS, degrees=True)
    spec = load_spec(specs_folder() / "reference.yaml", SimulationSpec, [f"diffraction.debye_waller={damping}"])
    spec = spec.model_copy(update={"phases": spec.phases[:1]})
    small = random_phase(8, cube(200.0), u=(0.01, 0.08) if own_u else None)
    radial_profiles(small, rotations, debye_waller=damping)
    build, seconds_small = timed(lambda: build_tables(spec, (read_phase(small),)))
    Simulator(spec, (read_phase(small),), build).block(0, 8, threads=1)
    before = _peak_mb()

    profiles, seconds_clean = timed(lambda: radial_profiles(phase, rotations, debye_waller=damping))
    assert profiles.shape == (2, 256)
    assert np.all(profiles.max(axis=1) > 0)
    crystals = (read_phase(phase),)
    tables, seconds_tables = timed(lambda: build_tables(spec, crystals))
    block, seconds_block = timed(lambda: Simulator(spec, crystals, tables).block(0, 8, threads=1))
    assert np.all(block.x_px.max(axis=1) == 1)
    peak = _peak_mb() - before

    ratio, difference, n = compare(phase, damping, share)
    assert difference < TOLERANCE
    return (
        f"{n_atoms} atoms, {volume:,.0f} Å³, {n:,} reflections within {CORNER_PER_ANGSTROM} Å⁻¹\n"
        f"    two orientations {seconds_clean:.2f} s; reference document {seconds_tables:.2f} s of tables "
        f"({seconds_small:.2f} s with a small cell), {len(tables.engine.phases[0].hkl):,} reflections, and "
        f"{1000 * seconds_block / 8:.1f} ms a pattern; peak memory + {peak:.0f} MB\n"
        f"    |F|²: {ratio:.0f} times as fast as the direct sum, largest difference {difference:.1e}"
    )


def compare(phase: Phase, damping: str, share: float) -> tuple[float, float, int]:
    """Return how much faster the tables are than the direct sum, their difference, and the number of reflections."""
    half = friedel_half(read_phase(phase).structure.cell.reciprocal, CORNER_PER_ANGSTROM, phase.name)
    scatterers = Scatterers.of(read_phase(phase), "lobato", damping)
    found, seconds = timed(lambda: scatterers.intensity(half, np.ones(1))[0])
    n = 2 * len(half) - 1
    step = max(1, round(1 / share))
    some = np.arange(0, len(half), step)
    expected, seconds_direct = timed(lambda: direct_sum(scatterers, half.hkl()[some], half.lengths()[some]))
    difference = float(np.abs(found[some] - expected).max() / expected.max())
    return seconds_direct * n / len(some) / seconds, difference, n


def direct_sum(scatterers: Scatterers, hkl: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Return |F|² with an exponential for every atom and every reflection."""
    kind = np.repeat(np.arange(len(scatterers.b)), np.diff(scatterers.start))
    result = np.empty(len(hkl))
    for start in range(0, len(hkl), _CHUNK):
        part = slice(start, start + _CHUNK)
        waves = np.exp(2j * np.pi * (hkl[part] @ scatterers.positions.T)) * scatterers.weights
        squared = g[part] ** 2
        f = get_atomic_scattering_factors(squared, scatterers.coefficients, scatterers.parametrisation)[:, kind]
        damping = np.exp(-0.25 * squared[:, None] * scatterers.b[kind])
        result[part] = np.abs(np.sum(waves * f * damping, axis=1)) ** 2
    return result


def timed(function):
    """Return what a function returns, and its seconds."""
    started = time.perf_counter()
    result = function()
    return result, time.perf_counter() - started


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB


if __name__ == "__main__":
    main()
