"""The version of the package; results name it, and so do fingerprints of what training was given."""

from __future__ import annotations

__version__ = "0.1.0"
