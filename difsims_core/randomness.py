"""What random numbers are for: with the seed and the pattern's index, a purpose addresses them (docs/physics.md §8).

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
    SECOND_ORIENTATION = 15
    OVERLAP = 16
    SECOND_PHASE = 17
    SECOND_FRACTION = 18
    THICKNESS = 19
    INTENSITY_EXPONENT = 20
    INTENSITY_SCATTER = 21
    SPOT_SCATTER = 22
    SECOND_SPOT_SCATTER = 23
    CONVERGENCE = 24
    ELLIPTICITY = 25
    ELLIPSE_DIRECTION = 26
    CENTRE_ERROR = 27
    CENTRE_DIRECTION = 28
    RING_AMPLITUDE = 29
    RING_POSITION = 30
    RING_WIDTH = 31
    INELASTIC_AMPLITUDE = 32
    SCREENING = 33
    BEAM_STOP = 34
    GAP_WIDTH = 35
    GAP_OFFSET = 36
    GAP_DIRECTION = 37
    Q_CROP = 38
    COUNTING_POLAR = 39
    COUNTING_PIXELS = 40
    SECOND_LATTICE_SCALE = 41
    OLD_MAXIMUM = 42
