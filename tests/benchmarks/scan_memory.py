"""How much memory and time a raw scan larger than memory takes, from its file to a store.

    python -m tests.benchmarks.scan_memory [--scan 256] [--like FILE] [--folder FOLDER]

Writes a scan of N × N patterns of 256 × 256 px (8.6 GB at 256): made patterns, or those of a scan like film_1, again
and again with fresh counts. A process of its own preprocesses it into a store; its peak resident memory is what the
system says (``getrusage``, and ``/usr/bin/time`` where it is installed). What 10⁶ patterns would take is extrapolated.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.experiment.open_scan import open_raw_scan
from tests.benchmarks.raw_scans import CALIBRATION, SIZE, made_frames

LIMIT_GB = 2.0
SPARE_BYTES = 4 * 2**30
SCAN, STORE = "scan.npy", "store"
TIME = Path("/usr/bin/time")


def write_frames(path: Path, rates: np.ndarray, n: int) -> None:
    """Write n × n frames, each of the counts that one of the given ones leads to expect, chosen at random."""
    rng = np.random.default_rng(0)
    header = {"descr": "<u2", "fortran_order": False, "shape": (n, n, SIZE, SIZE)}
    with path.open("wb") as file:  # mapped, the file would count as memory of this process, and of its child's too
        np.lib.format.write_array_header_2_0(file, header)
        for _ in range(n):
            row = rng.poisson(rates[rng.integers(0, len(rates), n)])
            file.write(np.minimum(row, 2**16 - 1).astype("<u2").tobytes())


def frames_like(file: str | None) -> np.ndarray:
    """Return (m, 256, 256) counts to take for expected ones."""
    if file is None:
        return made_frames(256)[0]
    scan = open_raw_scan(file, ReadingSpec())
    return np.asarray(scan.frames).reshape(-1, *scan.frame_shape)


def preprocess(folder: Path) -> None:
    """Preprocess the scan of a folder into its store and print what it takes."""
    from difsims_core.experiment.write.write_scan import write_scan
    from difsims_core.storage.objects import open_store

    document = {"reading": {"calibration_per_angstrom": CALIBRATION}, "geometry": {"ellipse": [0.01, -0.005]}}
    start, used = time.perf_counter(), time.process_time()
    found = write_scan(open_store(folder / STORE), folder / SCAN, PreprocessingSpec.model_validate(document))
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(f"{found.n_patterns} patterns in {seconds:.0f} s and {used:.0f} s of processors, "
          f"{found.n_patterns / seconds:.0f} patterns/s from the file to the store, its checksum included")  # fmt: skip
    print(f"10⁶ patterns, extrapolated: {1e6 / found.n_patterns * seconds / 60:.0f} min")


def measure(folder: Path) -> float:
    """Return the peak resident memory of a process that preprocesses the scan of a folder, GB."""
    command = [sys.executable, "-m", "tests.benchmarks.scan_memory", "--preprocess", str(folder)]
    subprocess.run(
        [TIME, "-f", "%M kB of resident memory at most, says time", *command] if TIME.exists() else command, check=True
    )
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print memory and rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=int, default=256, help="positions along each axis")
    parser.add_argument("--like", help="file of a scan of 256 × 256 px whose patterns are taken")
    parser.add_argument("--folder", type=Path, help="for the scan and the store; default: a temporary one")
    parser.add_argument("--preprocess", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.preprocess:
        preprocess(options.preprocess)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder, size = Path(name), options.scan**2 * SIZE**2 * 2
        free = shutil.disk_usage(folder).free
        if free < size * 1.2 + SPARE_BYTES:
            sys.exit(f"{folder}: the scan takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; give --folder")
        write_frames(folder / SCAN, frames_like(options.like), options.scan)
        peak = measure(folder)
    verdict = "within" if peak <= LIMIT_GB else "more than"
    print(f"peak resident memory {peak:.2f} GB for {size / 1e9:.1f} GB of frames, {verdict} {LIMIT_GB:g} GB")


if __name__ == "__main__":
    main()
