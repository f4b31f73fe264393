"""A whole store for the attacks of one process of the tests; attacks leave it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that the first attack makes."""
    return tmp_path_factory.mktemp("attacked")
