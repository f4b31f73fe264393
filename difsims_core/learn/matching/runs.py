"""Runs of patterns in threads: what is made of each does not depend on how they are split."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

R = TypeVar("R")


def in_runs(patterns: np.ndarray, rows: int, of_run: Callable[[np.ndarray], R]) -> list[R]:
    """Return what is made of each run of at most ``rows`` patterns; a thread for each processor."""
    runs = [patterns[first : first + rows] for first in range(0, max(1, len(patterns)), rows)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(of_run, runs))
