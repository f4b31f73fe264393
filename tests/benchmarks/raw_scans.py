"""How fast raw scans become patterns: centring, both integrations, and the sparse product against pyFAI's.

    python -m tests.benchmarks.raw_scans [--patterns 512] [--repeats 7]

Prints patterns a second of whole blocks on all processors, from frames in memory and from an uncompressed file, and the
sparse product alone on one processor beside pyFAI's own engine (``integrate_ng``) on the same operator, in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # pyFAI's engine, like ours, on one processor

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.integrate.blocks import integrated_blocks
from difsims_core.experiment.integrate.integrator import Integrator
from difsims_core.experiment.prepare import prepare_scan
from difsims_core.signal.polar_grid import PolarGrid
from tests.experiment.made_scans import Faults, make_scan

SIZE, CALIBRATION = 256, 0.01176


def made_frames(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 256, 256) uint16 and (n, 2): patterns of made grains in the middle of a larger detector, with a
    background, and their centres, px.
    """
    rng = np.random.default_rng(1)
    made = make_scan(("pb", "pbi2_2h"), Faults(jitter_px=0.3, drift=((2.0, 1.0), (-1.0, 2.0))))
    small = made.frames.reshape(-1, *made.frames.shape[2:])
    frames = rng.poisson(0.3, (n, SIZE, SIZE)).astype(np.uint16)
    edge = (SIZE - small.shape[1]) // 2
    chosen = np.sort(rng.integers(0, len(small), n))  # neighbours in the file are neighbours in the scan
    frames[:, edge:-edge, edge:-edge] += small[chosen]
    return frames, made.centres.reshape(-1, 2)[chosen] + edge


def seconds(action: Callable[[], object]) -> float:
    """Return what an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def whole_blocks(frames: np.ndarray, repeats: int) -> None:
    """Print the rate from an uncompressed file to profiles and polar patterns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.npy"
        np.save(path, frames.reshape(16, -1, SIZE, SIZE))
        spec = PreprocessingSpec.model_validate(
            {"reading": {"calibration_per_angstrom": CALIBRATION}, "geometry": {"ellipse": [0.01, -0.005]}}
        )
        prepared = prepare_scan(path, spec)
        first = seconds(lambda: list(integrated_blocks(prepared)))
        rates = [len(frames) / seconds(lambda: list(integrated_blocks(prepared))) for _ in range(repeats)]
    print(
        f"file to profiles and polar patterns: {statistics.median(rates):.0f} patterns/s on {os.cpu_count()} processors"
    )
    print(f"  (the first time {first:.1f} s for {len(frames)} patterns, building operators)")


def product_alone(frames: np.ndarray, repeats: int) -> None:
    """Print the ratio of pyFAI's time to ours for one frame and one operator."""
    from pyFAI.ext.splitPixelFullCSR import FullSplitCSR_2d

    polar, geometry = PolarGrid(), Geometry(CALIBRATION)
    cells = polar.cells
    integrator = Integrator(np.ones((SIZE, SIZE), bool), geometry, cells, None)
    centre = np.array([[127.05, 128.05]])
    edge = np.arange(SIZE + 1) - 0.5
    down, right = np.meshgrid(edge - centre[0, 0], edge - centre[0, 1], indexing="ij")
    radius, azimuth = np.hypot(down, right) * CALIBRATION, np.arctan2(down, right)
    corners = np.empty((SIZE, SIZE, 4, 2))
    for k, (i, j) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
        corners[:, :, k, 0] = radius[i : i + SIZE, j : j + SIZE]
        corners[:, :, k, 1] = azimuth[i : i + SIZE, j : j + SIZE]
    theirs = FullSplitCSR_2d(
        corners.reshape(-1, 4, 2),
        bins=(cells.n_annuli, cells.n_azimuths),
        pos0_range=((cells.first - 0.5) * cells.step_per_angstrom, (cells.stop - 0.5) * cells.step_per_angstrom),
        pos1_range=(-np.pi, np.pi),
    )
    some = frames[:64]
    integrator.integrate(some[:1], centre)
    ratios, ours = [], []
    for _ in range(repeats):
        mine = seconds(lambda: integrator.integrate(some, np.tile(centre, (len(some), 1)))) / len(some)
        other = seconds(lambda: [theirs.integrate_ng(frame) for frame in some]) / len(some)
        ratios.append(other / mine)
        ours.append(mine)
    print(f"integration alone: {1e3 * statistics.median(ours):.2f} ms a pattern, "
          f"{statistics.median(ratios):.2f} × as fast as pyFAI's CSR engine on the same cells")  # fmt: skip


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    frames, _ = made_frames(options.patterns)
    whole_blocks(frames, options.repeats)
    product_alone(frames, options.repeats)


if __name__ == "__main__":
    main()
