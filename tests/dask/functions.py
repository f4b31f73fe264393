"""What workers are asked to do in tests and benchmarks; they import it, so that it imports little."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from difsims_core.errors import StoreAccessError, StoreError


def die(_block: int, **_order: Any) -> None:
    """End the worker's process, as when the system takes its memory."""
    os._exit(1)


def touch(block: int, *, folder: str, seconds: float, **_order: Any) -> None:
    """Take a while, and leave a file when it has begun."""
    Path(folder, f"{block}").touch()
    time.sleep(seconds)


def fail(block: int, *, folder: str, kind: str, **_order: Any) -> None:
    """Fail for block 0, and leave a file for the others."""
    if block == 0:
        raise {"for a while": StoreError, "for good": StoreAccessError}[kind](f"fails {kind}")
    time.sleep(0.2)
    Path(folder, f"{block}").touch()


def sleep(_block: int, *, seconds: str, **_order: str) -> dict[str, Any]:
    """Take as long as a block, and do nothing."""
    time.sleep(float(seconds))
    return {"written": True}
