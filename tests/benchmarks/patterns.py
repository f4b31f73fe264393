"""Polar patterns and detector images a second, noise-free and counted, each with a check of what came out.

    python -m tests.benchmarks.patterns [--polar patterns 512] [--images 64] [--repeats 5]

Patterns of the reference document. Polar: (147, 360) cells of the pixel crop; noise-free from the spots alone; counted
with background, counts and hot pixels (the profile that gives them their scale is part of the time); as a block of a
dataset, which also holds the profiles, everything normalised and rounded as it is stored; reduced, the same of 74 × 72
cells. Images: 515² pixels, from the spots alone, with the background, and counted pixel by pixel. One thread, then two;
medians of runs that alternate.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from difsims_core import load_spec
from difsims_core.config.signal import PolarSpec
from difsims_core.diffraction.draws import Draws, draw_patterns
from difsims_core.diffraction.spread import annulus_areas_px
from difsims_core.resources import specs_folder
from difsims_core.signal.grid import pixel_counts
from difsims_core.simulation.detector_signal import polar_signal, profile_signal
from difsims_core.simulation.simulator import Simulator
from tests.benchmarks.profiles import spread_of

POLAR_AT_ONCE, IMAGES_AT_ONCE = 32, 8
_SIGMAS = 7.0  # of a sum of counts; among thousands of patterns none is further off by chance


class Routes:
    """The routes to two-dimensional patterns of the reference document, for patterns ``start`` … ``stop``."""

    def __init__(self, n_patterns: int) -> None:
        spec = load_spec(specs_folder() / "reference.yaml")
        spec = spec.model_copy(update={"n_patterns": n_patterns})
        self.simulator = Simulator.prepare(spec)
        self.with_polar_patterns, self.with_reduced = (
            Simulator.prepare(spec.model_copy(update={"output": spec.output.model_copy(update=kept)}))
            for kept in ({"polar_px": True}, {"polar": PolarSpec()})
        )
        self.spec, self.tables = spec, self.simulator.tables
        self.geometry, self.crop = self.tables.geometry, self.tables.geometry.grid.crop

    def drawn(self, start: int, stop: int) -> tuple[Draws, np.ndarray]:
        draws = draw_patterns(self.spec, None, np.arange(start, stop))
        return draws, draws.patterns % len(self.spec.class_names)

    def clean_polar_patterns(self, start: int, stop: int) -> np.ndarray:
        return self.tables.engine.polar_patterns(*self.drawn(start, stop), self.crop, self.spec.seed)[0]

    def counted_polar_patterns(self, start: int, stop: int) -> np.ndarray:
        draws, labels = self.drawn(start, stop)
        signal = profile_signal(self.spec, self.tables, draws, labels, full=False)
        return polar_signal(self.spec, self.tables, draws, labels, signal, full=False)

    def polar_patterns_of_block(self, start: int, stop: int, threads: int = 1) -> np.ndarray:
        polar_patterns = self.with_polar_patterns.block(start, stop, threads).polar_px
        assert polar_patterns is not None
        return polar_patterns

    def reduced_patterns_of_block(self, start: int, stop: int, threads: int = 1) -> np.ndarray:
        reduced = self.with_reduced.block(start, stop, threads).polar
        assert reduced is not None
        return reduced

    def clean_images(self, start: int, stop: int) -> np.ndarray:
        size = self.spec.detector.size_px
        drawn = self.drawn(start, stop)
        return self.tables.engine.images(*drawn, (size, size), self.spec.seed)[0]

    def images_with_background(self, start: int, stop: int) -> np.ndarray:
        return self.simulator.images(start, stop, noise=False)

    def counted_images(self, start: int, stop: int) -> np.ndarray:
        return self.simulator.images(start, stop)


def check(routes: Routes, n: int) -> None:
    """Compare ``n`` patterns with their profiles, and counts with what they are counts of."""
    draws, labels = routes.drawn(0, n)
    grid, detector, crop = routes.geometry.grid, routes.geometry.detector, routes.crop
    profiles, unit = routes.tables.engine.profiles(draws, labels, routes.spec.seed)
    polar_patterns = routes.clean_polar_patterns(0, n)
    top = profiles.max(axis=1, keepdims=True)
    off = np.abs(polar_patterns.mean(axis=2) - profiles[:, crop]) / top
    assert off.max() < 2e-4, off.max()

    background = read_background(routes, draws, profiles)
    counts = pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)[crop]
    counted = routes.counted_polar_patterns(0, n).mean(axis=2) @ counts
    expected = (profiles + background)[:, crop] @ counts
    far = check_counts(counted, expected, unit, draws, int(counts.sum()))

    images = routes.clean_images(0, n)
    offset = np.arange(detector.size_px) - (detector.size_px - 1) / 2
    edge = (crop.stop - 0.5) * grid.step_per_angstrom / detector.calibration_per_angstrom
    inside = np.hypot(offset[:, None], offset[None, :]) <= edge
    volume = images[:, inside].sum(axis=1, dtype=np.float64)
    whole = profiles[:, : crop.stop] @ annulus_areas_px(detector, grid)[: crop.stop]
    wrong = np.abs(volume / whole - 1).max()
    assert wrong < 0.02, wrong

    clean = routes.images_with_background(0, n).sum(axis=(1, 2), dtype=np.float64)
    read = routes.counted_images(0, n).sum(axis=(1, 2), dtype=np.float64)
    far = max(far, check_counts(read, clean, unit, draws, images[0].size))
    blocks = routes.polar_patterns_of_block(0, n)
    assert np.all(blocks.reshape(n, -1).max(axis=1) == 1)
    assert np.all(routes.reduced_patterns_of_block(0, n).reshape(n, -1).max(axis=1) == 1)
    print(
        f"checked {n} patterns: polar patterns against profiles to {off.max():.1e} of the maximum, volumes of "
        f"images to {wrong:.1e}, sums of counts to {far:.1f} standard deviations"
    )


def read_background(routes: Routes, draws: Draws, profiles: np.ndarray) -> np.ndarray:
    """Return the (n, n_bins) background of noise-free profiles, written out again from the document."""
    decay, amplitude = draws["background_decay_angstrom"], draws["background_amplitude"]
    shape = np.exp(-decay[:, None].astype(float) * routes.geometry.grid.q)
    return amplitude[:, None] * profiles.max(axis=1, keepdims=True) * shape


def check_counts(read: np.ndarray, expected: np.ndarray, unit: np.ndarray, draws: Draws, n_pixels: int) -> float:
    """Refuse sums (n,) over pixels that counting and hot pixels do not explain; return the largest deviation in σ."""
    per_count = unit / draws["dose"]
    hot, spike = (1 - draws["snr"].astype(float)) / 2, draws["intensity_spike"] * unit
    mean_hot = hot * n_pixels
    shift = mean_hot * (spike - expected / n_pixels)
    variance = expected * per_count + mean_hot * (spike**2 + (expected / n_pixels) ** 2)
    sigmas = np.abs(read - expected - shift) / np.sqrt(variance)
    assert sigmas.max() < _SIGMAS, sigmas.max()
    return float(sigmas.max())


def rate(route: Callable[[int, int], np.ndarray], start: int, n: int, at_once: int, threads: int) -> float:
    """Return patterns a second; each piece is dropped as soon as it is there."""

    def piece(first: int) -> None:
        assert len(route(first, first + at_once)) == at_once

    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        list(pool.map(piece, range(start, start + n, at_once)))
        return n / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--polar", type=int, default=512, help=f"polar patterns a timed run, a multiple of {POLAR_AT_ONCE}"
    )
    parser.add_argument("--images", type=int, default=64, help=f"images a timed run, a multiple of {IMAGES_AT_ONCE}")
    parser.add_argument("--repeats", type=int, default=5, help="runs; medians are printed")
    arguments = parser.parse_args()
    n_polar_patterns = max(POLAR_AT_ONCE, arguments.polar - arguments.polar % POLAR_AT_ONCE)
    n_images = max(IMAGES_AT_ONCE, arguments.images - arguments.images % IMAGES_AT_ONCE)
    routes = Routes(max(n_polar_patterns, n_images) * arguments.repeats)
    check(routes, min(24, n_images))
    kinds: dict[str, tuple[Callable[[int, int], np.ndarray], int, int]] = {
        "polar patterns, noise-free": (routes.clean_polar_patterns, n_polar_patterns, POLAR_AT_ONCE),
        "polar patterns, counted": (routes.counted_polar_patterns, n_polar_patterns, POLAR_AT_ONCE),
        "images, noise-free": (routes.clean_images, n_images, IMAGES_AT_ONCE),
        "images, with background": (routes.images_with_background, n_images, IMAGES_AT_ONCE),
        "images, counted": (routes.counted_images, n_images, IMAGES_AT_ONCE),
    }
    rates: dict[tuple[str, int], list[float]] = {}
    for repeat in range(arguments.repeats):
        for threads in (1, 2) if repeat % 2 else (2, 1):
            for name, (route, n, at_once) in kinds.items():
                rates.setdefault((name, threads), []).append(rate(route, repeat * n, n, at_once, threads))
            for name, blocks in (
                ("polar patterns, blocks as stored", routes.polar_patterns_of_block),
                ("reduced, blocks as stored", routes.reduced_patterns_of_block),
            ):
                started = time.perf_counter()
                blocks(repeat * n_polar_patterns, (repeat + 1) * n_polar_patterns, threads)
                rates.setdefault((name, threads), []).append(n_polar_patterns / (time.perf_counter() - started))
    print(f"patterns/s; medians of {arguments.repeats} (lowest … highest)")
    for name in dict.fromkeys(name for name, _ in rates):
        one, two = (np.array(rates[name, threads]) for threads in (1, 2))
        print(
            f"{name:<24} one thread {spread_of(one)}, two threads {spread_of(two)}, scaling {spread_of(two / one, 2)}"
        )


if __name__ == "__main__":
    main()
