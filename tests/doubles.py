"""A simulator without physics: pattern i is a formula of i, and a hook runs before every block, to break things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import PolarGrid
from difsims_core.simulation.block import Block, Peaks

if TYPE_CHECKING:
    from difsims_core.simulation.simulator import Simulator


@dataclass(frozen=True)
class FakeCrystal:
    name: str
    file: str
    sha256: str
    structure_sha256: str = "1" * 64

    def record(self) -> dict[str, Any]:
        return {"name": self.name, "file": self.file, "sha256": self.sha256, "structure_sha256": self.structure_sha256}


def _nothing(_start: int, _stop: int) -> None:
    pass


@dataclass
class FakeSimulator:
    """The interface of ``Simulator``."""

    spec: SimulationSpec
    before_block: Callable[[int, int], None] = _nothing
    engine_version: str = "1"
    calls: list[tuple[int, int]] = field(default_factory=list)
    most_peaks: int = 6
    orientation_sha256: tuple[str, ...] | None = None
    libraries: tuple[str, ...] | None = None

    @property
    def versions(self) -> dict[str, str]:
        return {"engine": "fake", "engine_version": self.engine_version, "simulation_version": "1"}

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.spec.class_names

    @property
    def crystals(self) -> list[FakeCrystal]:
        return [FakeCrystal(phase.name, f"{phase.name}.cif", "0" * 64) for phase in self.spec.phases]

    @property
    def q_all(self) -> np.ndarray:
        return RadialGrid().q

    @property
    def q_px(self) -> np.ndarray:
        return self.q_all[13:160]

    @property
    def q_q(self) -> np.ndarray | None:
        return None

    @property
    def draw_templates(self) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"orientation": ((4,), "<f4"), "dose": ((), "<f4"), "removed_spots": ((), "<u8")}

    @property
    def azimuth(self) -> np.ndarray:
        return np.arange(360) + 0.5

    @property
    def polar_grid(self) -> PolarGrid | None:
        wanted = self.spec.output.polar
        return None if wanted is None else PolarGrid.over_crop(wanted.annuli_per_radius, wanted.n_azimuths)

    @property
    def bytes_per_pattern(self) -> int:
        output = self.spec.output
        values = 147 + 256 * output.x_all + 360 * (147 * output.polar_px + 256 * output.polar_all)
        values += 0 if self.polar_grid is None else self.polar_grid.n_radii * self.polar_grid.n_azimuths
        return 4 * values + 18 * self.most_peaks * output.peaks + 32

    def block(self, start: int, stop: int, threads: int | None = None) -> Block:  # noqa: ARG002
        self.calls.append((start, stop))
        self.before_block(start, stop)
        output, index = self.spec.output, np.arange(start, stop)
        x_all = np.sin(index[:, np.newaxis] * 0.37 + self.q_all + self.spec.seed).astype(np.float32)
        x_px = np.ascontiguousarray(x_all[:, 13:160])
        turn = (1 + np.arange(360) % 7).astype(np.float32)
        draws = {
            "orientation": np.cos(index[:, np.newaxis] + np.arange(4)).astype(np.float32),
            "dose": np.where(index % 5, index, np.inf).astype(np.float32),
            "removed_spots": index.astype(np.uint64),
        }
        n_classes, grid = len(self.class_names), self.polar_grid
        reduced = None
        if grid is not None:
            radii = np.linspace(0, 146, grid.n_radii).astype(int)
            reduced = x_px[:, radii, np.newaxis] * turn[: grid.n_azimuths]
        fractions = np.eye(n_classes, dtype=np.float32)[index % n_classes]
        return Block(
            start,
            stop,
            x_px,
            (index % n_classes).astype(np.uint8),
            x_all if output.x_all else None,
            None,
            draws,
            self.q_px,
            self.q_all,
            None,
            self.azimuth,
            x_px[:, :, np.newaxis] * turn if output.polar_px else None,
            x_all[:, :, np.newaxis] * turn if output.polar_all else None,
            reduced,
            grid,
            None if self.spec.overlap is None else fractions,
            self._peaks(index) if output.peaks else None,
        )

    def _peaks(self, index: np.ndarray) -> Peaks:
        """Return 0 … ``most_peaks`` spots a pattern; the numbers of a spot tell whose it is."""
        counts = (index * 7 + self.spec.seed) % (self.most_peaks + 1)
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        place = np.arange(start[-1]) - np.repeat(start[:-1], counts)
        owner = np.repeat(index, counts)
        hkl = np.stack([owner % 30_000, place, -place], axis=1).astype(np.int16)
        return Peaks(start, hkl, np.stack([owner, place], axis=1).astype(np.float32), (owner + 0.5).astype(np.float32))


def fake(spec: SimulationSpec, before_block: Callable[[int, int], None] | None = None) -> Simulator:
    """Return a fake simulator as what the code under test takes."""
    return FakeSimulator(spec, before_block or _nothing)  # type: ignore[return-value]
