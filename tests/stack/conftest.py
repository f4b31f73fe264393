"""What tests of stacks have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.stack.records.folder import StackFolder


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    """The prepared folder of a stack that does not run."""
    found = StackFolder(tmp_path / "stack")
    found.prepare()
    return found
