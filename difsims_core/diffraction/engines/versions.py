"""Versions of our own engines, for those who only compare them: an engine itself loads Numba."""

from __future__ import annotations

OWN_VERSIONS = {"bloch": "3", "kinematical": "2"}
"""By name; changes whenever the spots change for the same document."""
LIBRARY_VERSION = "1"
"""Changes whenever a library has other members, or holds other spots of them, for the same engine."""
