"""What an annulus receives from a spot at any radius, as coefficients of a cubic B-spline (docs/physics.md §5).

References
----------
DLMF: NIST Digital Library of Mathematical Functions, 10.25.2 and 10.40.1: I₀ by its series, and for large arguments.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.spread import GROUP

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)
"""Of the quadrature over an annulus, from −1 to 1."""
_POINTS = len(POINTS)
_LARGE = 20.0  # from here on the asymptotic series of I₀ is good to rounding
_MOST_TERMS = 40  # where its terms are smallest, at the argument 20
_ROUNDING = 1e-17
_NODES_A_START = 8  # products of so many factors lose nothing that a float32 would show
_TAIL_NODES = 24  # the spline forgets a value by a factor of 0.27 a node
_K = np.arange(1, _MOST_TERMS + 1)
_ASYMPTOTIC = np.concatenate([[1.0], np.cumprod((2 * _K - 1) ** 2 / (8.0 * _K))])
"""I₀(x) exp(−x) √(2πx) = Σ cₖ x⁻ᵏ."""
_ENOUGH = np.concatenate([[np.inf], (_ASYMPTOTIC[1:] / _ROUNDING) ** (1 / _K)])
"""From this argument on, terms up to the k-th are enough."""


@kernel
def scaled_bessel(x):
    """Return I₀(x) exp(−x); slow."""
    if x < _LARGE:  # by the power series, whose terms are all positive
        term = total = 1.0
        k = 0
        while term > _ROUNDING * total:
            k += 1
            term *= 0.25 * x * x / (k * k)
            total += term
        return total * math.exp(-x)
    total = 0.0
    for k in range(_MOST_TERMS, -1, -1):
        total = total / x + _ASYMPTOTIC[k]
    return total / math.sqrt(2.0 * math.pi * x)


@kernel
def scaled_bessel_of_large(r, scaled_rho, terms, inverse, values):
    """Fill ``values`` with I₀(x) exp(−x) at the arguments x = r · scaled_rho of all points of an annulus at once."""
    for p in range(_POINTS):
        inverse[p] = 1.0 / (r[p] * scaled_rho)
        values[p] = _ASYMPTOTIC[terms]
    for k in range(terms - 1, -1, -1):
        for p in range(_POINTS):
            values[p] = values[p] * inverse[p] + _ASYMPTOTIC[k]
    for p in range(_POINTS):
        values[p] *= math.sqrt(inverse[p] / (2.0 * math.pi))


@kernel
def annulus_means(sigma, spacing, r, weights, begin, end, values):
    """Fill ``values[begin:end]`` with what an annulus receives from spots at the radii ``node · spacing``.

    The intensity of a Gaussian spot at ρ, averaged over the azimuth at r, is exp(−(r − ρ)² / 2σ²) · I₀(x) exp(−x) / σ²
    with x = rρ / σ²; along the nodes its exponential is multiplied up, a few nodes at a time.

    Parameters
    ----------
    sigma, spacing
        Pixels.
    r, weights
        (8,) points of the annulus, increasing, pixels, and what their intensities count in its mean.
    begin, end, values
        Nodes, from 0 at the centre.
    """
    step = spacing / sigma
    change = math.exp(-step * step)
    bessel, inverse, gauss, ratio = np.empty((4, _POINTS))
    terms = _MOST_TERMS
    for node in range(begin, end):
        if (node - begin) % _NODES_A_START == 0:
            for p in range(_POINTS):
                distance = (r[p] - node * spacing) / sigma
                gauss[p] = weights[p] * math.exp(-0.5 * distance * distance)
                ratio[p] = math.exp((distance - 0.5 * step) * step)
        scaled_rho = node * spacing / sigma**2
        if r[0] * scaled_rho < _LARGE:
            for p in range(_POINTS):
                bessel[p] = scaled_bessel(r[p] * scaled_rho)
        else:
            while r[0] * scaled_rho > _ENOUGH[terms - 1]:
                terms -= 1
            scaled_bessel_of_large(r, scaled_rho, terms, inverse, bessel)
        total = 0.0
        for p in range(_POINTS):
            total += gauss[p] * bessel[p]
            gauss[p] *= ratio[p]
            ratio[p] *= change
        values[node] = total


@kernel
def spline_through(values, begin, end, lower, diagonal):
    """Replace ``values``, of which only ``begin:end`` are not zero, by coefficients there of the spline through them.

    (c₋ + 4 c + c₊) / 6 = value; the spline is even about node 0. ``lower`` and ``diagonal`` are the factors L and D of
    that matrix, its first row halved to make it symmetric.
    """
    if begin == 0:
        values[0] /= 2.0
    for node in range(begin + 1, end):
        values[node] -= values[node - 1] * lower[node - 1]
    values[end - 1] /= diagonal[end - 1]
    for node in range(end - 2, begin - 1, -1):
        values[node] = values[node] / diagonal[node] - values[node + 1] * lower[node]


@kernel
def spline_factors(n):
    """Return the factors of the matrix of `spline_through`: (n − 1,) below the diagonal of L, (n,) of D."""
    lower, diagonal = np.empty(n - 1), np.empty(n)
    diagonal[0] = 2.0 / 6.0
    for node in range(n - 1):
        lower[node] = 1.0 / 6.0 / diagonal[node]
        diagonal[node + 1] = 4.0 / 6.0 - lower[node] / 6.0
    return lower, diagonal


@kernel
def nodes_near(centre, reach, spacing, n_nodes):
    """Return first and end of the nodes whose radius, (node − 1) · spacing, is within reach of that of an annulus."""
    first = max(int((centre - reach) / spacing), 0)
    while first < n_nodes and abs((first - 1) * spacing - centre) > reach:
        first += 1
    end = first
    while end < n_nodes and abs((end - 1) * spacing - centre) <= reach:
        end += 1
    return first, end


@kernel
def group_nodes(areas, step_px, reach, spacing, n_nodes, first, last):
    """Fill the nodes ``first:last`` that each group of annuli receives intensity from; return how many in all."""
    total = 0
    for group in range(first.shape[0]):
        low, high = n_nodes, 0
        for annulus in range(group * GROUP, min((group + 1) * GROUP, areas.shape[0])):
            begin, end = nodes_near(annulus * step_px, reach, spacing, n_nodes)
            if areas[annulus] > 0 and begin < end:
                low, high = min(low, begin), max(high, end)
        first[group], last[group] = (low, high) if low < high else (0, 0)
        total += last[group] - first[group]
    return total


@kernel
def spread_weights(sigma, spacing, n_nodes, step_px, areas, starts, band, reach, first, last):
    """Return the weights of `spread.gather` for one σ, and fill its ``first`` and ``last``.

    Parameters
    ----------
    sigma, spacing, step_px
        Width of a spot, distance of two nodes and of two annuli, pixels.
    n_nodes
        Nodes of the spline; node 1 is the radius 0.
    areas
        (n_bins,) px²; an annulus of none receives nothing.
    starts, band
        (n_nodes − 1,) first annulus that a spot at a node reaches, from node 1 on, and how many.
    reach
        Distance from which on a spot sends nothing to an annulus, pixels.
    first, last
        (n_groups,) int64.
    """
    weights = np.zeros(group_nodes(areas, step_px, reach, spacing, n_nodes, first, last) * GROUP, np.float32)
    lower, diagonal = spline_factors(n_nodes - 1)
    values, begin, end, offset = np.zeros(n_nodes - 1), 0, 0, 0
    for annulus in range(areas.shape[0]):
        while begin < n_nodes - 1 and starts[begin] + band <= annulus:
            begin += 1
        while end < n_nodes - 1 and starts[end] <= annulus:
            end += 1
        group, place = annulus // GROUP, annulus % GROUP
        near, beyond = nodes_near(annulus * step_px, reach, spacing, n_nodes)
        if areas[annulus] > 0 and near < beyond:
            inner = max((annulus - 0.5) * step_px, 0.0)
            width = (annulus + 0.5) * step_px - inner
            r = inner + (POINTS + 1.0) / 2.0 * width
            weight = WEIGHTS / 2.0 * width * r / sigma**2 / areas[annulus]
            annulus_means(sigma, spacing, r, weight, begin, end, values)
            tail = min(end + _TAIL_NODES, n_nodes - 1)
            values[end:tail] = 0.0
            spline_through(values, begin, tail, lower, diagonal)
            for node in range(near, beyond):
                weights[offset + (node - first[group]) * GROUP + place] = values[abs(node - 1)]
        if place == GROUP - 1:
            offset += (last[group] - first[group]) * GROUP
    return weights
