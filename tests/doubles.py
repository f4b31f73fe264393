"""A simulator without physics: pattern i is a formula of i, and a hook runs before every block, to break things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.simulate import Block, Simulator


@dataclass(frozen=True)
class FakeCrystal:
    name: str
    file: str
    sha256: str


def _nothing(_start: int, _stop: int) -> None:
    pass


@dataclass
class FakeSimulator:
    """The interface of ``Simulator``."""

    spec: SimulationSpec
    before_block: Callable[[int, int], None] = _nothing
    engine_version: str = "fake-1"
    calls: list[tuple[int, int]] = field(default_factory=list)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.spec.class_names

    @property
    def crystals(self) -> list[FakeCrystal]:
        return [FakeCrystal(phase.name, f"{phase.name}.cif", "0" * 64) for phase in self.spec.phases]

    @property
    def q_all(self) -> np.ndarray:
        return np.arange(256) * 0.01

    @property
    def q_px(self) -> np.ndarray:
        return self.q_all[13:160]

    @property
    def q_q(self) -> np.ndarray | None:
        return None

    @property
    def draw_templates(self) -> dict[str, tuple[tuple[int, ...], str]]:
        return {"orientation": ((4,), "<f4"), "dose": ((), "<f4"), "removed_spots": ((), "<u8")}

    def block(self, start: int, stop: int, threads: int | None = None) -> Block:  # noqa: ARG002
        self.calls.append((start, stop))
        self.before_block(start, stop)
        index = np.arange(start, stop)
        x_all = np.sin(index[:, np.newaxis] * 0.37 + self.q_all + self.spec.seed).astype(np.float32)
        draws = {
            "orientation": np.cos(index[:, np.newaxis] + np.arange(4)).astype(np.float32),
            "dose": np.where(index % 5, index, np.inf).astype(np.float32),
            "removed_spots": index.astype(np.uint64),
        }
        labels = (index % len(self.class_names)).astype(np.uint8)
        kept = x_all if self.spec.output.x_all else None
        return Block(
            start, stop, np.ascontiguousarray(x_all[:, 13:160]), labels, kept, None, draws, self.q_px, self.q_all, None
        )


def fake(spec: SimulationSpec, before_block: Callable[[int, int], None] | None = None) -> Simulator:
    """Return a fake simulator as what the code under test takes."""
    return FakeSimulator(spec, before_block or _nothing)  # type: ignore[return-value]
