"""The spots of one pattern, from its conditions: what profiles, polar patterns, images and peak lists share."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.image.detector import (
    add_direct_beam,
    brightest_of,
    given_into_discs,
    into_discs,
    remove_brightest,
    to_pixels,
)
from difsims_core.kernels.spots.candidates import expand, ranges_in_shell, ranges_in_slab
from difsims_core.kernels.spots.excite import excite
from difsims_core.kernels.spots.given import take_given
from difsims_core.kernels.spots.intensities import randomise, two_beam


@kernel
def rotation_matrix(a, b, c, d):
    """Return the matrix that takes crystal vectors to the laboratory: the inverse of the orix rotation (a, b, c, d)."""
    norm = math.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (c * c + d * d), 2 * (b * c + a * d), 2 * (b * d - a * c)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (b * c - a * d), 1 - 2 * (b * b + d * d), 2 * (c * d + a * b)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (b * d + a * c), 2 * (c * d - a * b), 1 - 2 * (b * b + c * c)
    return out


@kernel
def turned_axes(quaternion, axes, scale):
    """Return the (3, 3) reciprocal axes of the scaled lattice in the laboratory, as rows."""
    matrix = rotation_matrix(quaternion[0], quaternion[1], quaternion[2], quaternion[3])
    turned = np.empty((3, 3))
    for row in range(3):
        for column in range(3):
            total = 0.0
            for j in range(3):
                total += matrix[column, j] * axes[row, j]
            turned[row, column] = total / scale
    return turned


@kernel
def stretch(xx, xy, yy):
    """Return how much farther than an undistorted frame a distorted one sees at most; of scalars or of arrays."""
    return (np.maximum(np.abs(xx), np.abs(yy)) + np.abs(xy)) / (xx * yy - xy * xy)


@kernel
def excited_reflections(i, conditions, lattice, beam, frame, table, per_unit, spots):
    """Collect the excited reflections of pattern ``i``; return their number.

    Their intensities are kinematical, and those of Blackman's theory where ``Conditions.extinction`` asks for it;
    ``table`` and ``per_unit`` are those of ``two_beam``. Those that no frame can see are left out already where that is
    cheap.
    """
    per_px, angle, disc = conditions.per_px[i], conditions.angle[i], conditions.disc[i]
    xx, xy, yy = conditions.distortion[i, 0], conditions.distortion[i, 1], conditions.distortion[i, 2]
    shift = max(abs(conditions.distortion[i, 3]), abs(conditions.distortion[i, 4]))
    wider = stretch(xx, xy, yy)
    half = (max(frame.half_x, frame.half_y) + frame.rim + shift) * wider * per_px
    rho_max = (frame.reach + 1.5 * shift) * wider * per_px
    widened = beam.s_max + rho_max * disc / beam.k
    axes = turned_axes(conditions.orientation[i], lattice.axes, conditions.lattice_scale[i])
    if angle > 0.0:
        ranges_in_slab(axes, lattice, beam.k, widened, angle, rho_max, spots.low, spots.high)
    else:
        ranges_in_shell(axes, lattice, beam.k, widened, half, spots.low, spots.high)
    n = expand(axes, lattice, spots)
    scale_u = (conditions.lattice_scale[i] - lattice.centre) / lattice.half
    n = excite(
        spots, n, lattice, beam, conditions.width[i], angle, disc, conditions.points[i], widened, scale_u,
        conditions.weight[i],
    )  # fmt: skip
    if conditions.extinction[i] > 0.0:
        two_beam(spots, n, conditions.extinction[i], conditions.weight[i], table, per_unit)
    return n


@kernel
def whole_spots(i, conditions, lattice, beam, given, frame, random, spots):
    """Collect the spots of pattern ``i`` on the detector, a convergence disc as one; return their number.

    Parameters
    ----------
    i, conditions
        Which pattern, and ``Conditions``.
    lattice, beam, given
        ``Lattice`` and ``Beam``, from which kinematical spots are computed on the way, or ``GivenSpots``; what is not
        given is None, and the compiled kernel does not know of it.
    frame
        ``Frame``.
    random
        Seed, purpose of the scatter of intensities, table of Blackman's factor and its nodes per unit of A.
    spots
        ``SpotBuffer``, overwritten.
    """
    seed, purpose, table, per_unit = random
    n = 0
    if lattice is not None:  # a test of its own for each source: numba leaves out what is None, and nothing else
        n = excited_reflections(i, conditions, lattice, beam, frame, table, per_unit, spots)
    if given is not None:
        n = take_given(i, given, conditions.weight[i], spots)
    n = to_pixels(spots, n, conditions.per_px[i], conditions.distortion[i], frame)
    if conditions.exponent[i] != 1.0 or conditions.scatter[i] > 0.0:
        randomise(spots, n, conditions.exponent[i], conditions.scatter[i], seed, conditions.pattern[i], purpose)
    if conditions.removed[i] != np.uint64(0):
        remove_brightest(spots, n, conditions.removed[i])
    return n


@kernel
def spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots):
    """Collect what pattern ``i`` shows on the detector, discs as points, room for which must be in ``spots``.

    Parameters as ``whole_spots``. Returns the number of spots, the direct beam included, and the intensity of the
    brightest reflection on the detector, its disc counted whole, whatever a beam stop or a gap hides.
    """
    n = whole_spots(i, conditions, lattice, beam, given, frame, random, spots)
    brightest = brightest_of(spots, n)
    if conditions.disc[i] > 0.0:
        if lattice is not None:
            n = into_discs(
                spots, n, conditions.points[i], conditions.disc[i], beam, conditions.width[i], conditions.angle[i],
                conditions.per_px[i], conditions.distortion[i], frame,
            )  # fmt: skip
        if given is not None:
            n = given_into_discs(
                spots, n, conditions.points[i], conditions.disc[i], given, given.disc_start[i], conditions.per_px[i],
                conditions.distortion[i], frame,
            )  # fmt: skip
    if conditions.beam[i] > 0.0:
        n = add_direct_beam(
            spots, n, conditions.beam[i] * brightest, conditions.points[i], conditions.disc[i] / conditions.per_px[i],
            conditions.distortion[i],
        )  # fmt: skip
    return n, brightest
