"""Networks by name: one file and one registration each."""

from __future__ import annotations

from difsims_core.learn.networks import large_filter as _large_filter  # noqa: F401 registers itself
from difsims_core.learn.networks.base import NETWORKS, build_chosen, build_network, weights_of

__all__ = ["NETWORKS", "build_chosen", "build_network", "weights_of"]
