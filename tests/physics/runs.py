"""Runs of patterns before their normalisation, for tests that compare intensities."""

from dataclasses import dataclass

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws, draw_patterns
from difsims_core.simulation.cell_signal import cell_signal
from difsims_core.simulation.detector_signal import ProfileSignal, image_signal, polar_signal, profile_signal
from difsims_core.simulation.simulator import Simulator

PLAIN = {
    "noise": None, "background": None, "output": {"precision": "exact"},
    "spots": {"removal": None, "sigma_px": {"choice": [1.0, 2.5, 4.0]}},
}  # fmt: skip
CROP = slice(13, 160)


@dataclass(frozen=True)
class Run:
    """Patterns ``start`` … ``stop`` of a document."""

    simulator: Simulator
    draws: Draws
    labels: np.ndarray

    @classmethod
    def of(cls, document: dict, n: int = 3, start: int = 0) -> "Run":
        """Draw ``n`` patterns of a document whose defaults are free of noise, background and removed spots."""
        spots = {**PLAIN["spots"], **document.get("spots", {})}
        spec = make_spec({"n_patterns": start + n, "phases": ["pb"], **PLAIN, **document, "spots": spots})
        simulator = Simulator.prepare(spec)
        draws = draw_patterns(simulator.spec, simulator.tables.orientations, np.arange(start, start + n))
        return cls(simulator, draws, draws.patterns % len(spec.class_names))

    @property
    def spec(self) -> SimulationSpec:
        return self.simulator.spec

    def signal(self) -> ProfileSignal:
        return profile_signal(self.spec, self.simulator.tables, self.draws, self.labels)

    def profiles(self) -> np.ndarray:
        """Return (n, 256) float64."""
        return self.signal().profiles.astype(float)

    def polar_patterns(self, *, full: bool = True) -> np.ndarray:
        """Return (n, 256 or 147, 360)."""
        return polar_signal(self.spec, self.simulator.tables, self.draws, self.labels, self.signal(), full=full)

    def cells(self) -> np.ndarray:
        """Return (n, n_radii, n_azimuths) on the reduced grid of the document."""
        tables = self.simulator.tables
        assert tables.cells is not None
        return cell_signal(self.spec, tables, self.draws, self.labels, self.signal(), tables.cells)

    def images(self, *, noise: bool = False) -> np.ndarray:
        return image_signal(self.spec, self.simulator.tables, self.draws, self.labels, noise=noise)


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the largest expected value."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
