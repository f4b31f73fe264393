"""How well the radii of spots agree with the lines of phases, whatever the lattice scale of each pattern."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel


@kernel
def agreement(tables, positions, widths, start, shifts, out):
    """Add up the logarithms of likelihood ratios of all spots of each pattern.

    Parameters
    ----------
    tables
        (phases, widths, points) float32: log of the density of a phase's lines, blurred by a width, over a density
        without lines; by the logarithm of q, in steps of one point.
    positions, widths
        (spots,) where each spot lies in a table, points; and which of the widths is its own.
    start
        (patterns + 1,) spots of pattern k are ``start[k]:start[k + 1]``.
    shifts
        (scales,) points by which a lattice scale moves the spots.
    out
        (patterns, phases, scales) float64, written.
    """
    last = tables.shape[2] - 1
    for k in range(len(start) - 1):
        for p in range(tables.shape[0]):
            for s in range(len(shifts)):
                total = 0.0
                for i in range(start[k], start[k + 1]):
                    point = int(positions[i] + shifts[s] + 0.5)
                    total += tables[p, widths[i], min(max(point, 0), last)]
                out[k, p, s] = total
