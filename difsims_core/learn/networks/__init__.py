"""Networks by name: a file each, named in `families.NETWORKS`."""

from __future__ import annotations

from difsims_core.learn.networks.base import build_chosen, build_network, weights_of

__all__ = ["build_chosen", "build_network", "weights_of"]
