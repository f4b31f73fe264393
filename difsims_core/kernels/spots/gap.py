"""What a straight gap between detector modules takes from a profile (docs/physics.md §2)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel

_REACH = 4.5  # σ


@kernel
def lose_in_gap(spots, n, sigma, hidden, step_px, areas, whole, profile):
    """Take from each annulus what spots put into the part of it that lies in the gap.

    The gap is cut into lines along it, half a pixel apart or less. On the line at v, a spot at (u₀, v₀) has the part
    ½ erf((u − u₀) / √2 σ) before u, and an annulus lies between √(r² − v²) of its edges, on both sides.

    Parameters
    ----------
    spots, n, sigma
        ``SpotBuffer``, how many, and their standard deviation, pixels.
    hidden
        As ``Conditions``.
    step_px, areas, whole
        Width of an annulus, pixels; (n_bins,) areas that intensities are means over; annuli that spots beside the frame
        reach.
    profile
        (n_bins,) float32, mean intensity per pixel of each annulus.
    """
    low, high, along_x = hidden[2] - hidden[1] / 2, hidden[2] + hidden[1] / 2, hidden[3] > 0.0
    per_sigma = 1.0 / (sigma * math.sqrt(2.0))
    for j in range(n):
        u0, v0 = (spots.x_px[j], spots.y_px[j]) if along_x else (spots.y_px[j], spots.x_px[j])
        begin, end = max(low, v0 - _REACH * sigma), min(high, v0 + _REACH * sigma)
        if end <= begin or spots.intensity[j] <= 0.0:
            continue
        rho = math.sqrt(u0 * u0 + v0 * v0)
        first = max(int((rho - _REACH * sigma) / step_px + 0.5), 0)
        last = min(int((rho + _REACH * sigma) / step_px + 0.5) + 1, whole if spots.beside[j] else profile.shape[0])
        lines = max(4, int((end - begin) / min(0.5, 0.25 * sigma)) + 1)
        for line in range(lines):
            v = begin + (line + 0.5) * (end - begin) / lines
            x = (v - v0) * per_sigma
            density = math.exp(-x * x) * per_sigma / math.sqrt(math.pi)
            weight = 0.5 * spots.intensity[j] * density * (end - begin) / lines
            before = 0.0
            for b in range(first - 1, last):
                u2 = ((b + 0.5) * step_px) ** 2 - v * v
                u = math.sqrt(u2) if u2 > 0.0 and b >= 0 else 0.0
                within = math.erf((u - u0) * per_sigma) - math.erf((-u - u0) * per_sigma)
                if b >= first and areas[b] > 0.0:
                    profile[b] -= weight * (within - before) / areas[b]
                before = within
