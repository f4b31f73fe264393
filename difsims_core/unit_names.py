"""Names that documents, flags and calls take, of units and of sampling methods; to load them costs nothing."""

from __future__ import annotations

from typing import Literal

QUnit = Literal["1/angstrom", "1/nm", "2pi/angstrom", "2pi/nm", "mrad"]
"""Of a measured axis: q = 1/d in Å⁻¹ (ours) or nm⁻¹, k = 2π/d, or the angle between the beam and the scattered beam."""

AngleUnit = Literal["deg", "rad"]
"""Of Euler angles."""

GridMethod = Literal["cubochoric", "haar_euler", "quaternion"]
"""By which orix samples the fundamental zone."""
