"""Scans to read: small ones with known counts, and those of the shared folder where it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured-like data, in the checkout or beside it; without it the test is skipped."""
    for folder in (ROOT, *ROOT.parents):
        if (folder / "shared" / "data" / "README.md").is_file():
            return folder / "shared" / "data"
    pytest.skip("the folder shared/data is not there")


@pytest.fixture(scope="session")
def real(shared_data: Path) -> Callable[[str], Path]:
    """A file that a real instrument or program has written, by name; where it is absent the test is skipped."""

    def find(name: str) -> Path:
        path = shared_data / "real" / name
        if not path.is_file():
            pytest.skip(f"{name} is not there")
        return path

    return find


@pytest.fixture
def counts() -> np.ndarray:
    """A scan of 4 × 3 positions with patterns of 6 × 5 pixels, all different."""
    return np.arange(4 * 3 * 6 * 5, dtype=np.uint16).reshape(4, 3, 6, 5)
