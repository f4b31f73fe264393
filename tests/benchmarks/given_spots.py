"""Profiles and reduced polar patterns a second of spots that are there already, as an engine or a library gives them.

    python -m tests.benchmarks.given_spots [--patterns 256] [--repeats 7]

The kinematical spots of the reference document, listed once and given again and again, on two detectors and for several
widths of spots. A block is everything: draws, spots to profile and cells, background, counts, normalisation. Of its
parts, measured apart, `spots` is the noise-free polar pattern; `image` is the same through an image of the detector,
which is also what the patterns are compared with. One thread, µs a pattern, the best of the runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from difsims_core import load_spec
from difsims_core.augment.cell_noise import SeenCells, apply_cell_noise
from difsims_core.config.documents import make_spec
from difsims_core.diffraction.draws import draw_patterns
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.kernels.polar.shares import BY_IMAGE
from difsims_core.kernels.spots.records import Frame
from difsims_core.resources import specs_folder
from difsims_core.signal.cell_lattice import WideCells
from difsims_core.simulation.simulator import Simulator
from tests.oracles.compare import cosine

DETECTORS = ((515, 0.00588), (256, 0.01176))
SIGMAS = (0.7, 1.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class RememberedSpots(KinematicalEngine):
    """The kinematical engine that gives the spots that it listed when it was first asked for a run of patterns."""

    listed: dict[tuple[int, int, int], Spots] = field(default_factory=dict)

    def sources(self, crystals: Grains, frame: Frame) -> Iterator[SpotSource]:
        """Yield the listed spots."""
        pattern = crystals.conditions.pattern
        key = crystals.label, int(pattern[0]), len(pattern)
        if key not in self.listed:
            self.listed[key] = self.spots(crystals, frame)
        yield SpotSource.of_spots(crystals, self.listed[key])


class Case:
    """The reference document on one detector, with spots of one width."""

    def __init__(self, size_px: int, calibration: float, sigma_px: float, n: int) -> None:
        detector = {"size_px": size_px, "calibration_per_angstrom": calibration}
        document = load_spec(specs_folder() / "reference.yaml").model_dump(mode="json")
        document |= {"n_patterns": n, "detector": detector, "output": {"x_all": False, "polar": {}}}
        document["spots"]["sigma_px"] = sigma_px
        prepared = Simulator.prepare(make_spec(document))
        engine = prepared.tables.engine
        assert isinstance(engine, KinematicalEngine)
        given = RememberedSpots(engine.geometry, engine.beam, engine.rows)
        self.with_cells = Simulator(prepared.spec, prepared.crystals, replace(prepared.tables, engine=given))
        self.profiles = Simulator(
            prepared.spec.model_copy(update={"output": prepared.spec.output.model_copy(update={"polar": None})}),
            prepared.crystals,
            replace(prepared.tables, engine=given, cells=None),
        )
        self.n, self.given = n, given
        self.draws = draw_patterns(prepared.spec, None, np.arange(n))
        self.labels = self.draws.patterns % len(prepared.spec.class_names)

    def clean(self) -> np.ndarray:
        """Return the noise-free polar patterns."""
        cells = self.with_cells.tables.cells
        assert cells is not None
        return self.given.polar_cells(self.draws, self.labels, cells, self.with_cells.spec.seed)[0]

    def by_image(self) -> np.ndarray:
        """Return the same, through images."""
        routes = WideCells.routes
        WideCells.routes = lambda self, sigma_px, hidden: np.full(len(sigma_px), BY_IMAGE)  # noqa: ARG005
        try:
            return self.clean()
        finally:
            WideCells.routes = routes

    def counted(self) -> Callable[[], None]:
        """Return what counts the patterns of this case."""
        spec, cells = self.with_cells.spec, self.with_cells.tables.cells
        assert cells is not None
        clean, unit = self.given.polar_cells(self.draws, self.labels, cells, spec.seed)
        seen = SeenCells.of(cells.pixels, cells.size_px, cells.effective, np.zeros((self.n, 4)))

        def count() -> None:
            address = spec.seed, self.draws.patterns
            apply_cell_noise(clean.copy(), cells.shares, seen, unit, self.draws.values, address)

        return count

    def stages(self) -> dict[str, Callable[[], object]]:
        """Return what is timed, by name."""
        return {
            "block": lambda: self.with_cells.block(0, self.n, threads=1),
            "spots": self.clean,
            "image": self.by_image,
            "counts": self.counted(),
            "profile block": lambda: self.profiles.block(0, self.n, threads=1),
        }

    def spots_a_pattern(self) -> float:
        """Return the mean number of spots that are given."""
        return sum(len(spots.reflection) for spots in self.given.listed.values()) / self.n


def report(n: int, repeats: int) -> None:
    """Measure and print a line for each detector and width."""
    print("µs a pattern; rates of whole blocks a second")
    for size_px, calibration in DETECTORS:
        for sigma_px in SIGMAS:
            case = Case(size_px, calibration, sigma_px, n)
            pairs = zip(case.clean().astype(float), case.by_image().astype(float), strict=True)
            off = max(1 - cosine(one.ravel(), other.ravel()) for one, other in pairs)
            assert off < 1e-5, off
            spots, best = case.spots_a_pattern(), {}
            stages = case.stages()
            for _ in range(repeats):
                for name, stage in stages.items():
                    started = time.perf_counter()
                    stage()
                    seconds = (time.perf_counter() - started) / n
                    best[name] = min(seconds, best.get(name, seconds))
            taken = "".join(f"{name} {1e6 * seconds:4.0f}  " for name, seconds in best.items())
            print(
                f"{size_px} px  σ {sigma_px:3.1f}  {spots:4.0f} spots  {taken}1 − cos {off:.0e}  "
                f"{1 / best['block']:6,.0f} polar patterns, {1 / best['profile block']:7,.0f} profiles"
            )


def main() -> None:
    """Read the arguments and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=256, help="patterns of a run")
    parser.add_argument("--repeats", type=int, default=7, help="runs; the best is printed")
    arguments = parser.parse_args()
    report(arguments.patterns, arguments.repeats)


if __name__ == "__main__":
    main()
