"""What all patterns of a grain say together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.learn.scan.regions import MergedBand

_LEAST_PROBABILITY = 1e-6


@dataclass(eq=False)
class Evidence:
    """Sums over the pixels of a region, weighted by how much each has to say.

    Attributes
    ----------
    pattern : (n_q,) or (n_q, n_φ) float64
        Measured patterns.
    logarithm : (n_phases,) float64
        Logarithms of the probabilities of single pixels.
    weight : float
        Sum of the weights.
    n : int
        Pixels.
    """

    pattern: np.ndarray
    logarithm: np.ndarray
    weight: float
    n: int

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.pattern + other.pattern,
            self.logarithm + other.logarithm,
            self.weight + other.weight,
            self.n + other.n,
        )


class OpenRegions:
    """Collects the evidence of regions until they are finished.

    It holds nothing of those that are, so that memory grows with the width of a scan, not with its height.
    """

    def __init__(self) -> None:
        self._of: dict[int, Evidence] = {}

    def add(self, band: MergedBand, patterns: np.ndarray, probabilities: np.ndarray) -> dict[int, Evidence]:
        """Add the pixels of a band; return the evidence of finished regions of two pixels or more."""
        for number, into in band.joined.items():
            self._add(into, self._of.pop(number))
        logarithms = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
        finished = set(band.finished.tolist())
        order = np.argsort(band.region, kind="stable")
        numbers, first = np.unique(band.region[order], return_index=True)
        for number, pixels in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
            if number < 0 or (len(pixels) == 1 and number in finished and number not in self._of):
                continue
            weight = band.weight[pixels]
            pattern = np.tensordot(weight, patterns[pixels], axes=1)
            self._add(number, Evidence(pattern, weight @ logarithms[pixels], float(weight.sum()), len(pixels)))
        done = {number: self._of.pop(number) for number in finished if number in self._of}
        return {number: evidence for number, evidence in done.items() if evidence.n > 1}

    def _add(self, number: int, evidence: Evidence) -> None:
        known = self._of.get(number)
        self._of[number] = evidence if known is None else known + evidence


def together(of_mean: np.ndarray, evidence: list[Evidence]) -> np.ndarray:
    """Return (n, n_phases) float32 probabilities of n grains.

    Two observations are multiplied: what the classifier says of the mean pattern, (n, n_phases), NaN where it says
    nothing, and the geometric mean of what it says of the pixels. Pixels of one grain are wrong together, so that they
    count as one however many they are.
    """
    of_pixels = np.stack([item.logarithm / item.weight for item in evidence])
    both = of_pixels + np.where(np.isfinite(of_mean), np.log(np.maximum(of_mean, _LEAST_PROBABILITY)), 0)
    shares = np.exp(both - both.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
