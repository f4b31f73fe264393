"""Where the time of a profile goes, stage by stage, and how far each stage is from what the machine could do.

    python -m tests.benchmarks.stages [--patterns 8192] [--repeats 9]        (or: profiles --stages)

The stages of the noise-free part run the kernels of the package on slices of the reference document, in a loop that
stops after a chosen one; a stage is the difference of two stops. Its result is compared with the package's own, to the
bit. A floor is counted, not guessed: what a pattern needs of arithmetic, divisions and roots, random numbers, additions
to cells and bytes, each over the rate of this machine (see ``rates``). These can overlap, so that the largest of them
is the floor, and it is named.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from difsims_core import load_spec
from difsims_core.augment.background import add_shapes
from difsims_core.augment.noise import apply_counting_noise
from difsims_core.diffraction.draws import Draws, draw_patterns
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.grains import Grains
from difsims_core.kernels.image.detector import brightest_of, remove_brightest, to_pixels
from difsims_core.kernels.profile.normalise import normalise_rows
from difsims_core.kernels.profile.pattern import turned_axes
from difsims_core.kernels.profile.spread import deposit, gather
from difsims_core.kernels.spots.candidates import expand, ranges_in_shell
from difsims_core.kernels.spots.excite import excite
from difsims_core.kernels.spots.records import spot_buffer
from difsims_core.resources import specs_folder
from difsims_core.signal.grid import pixel_counts
from difsims_core.simulation.detector_signal import smooth_parts
from difsims_core.simulation.simulator import SLICE, Simulator
from tests.benchmarks.floors import Counted, floor_of, floors
from tests.benchmarks.rates import measure_rates, print_rates

ROWS, EXCITED, DETECTED, DEPOSITED, GATHERED = range(1, 6)
STOPS = {
    "candidate rows": ROWS,
    "expansion, excitation": EXCITED,
    "detector, removed spots": DETECTED,
    "deposit": DEPOSITED,
    "gather": GATHERED,
}
WHOLE = {"whole, crop": False, "whole, all bins": True}
ONLY_FULL = {"counting, other bins", "normalising, rounding, all"}
_ROUNDING = 2.0**13 + 1


@njit(nogil=True, error_model="numpy")
def until(stop, conditions, shared, spots, where, profiles, found):
    """Do what ``phase_profiles`` does for undistorted, unprecessed patterns, as far as the stage ``stop``.

    ``found`` (4,) int64 counts candidates, excited reflections, spots that are seen, and those beside the frame.
    """
    lattice, beam, frame, spread = shared
    places, weights = np.empty(spots.x_px.shape[0] + 1, np.int64), np.empty((spots.x_px.shape[0] + 1, 4), np.float32)
    cells = np.empty(2 * (spread.n_nodes.max() + 4), np.float32)
    zero = np.float32(0)
    for i in range(where.shape[0]):
        axes = turned_axes(conditions.orientation[i], lattice.axes, conditions.lattice_scale[i])
        half = (max(frame.half_x, frame.half_y) + max(frame.rim, 0.0)) * conditions.per_px[i]
        ranges_in_shell(axes, lattice, beam.k, beam.s_max, half, spots.low, spots.high)
        if stop == ROWS:
            continue
        n = expand(axes, lattice, spots)
        found[0] += n
        scale_u = (conditions.lattice_scale[i] - lattice.centre) / lattice.half
        n = excite(spots, n, lattice, beam, conditions.width[i], 0.0, 0.0, 1, beam.s_max, scale_u, conditions.weight[i])
        found[1] += n
        if stop == EXCITED:
            continue
        n = to_pixels(spots, n, conditions.per_px[i], conditions.distortion[i], frame)
        if conditions.removed[i] != np.uint64(0):
            remove_brightest(spots, n, conditions.removed[i])
        brightest_of(spots, n)
        any_beside = 0
        for j in range(n):
            any_beside += spots.beside[j]
        found[2] += n
        found[3] += any_beside
        if stop == DETECTED:
            continue
        level = conditions.level[i]
        size = spread.n_nodes[level]
        cells[: 2 * size] = zero
        deposit(spots, n, spread.inverse_spacing[level], size, places, weights, cells)
        if stop == DEPOSITED:
            continue
        profile = profiles[where[i]]
        first, last, offset = spread.first[level], spread.last[level], spread.offset[level]
        gather(cells[:size], 0, first, last, offset, spread.weights, profile, profile.shape[0])
        if any_beside > 0:
            lowest = int(frame.half_x * spread.inverse_spacing[level])
            gather(cells[size:], lowest, first, last, offset, spread.weights, profile, spread.whole)
        for b in range(profile.shape[0]):
            profile[b] = profile[b] if profile[b] > zero else zero


class Stages:
    """The stages of profiles of the reference document, one slice after another."""

    def __init__(self, n_patterns: int) -> None:
        spec = load_spec(specs_folder() / "reference.yaml")
        self.simulator = Simulator.prepare(spec.model_copy(update={"n_patterns": n_patterns}))
        self.geometry = self.simulator.tables.geometry
        self.found: dict[int, np.ndarray] = {}
        self.counted = Counted()

    def run(self, start: int, stop: int) -> dict[str, float]:
        """Return the seconds of each stage for the patterns of one slice."""
        spec, geometry, taken = self.simulator.spec, self.geometry, {}
        draws, taken["draws"] = _timed(lambda: draw_patterns(spec, None, np.arange(start, stop)))
        labels = draws.patterns % len(spec.class_names)
        engine = self.simulator.tables.engine
        items, taken["sorting, records"] = _timed(lambda: list(engine.grains(draws, labels, spec.seed)))
        before = 0.0
        profiles = np.zeros((len(labels), geometry.grid.n_bins), np.float32)
        for name, last in STOPS.items():
            profiles[...] = 0
            found, seconds = self._until(last, items, profiles)
            taken[name], before = seconds - before, seconds
        expected, unit = engine.profiles(draws, labels, spec.seed)
        assert np.array_equal(profiles, expected)
        self.counted.add_spots(kinematical(self.simulator), draws, items, found)
        taken |= self._after(profiles, unit, draws)
        return taken

    def whole(self, n_patterns: int, *, full: bool) -> float:
        """Return the seconds of the block of all patterns, with all bins or without."""
        spec = self.simulator.spec
        document = spec.model_copy(update={"output": spec.output.model_copy(update={"x_all": full})})
        simulator = Simulator(document, self.simulator.crystals, self.simulator.tables)
        return _timed(lambda: simulator.block(0, n_patterns, threads=1))[1]

    def _until(self, last: int, items: list[Grains], profiles: np.ndarray) -> tuple[np.ndarray, float]:
        geometry, engine, found, seconds = self.geometry, kinematical(self.simulator), np.zeros(4, np.int64), 0.0
        for item in items:
            lattice = engine.rows[item.label].lattice
            spots = spot_buffer(len(lattice.h), len(lattice.intensity))
            shared = (lattice, engine.beam, geometry.frame, geometry.spread)
            arguments = (last, item.conditions, shared, spots, item.which, profiles, found)
            seconds += _timed(lambda arguments=arguments: until(*arguments))[1]
        return found, seconds

    def _after(self, profiles: np.ndarray, unit: np.ndarray, draws: Draws) -> dict[str, float]:
        """Return the seconds of what follows the noise-free profile."""
        spec, grid, taken = self.simulator.spec, self.geometry.grid, {}

        def add_background() -> None:
            top = profiles.max(axis=1).astype(np.float64)
            for shapes, amplitude in smooth_parts(spec, grid.q, draws):
                add_shapes(profiles, shapes, np.where(top > 0, top, 1.0), amplitude)

        taken["background"] = _timed(add_background)[1]
        counts = pixel_counts(spec.detector.size_px, spec.detector.calibration_per_angstrom, grid)
        noise = (draws["dose"], draws["snr"], draws["intensity_spike"], spec.seed, draws.patterns)

        def count(wanted: slice) -> np.ndarray:
            return apply_counting_noise(profiles, counts, unit, *noise, wanted, grid.crop)

        _, taken["counting, crop"] = _timed(lambda: count(grid.crop))
        read, seconds = _timed(lambda: count(slice(None)))
        taken["counting, other bins"] = seconds - taken["counting, crop"]
        self.counted.add_means(profiles, counts, unit, draws)
        for name, values in (("crop", read[:, grid.crop]), ("all", read)):

            def scale(values: np.ndarray = values) -> None:
                normalise_rows(values, _ROUNDING, np.empty(values.shape, np.float32))

            taken[f"normalising, rounding, {name}"] = _timed(scale)[1]
        return taken


def kinematical(simulator: Simulator) -> KinematicalEngine:
    """Return the engine of the reference document, whose spots the kernels compute on the way."""
    engine = simulator.tables.engine
    assert isinstance(engine, KinematicalEngine)
    return engine


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    value = call()
    return value, time.perf_counter() - started


def report(n_patterns: int, repeats: int) -> None:
    """Measure and print the table."""
    n_patterns -= n_patterns % SLICE
    stages = Stages(n_patterns)
    stages.run(0, SLICE)
    stages.counted = Counted()
    runs: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats):
        total: dict[str, float] = defaultdict(float)
        for start in range(0, n_patterns, SLICE):
            for name, seconds in stages.run(start, start + SLICE).items():
                total[name] += seconds
        for name, full in WHOLE.items():
            total[name] = stages.whole(n_patterns, full=full)
        for name, seconds in total.items():
            runs[name].append(1e6 * seconds / n_patterns)
    medians = {name: float(np.median(values)) for name, values in runs.items()}
    rates = measure_rates()
    print("what one thread of this machine can do")
    print_rates(rates)
    print(f"\na pattern on average: {stages.counted.summary()}\n")
    print_table(medians, floors(stages.counted, rates))


def print_table(medians: dict[str, float], needs: dict[str, dict[str, float]]) -> None:
    """Print µs a pattern: the floor, what was measured, their ratio, and what makes the floor."""
    print(f"{'stage':<28}{'floor µs':>9}{'measured µs':>13}{'ratio':>7}  {'held by':<14} also µs")
    added = {name: [0.0, 0.0] for name in WHOLE}
    for name, measured in medians.items():
        if name in WHOLE:
            continue
        lowest, by, others = floor_of(needs.get(name, {}))
        ratio = f"{measured / lowest:7.1f}" if lowest else f"{'':7}"
        print(f"{name:<28}{lowest:9.2f}{measured:13.2f}{ratio}  {by:<14} {others}")
        for whole, full in WHOLE.items():
            if full or name not in ONLY_FULL:
                added[whole][0] += lowest
                added[whole][1] += measured
    for name, (lowest, measured) in added.items():
        whole = medians[name]
        print(
            f"{name:<28}{lowest:9.2f}{whole:13.2f}{whole / lowest:7.1f}  {1e6 / whole:,.0f}/s on one thread; stages "
            f"add up to {measured:.2f} µs, slices and joining take {whole - measured:.2f} µs"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=8192, help="patterns of a run, a multiple of 1024")
    parser.add_argument("--repeats", type=int, default=9, help="runs; medians are printed")
    arguments = parser.parse_args()
    report(max(arguments.patterns, SLICE), arguments.repeats)


if __name__ == "__main__":
    main()
