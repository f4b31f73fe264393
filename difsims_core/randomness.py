"""What random numbers are for: with the seed and the pattern's index, a purpose addresses them (PHYSICS §8).

The numbers of a purpose never change when another purpose is added; a purpose keeps its value for good.
"""

from __future__ import annotations

from enum import IntEnum


class Purpose(IntEnum):
    """Addresses of independent random numbers within one pattern."""

    ORIENTATION = 1
    LATTICE_SCALE = 2
    CALIBRATION_SCALE = 3
    RELROD_WIDTH = 4
    PRECESSION_ANGLE = 5
    SIGMA = 6
    SPOT_REMOVAL = 7
    DIRECT_BEAM = 8
    DOSE = 9
    SNR = 10
    INTENSITY_SPIKE = 11
    BACKGROUND_AMPLITUDE = 12
    BACKGROUND_DECAY = 13
    COUNTING = 14
