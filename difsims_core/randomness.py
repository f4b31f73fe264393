"""What random numbers are for: with the seed and the pattern's index, a purpose addresses them (docs/physics.md §8).

The numbers of a purpose never change when another purpose is added; a purpose keeps its value for good.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32, _11 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11)


class Purpose(IntEnum):
    """Addresses of independent random numbers within one pattern."""

    ORIENTATION = 1
    LATTICE_SCALE = 2
    CALIBRATION_SCALE = 3
    RELROD_WIDTH = 4
    PRECESSION_ANGLE = 5
    SIGMA = 6
    SPOT_REMOVAL = 7
    DIRECT_BEAM = 8
    DOSE = 9
    SNR = 10
    INTENSITY_SPIKE = 11
    BACKGROUND_AMPLITUDE = 12
    BACKGROUND_DECAY = 13
    COUNTING = 14
    SECOND_ORIENTATION = 15
    OVERLAP = 16
    SECOND_PHASE = 17
    SECOND_FRACTION = 18
    THICKNESS = 19
    INTENSITY_EXPONENT = 20
    INTENSITY_SCATTER = 21
    SPOT_SCATTER = 22
    SECOND_SPOT_SCATTER = 23
    CONVERGENCE = 24
    ELLIPTICITY = 25
    ELLIPSE_DIRECTION = 26
    CENTRE_ERROR = 27
    CENTRE_DIRECTION = 28
    RING_AMPLITUDE = 29
    RING_POSITION = 30
    RING_WIDTH = 31
    INELASTIC_AMPLITUDE = 32
    SCREENING = 33
    BEAM_STOP = 34
    GAP_WIDTH = 35
    GAP_OFFSET = 36
    GAP_DIRECTION = 37
    Q_CROP = 38
    COUNTING_POLAR = 39
    DISPLACEMENT = 40
    COUNTING_PIXELS = 40
    SECOND_LATTICE_SCALE = 41
    OLD_MAXIMUM = 42
    COUNTING_CELLS = 43
    HOT_PIXELS_CELLS = 44


@dataclass(frozen=True, slots=True)
class NamedRandom:
    """Random numbers of what has no `Purpose`: those of other packages, addressed by names.

    Every number is a function of seed, name, purpose, pattern and index alone, so that it does not matter which
    patterns are computed together; the same address always gives the same number.

    Attributes
    ----------
    seed : int
        Of the document.
    name : str
        Whose numbers they are.
    pattern : (n,) int64
        Global index of the pattern that each number is for.
    index : (n,) int64
        Which of several numbers of a pattern, such as the number of a reflection; 0 where there is one.

    References
    ----------
    J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC'11 (2011): Philox-4x32-10.
    """

    seed: int
    name: str
    pattern: np.ndarray
    index: np.ndarray

    @classmethod
    def of_patterns(cls, seed: int, name: str, pattern: np.ndarray) -> NamedRandom:
        """Return numbers of which each pattern has one for every purpose."""
        return cls(seed, name, pattern, np.zeros(len(pattern), np.int64))

    def uniform(self, purpose: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Return (n,) float64 evenly distributed over [low, high), for something that ``purpose`` names."""
        return low + (high - low) * _to_unit(self._words(purpose)[0])

    def normal(self, purpose: str, mean: float = 0.0, deviation: float = 1.0) -> np.ndarray:
        """Return (n,) float64 of the normal distribution."""
        first, second = (_to_unit(words) for words in self._words(purpose))
        return mean + deviation * np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * np.pi * second)  # Box and Muller

    def generator(self, purpose: str, i: int) -> np.random.Generator:
        """Return a generator of NumPy for the i-th pattern; what it gives may change with the version of NumPy."""
        key = self._key(purpose)
        counter = [0, 0, int(self.index[i]), int(self.pattern[i])]
        return np.random.Generator(np.random.Philox(key=[key, 0], counter=counter))

    def _words(self, purpose: str) -> tuple[np.ndarray, np.ndarray]:
        """Return two (n,) uint64 of the counter (pattern, index) under a key of everything else."""
        pattern, index = (np.asarray(values, np.int64).astype(np.uint64) for values in (self.pattern, self.index))
        c0, c1, c2, c3 = pattern & _LOW, pattern >> _32, index & _LOW, index >> _32
        key = np.uint64(self._key(purpose))
        k0, k1 = key & _LOW, key >> _32
        for _ in range(10):
            p0, p1 = _M0 * c0, _M1 * c2
            c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        return (c1 << _32) | c0, (c3 << _32) | c2

    def _key(self, purpose: str) -> int:
        address = f"{self.seed}\0{self.name}\0{purpose}".encode()
        return int.from_bytes(hashlib.sha256(address).digest()[:8], "little")


def _to_unit(words: np.ndarray) -> np.ndarray:
    return (words >> _11).astype(np.float64) / 2**53
