"""Flags of measured patterns, as bits: set where a scan is preprocessed, read where it is classified."""

from __future__ import annotations

DEAD, BEAM_MODELLED, UNCOVERED, SATURATED = 1, 2, 4, 8
"""It holds no counts; the drift says where its beam lies; it does not cover the crop; its beam reads the highest value
of the detector."""

UNUSABLE = DEAD | BEAM_MODELLED | UNCOVERED
"""What leaves nothing to classify (docs/physics.md §16). A saturated beam lies below the crop."""
