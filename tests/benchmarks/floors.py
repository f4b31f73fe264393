"""What a profile needs, counted: numbers of operations, random numbers and bytes, and the time that they take at least.

Operations are counted in the source of the kernels: two operations make one multiply-add. Comparisons and selections
count as operations. What sits in the first-level cache is not counted as transport.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.diffraction.grains import Grains
from difsims_core.kernels.profile.spread import GROUP
from difsims_core.kernels.random.poisson import COARSE
from tests.benchmarks.rates import Rates

_PER_ROW = 100  # single: vector, two quadratics with their roots, the frame, rounding; kernels/candidates.py
_PER_CANDIDATE = 24  # double: vector, height of the sphere, Lorentzian, test; kernels/candidates.py and excite.py
_PER_SPOT = 16  # double: matrix, frame, brightest; kernels/detector.py
_PER_DEPOSIT = 25  # single: cubic B-spline; kernels/spread.py
_PER_MEAN = 12  # double: mean, reading, choice of the route; kernels/noise.py and poisson.py
_PER_LARGE_MEAN = 18  # double: transformed rejection
_TABLE_BYTES = 128  # two lines of cache: threshold and alias of one distribution
_DRAWS_FIXED = 11 + 1  # numbers of the reference document; how many spots to remove
_BINS, _CROP = 256, 147


@dataclass
class Counted:
    """Sums over patterns; see ``per`` for the mean of one."""

    patterns: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, **numbers: float) -> None:
        for name, number in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(number)

    def per(self, name: str) -> float:
        """Return the mean of a pattern."""
        return self.sums[name] / self.patterns

    def add_spots(self, engine: KinematicalEngine, draws: Draws, items: list[Grains], found: np.ndarray) -> None:
        """Count the noise-free part of one slice."""
        spread = engine.geometry.spread
        self.patterns += len(draws.patterns)
        removed = np.array([int(mask).bit_count() for mask in draws["removed_spots"]])
        self.add(draws=2 * len(removed) + _DRAWS_FIXED * len(removed) + removed.sum() - len(removed))
        self.add(candidates=found[0], excited=found[1], spots=found[2], beside=found[3])
        nodes_of = (spread.last - spread.first).sum(axis=1)
        lowest = (engine.geometry.frame.half_x * spread.inverse_spacing).astype(int)[:, None]
        whole = np.arange(spread.first.shape[1]) * GROUP < spread.whole
        beside_of = (np.clip(spread.last - np.maximum(spread.first, lowest), 0, None) * whole).sum(axis=1)
        for item in items:
            level, lattice = item.conditions.level, engine.rows[item.label].lattice
            self.add(
                rows=len(level) * len(lattice.h),
                line_bytes=len(level) * lattice.intensity.nbytes,
                nodes=spread.n_nodes[level].sum(),
                gathered=nodes_of[level].sum() + beside_of[level].sum(),
                weights=nodes_of[level].sum(),
                degree=len(level) * lattice.intensity.shape[1],
            )

    def add_means(self, profiles: np.ndarray, counts: np.ndarray, unit: np.ndarray, draws: Draws) -> None:
        """Count what the detector of one slice counts."""
        means = profiles / unit[:, None] * counts * draws["dose"][:, None]
        self.add(large=np.mean(means >= COARSE) * len(means))

    def summary(self) -> str:
        """Return the counts in words."""
        return (
            f"{self.per('rows'):.0f} rows, {self.per('candidates'):.0f} candidates, {self.per('excited'):.0f} excited, "
            f"{self.per('spots'):.0f} seen ({self.per('beside'):.1f} of them beside the frame), "
            f"{self.per('nodes'):.0f} nodes, {self.per('gathered') * GROUP:.0f} multiply-adds of the spread from "
            f"{4e-3 * GROUP * self.per('weights'):.0f} kB of weights, {self.per('draws'):.1f} counters, "
            f"{2 * _BINS} numbers for {_BINS} bins of which {self.per('large'):.0%} count 128 or more"
        )


def floors(counted: Counted, rates: Rates) -> dict[str, dict[str, float]]:
    """Return the µs that each stage needs of each resource of a processor."""
    per = counted.per
    rows, candidates, spots = per("rows"), per("candidates"), per("spots")
    counting = {
        name: {
            "random words": 2 * bins * rates.word,
            "arithmetic": bins * (_PER_MEAN + per("large") * _PER_LARGE_MEAN) / 2 * rates.madd64,
            "divisions": bins * (3 + 2 * per("large")) * rates.div64 + bins * per("large") * rates.sqrt64,
            "L2 bytes": bins * (1 - per("large")) * _TABLE_BYTES * rates.l2,
        }
        for name, bins in (("crop", _CROP), ("other bins", _BINS - _CROP))
    }
    seconds = {
        "draws": {"random words": per("draws") * rates.philox},
        "candidate rows": {
            "arithmetic": rows * _PER_ROW / 2 * rates.madd32,
            "divisions": rows * 2 * (rates.div32 + rates.sqrt32),
            "L1 bytes": rows * 24 * rates.l1,
        },
        "expansion, excitation": {
            "arithmetic": candidates * (_PER_CANDIDATE / 2 + per("degree")) * rates.madd64,
            "divisions": candidates * (2 * rates.div64 + rates.sqrt64),
            "L1 bytes": (rows * 8 + candidates * 8 * 8) * rates.l1,
            "L2 bytes": candidates * 64 * rates.l2,
        },
        "detector, removed spots": {"arithmetic": spots * _PER_SPOT / 2 * rates.madd64},
        "deposit": {
            "arithmetic": spots * _PER_DEPOSIT / 2 * rates.madd32,
            "divisions": spots * (rates.sqrt64 + rates.div64),
            "scatter": 4 * spots * rates.scatter,
            "L1 bytes": 8 * per("nodes") * rates.l1,
        },
        "gather": {
            "arithmetic": per("gathered") * GROUP * rates.madd32,
            "L2 bytes": per("weights") * GROUP * 4 * rates.l2,
        },
        "background": {"arithmetic": _BINS * 3 * rates.madd32},
        "counting, crop": counting["crop"],
        "counting, other bins": counting["other bins"],
    }
    for name, bins in (("crop", _CROP), ("all", _BINS)):
        seconds[f"normalising, rounding, {name}"] = {
            "arithmetic": bins * 8 / 2 * rates.madd32,
            "divisions": bins * rates.div32,
        }
    return {stage: {what: 1e6 * value for what, value in needs.items()} for stage, needs in seconds.items()}


def floor_of(needs: dict[str, float]) -> tuple[float, str, str]:
    """Return the largest need, what it is of, and the others as text."""
    if not needs:
        return 0.0, "not counted", ""
    by = max(needs, key=lambda what: needs[what])
    others = ", ".join(f"{what} {value:.2f}" for what, value in needs.items() if what != by)
    return needs[by], by, others
