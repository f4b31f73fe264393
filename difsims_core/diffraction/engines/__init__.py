"""Engines: how crystals diffract, one file each; what a detector makes of their spots is common to all."""

from __future__ import annotations

from difsims_core.diffraction.engines import kinematical as _kinematical  # noqa: F401 registers itself
from difsims_core.diffraction.engines.base import ENGINES, Engine

__all__ = ["ENGINES", "Engine"]
