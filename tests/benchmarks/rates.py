"""What one thread of this machine can do: the rates that floors of running times are made of.

Each rate is the best of several runs of a plain loop, compiled as the kernels are: without fused multiply-adds and
without a change in the order of a sum. Data stay in the first-level cache, unless a rate says otherwise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from difsims_core.kernels.random.counter_rng import next_unit, philox, seed_stream

_LENGTH = 2048  # numbers of an array in the first-level cache
_CHAIN = 16
_RUNS, _SECONDS = 7, 0.004


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds that one of each takes.

    Attributes
    ----------
    madd32, madd64, div32, div64, sqrt32, sqrt64 : float
        A multiplication and an addition, a division, a square root; in single and double precision, vectorised.
    philox, word : float
        A pair of words of a counter; the next number of a stream.
    scatter : float
        An addition to one of 1024 cells in no order.
    l1, l2, l3 : float
        A byte read in sequence from 16 kB, 512 kB, 8 MB.
    """

    madd32: float
    madd64: float
    div32: float
    div64: float
    sqrt32: float
    sqrt64: float
    philox: float
    word: float
    scatter: float
    l1: float
    l2: float
    l3: float


@njit(nogil=True, error_model="numpy")
def _madds(x, a, out, repeats):
    for _ in range(repeats):
        for i in range(x.shape[0]):
            t = x[i]
            for _ in range(_CHAIN):
                t = t * a + a
            out[i] = t


@njit(nogil=True, error_model="numpy")
def _divisions(x, a, out, repeats):
    for r in range(repeats):
        a += x[r & 7]
        for i in range(x.shape[0]):
            out[i] = a / x[i]


@njit(nogil=True, error_model="numpy")
def _roots(x, a, out, repeats):
    for r in range(repeats):
        a += x[r & 7]
        for i in range(x.shape[0]):
            out[i] = math.sqrt(x[i] + a)


@njit(nogil=True, error_model="numpy")
def _counters(seed, total, repeats):
    for i in range(repeats):
        first, second = philox(seed, i, 3, 0)
        total[i & 7] += first ^ second


@njit(nogil=True, error_model="numpy")
def _stream(total, repeats):
    state = np.empty(4, np.uint64)
    seed_stream(1, 2, 3, state)
    for i in range(repeats):
        total[i & 7] += next_unit(state)


@njit(nogil=True, error_model="numpy")
def _scatter(place, values, cells, repeats):
    for _ in range(repeats):
        for i in range(place.shape[0]):
            cells[place[i]] += values[i]


@njit(nogil=True, error_model="numpy")
def _read(words, repeats):
    total = np.uint64(0)
    for r in range(repeats):
        total += np.uint64(r)
        for i in range(words.shape[0]):
            total += words[i] ^ np.uint64(r)
    return total


def measure_rates() -> Rates:
    """Measure all rates; takes about two seconds, and as long again to compile."""
    rng = np.random.default_rng(1)
    found: dict[str, float] = {}
    for bits, kind in (("32", np.float32), ("64", np.float64)):
        x, out, a = rng.uniform(0.5, 1.0, _LENGTH).astype(kind), np.empty(_LENGTH, kind), kind(0.37)
        found["madd" + bits] = _best(lambda n, x=x, a=a, out=out: _madds(x, a, out, n)) / (_LENGTH * _CHAIN)
        found["div" + bits] = _best(lambda n, x=x, a=a, out=out: _divisions(x, a, out, n)) / _LENGTH
        found["sqrt" + bits] = _best(lambda n, x=x, a=a, out=out: _roots(x, a, out, n)) / _LENGTH
    found["philox"] = _best(lambda n: _counters(7, np.zeros(8, np.uint64), n))
    found["word"] = _best(lambda n: _stream(np.zeros(8), n))
    place, values = rng.integers(0, 1024, _LENGTH), rng.uniform(size=_LENGTH).astype(np.float32)
    found["scatter"] = _best(lambda n: _scatter(place, values, np.zeros(1024, np.float32), n)) / _LENGTH
    for name, size in (("l1", 16_384), ("l2", 524_288), ("l3", 8_388_608)):
        words = rng.integers(0, 2**63, size // 8, dtype=np.uint64)
        found[name] = _best(lambda n, words=words: _read(words, n)) / size
    return Rates(**found)


def _best(call: Callable[[int], object]) -> float:
    """Return the seconds of one repetition: the best of several runs, each long enough to be timed."""
    repeats, seconds = 1, 0.0
    call(1)
    while True:
        started = time.perf_counter()
        call(repeats)
        seconds = time.perf_counter() - started
        if seconds >= _SECONDS:
            break
        repeats *= 2
    best = seconds
    for _ in range(_RUNS):
        started = time.perf_counter()
        call(repeats)
        best = min(best, time.perf_counter() - started)
    return best / repeats


def print_rates(rates: Rates) -> None:
    """Print the rates in units that one can compare with a data sheet."""
    million = {
        "multiply-adds": (rates.madd32, rates.madd64),
        "divisions": (rates.div32, rates.div64),
        "square roots": (rates.sqrt32, rates.sqrt64),
    }
    for name, (single, double) in million.items():
        print(f"  {name:<34}{1e-9 / single:8.2f} · 10⁹/s single, {1e-9 / double:6.2f} · 10⁹/s double")
    print(f"  {'counter pairs, numbers of a stream':<34}{1e-6 / rates.philox:8.0f}, {1e-6 / rates.word:.0f} · 10⁶/s")
    print(f"  {'additions to cells in no order':<34}{1e-6 / rates.scatter:8.0f} · 10⁶/s")
    l1, l2, l3 = (1e-9 / each for each in (rates.l1, rates.l2, rates.l3))
    print(f"  {'reading 16 kB, 512 kB, 8 MB':<34}{l1:8.0f}, {l2:.0f}, {l3:.0f} GB/s")


if __name__ == "__main__":
    print_rates(measure_rates())
