"""Networks, their training on simulated profiles, model bundles, and predictions on measured ones."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "networks":
        return import_module("difsims_core.learn.networks")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
