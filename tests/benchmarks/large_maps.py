"""How long a large polar scan takes to be mapped, and in how much memory.

    python -m tests.benchmarks.large_maps STORE MODEL SCAN [--edges 256,512] [--without-grains]

The patterns of a preprocessed scan of STORE are laid side by side, again and again, into a scan of N × N, stored as
they are. Each is mapped by a process of its own, from reading its shards to its probabilities and grains; minutes and
the peak of resident memory are printed. Where other work runs beside it, look at the minutes of two processors: half
the time of all threads.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

from difsims_core.experiment.write.open import open_experiment
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classify import classify
from difsims_core.learn.measured_scan import Runs, with_hidden_cells
from difsims_core.storage.objects import open_store

_ROWS_BYTES = 2**27  # of patterns at a time


def lay_side_by_side(store: str, scan: str, edge: int, folder: Path) -> None:
    """Write the patterns of a scan as one of ``edge`` × ``edge``."""
    experiment = open_experiment(scan, open_store(store))
    stored = experiment["y"]
    ny, nx, *cells = stored.shape
    made = zarr.create_array(
        folder / "y.zarr",
        shape=(edge, edge, *cells),
        chunks=stored.chunks,
        shards=stored.shards,
        dtype=stored.dtype,
        compressors=stored.compressors,
    )
    patterns = np.asarray(stored[...])
    across = np.concatenate([patterns] * -(-edge // nx), axis=1)[:, :edge]
    step = ny * max(1, (stored.shards or stored.chunks)[0] // ny)
    rows = np.concatenate([across] * (step // ny))
    for start in range(0, edge, step):
        made[start : start + step] = rows[: edge - start]
    np.save(folder / "q.npy", np.asarray(experiment["q"][...], np.float64))


def map_one(store: str, model: str, folder: Path, *, grains: bool) -> None:
    """Map the scan of a folder and print what it took."""
    bundle = load_bundle(model, open_store(store))
    stored, q = zarr.open_array(folder / "y.zarr", mode="r"), np.load(folder / "q.npy")
    ny, nx, *cells = stored.shape
    rows = max((stored.shards or stored.chunks)[0], 1)
    rows = min(rows, max(1, _ROWS_BYTES // (4 * nx * int(np.prod(cells)))))

    def runs() -> Runs:
        for start in range(0, ny, rows):
            stop = min(start + rows, ny)
            patterns = np.asarray(stored[start:stop], np.float32).reshape(-1, *cells)
            yield slice(start * nx, stop * nx), with_hidden_cells(patterns)

    bundle.classifier.predict(np.zeros((2048, *cells), np.float32))  # what is compiled once
    begun, used = time.perf_counter(), time.process_time()
    found = classify(bundle, runs(), (ny, nx), q, np.zeros((ny, nx), bool), grains=grains)
    wall, processors = time.perf_counter() - begun, time.process_time() - used
    n_grains = "" if found.grains is None else f", {found.grains.number.max() + 1:,} grains"
    print(
        f"{ny} × {nx}{n_grains}: {wall / 60:.1f} min, {processors / 120:.1f} min of two processors, "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB",
        flush=True,
    )


def main() -> None:
    """Map each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("model")
    parser.add_argument("scan")
    parser.add_argument("--edges", default="256,512")
    parser.add_argument("--without-grains", action="store_true")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder is not None:
        map_one(asked.store, asked.model, asked.folder, grains=not asked.without_grains)
        return
    for edge in asked.edges.split(","):
        with tempfile.TemporaryDirectory() as folder:
            lay_side_by_side(asked.store, asked.scan, int(edge), Path(folder))
            again = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--folder", folder]
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
