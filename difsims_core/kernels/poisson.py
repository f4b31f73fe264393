"""Exact Poisson and binomial variates, one at a time and by the row.

References
----------
W. Hörmann, The transformed rejection method for generating Poisson random variables,
Insur. Math. Econ. 12 (1993): PTRS.
W. Hörmann, The generation of binomial random variates, J. Stat. Comput. Simul. 46 (1993): BTRS.
A. J. Walker, An efficient method for generating discrete random variables with general distributions,
ACM Trans. Math. Softw. 3 (1977): the alias method; M. D. Vose, IEEE Trans. Softw. Eng. 17 (1991): its tables.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.counter_rng import next_unit

_TABLES, _OUTCOMES, _PER_UNIT = 64, 64, 4.0
_TABLES_BELOW = _TABLES / _PER_UNIT  # 16, where the probability of 64 and more is 10⁻¹⁸
_INVERSION_BELOW = 10.0
_NORMAL_ABOVE = 1e12  # where the skewness is 10⁻⁶ and counts no longer fit PTRS in double precision
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def _alias_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return (64, 64) thresholds and aliases of the Poisson distributions of means 0, 1/4, 1/2 … 63/4."""
    thresholds = np.ones((_TABLES, _OUTCOMES))
    aliases = np.tile(np.arange(_OUTCOMES, dtype=np.int64), (_TABLES, 1))
    for table in range(_TABLES):
        mean = table / _PER_UNIT
        log_mean = math.log(mean) if mean else -math.inf
        share = [math.exp(k * log_mean - mean - math.lgamma(k + 1)) if k else math.exp(-mean) for k in range(_OUTCOMES)]
        share = [value * _OUTCOMES / math.fsum(share) for value in share]
        small = [k for k in range(_OUTCOMES) if share[k] < 1]
        large = [k for k in range(_OUTCOMES) if share[k] >= 1]
        while small and large:
            k, donor = small.pop(), large[-1]
            thresholds[table, k], aliases[table, k] = share[k], donor
            share[donor] -= 1 - share[k]
            if share[donor] < 1:
                small.append(large.pop())
    return thresholds, aliases


_THRESHOLDS, _ALIASES = _alias_tables()


@kernel
def _below_tables(mean, u, v):
    """Return a variate of a mean below 16: the sum of one of a tabled mean and one of what is left, below 1/4."""
    table = int(mean * _PER_UNIT)
    place = u * _OUTCOMES
    outcome = int(place)
    count = outcome if place - outcome < _THRESHOLDS[table, outcome] else _ALIASES[table, outcome]
    rest = mean - table / _PER_UNIT
    if v >= 1.0 - rest:  # below, v is also below exp(−rest), the probability of 0
        probability = math.exp(-rest)
        k = 0
        while v >= probability and k < _OUTCOMES:
            v -= probability
            k += 1
            probability *= rest / k
        count += k
    return float(count)


@kernel
def _probable(k, mean, bound):
    """Return whether ``bound`` ≤ the Poisson probability of k ≥ 0, by its logarithm."""
    if k < 10.0:
        return math.log(bound) <= k * math.log(mean) - mean - math.lgamma(k + 1.0)
    inverse = 1.0 / k
    square = inverse * inverse
    stirling = (1.0 / 12.0 - (1.0 / 360.0 - square / 1260.0) * square) * inverse
    return math.log(bound * math.sqrt(k)) <= k * math.log(mean / k) - mean + k - _HALF_LOG_TWO_PI - stirling


@kernel
def _transformed_rejection(mean, u, v, state):
    """Return a variate of a mean above 10 by PTRS, whose first pair (u − 1/2, v) is given."""
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k >= 0.0 and not (us < 0.013 and v > us) and _probable(k, mean, v * inverse_alpha / (a / (us * us) + b)):
            return k
        u, v = next_unit(state) - 0.5, next_unit(state)


@kernel
def _normal(mean, state):
    radius = math.sqrt(-2.0 * math.log(1.0 - next_unit(state)))
    return np.floor(mean + math.sqrt(mean) * radius * math.cos(2.0 * math.pi * next_unit(state)) + 0.5)


@kernel
def poisson(mean, state):
    """Return a Poisson variate as a double: tables below a mean of 16, PTRS above, both exact.

    From a mean of 10¹² on, a rounded normal variate (Box–Muller).
    """
    if mean <= 0.0:
        return 0.0
    if not mean < _NORMAL_ABOVE:
        return _normal(mean, state)
    u, v = next_unit(state), next_unit(state)
    return _below_tables(mean, u, v) if mean < _TABLES_BELOW else _transformed_rejection(mean, u - 0.5, v, state)


@kernel
def poisson_row(mean, n, state, u, v, settled):
    """Replace the first ``n`` numbers of ``mean``, none negative, by Poisson variates of these means.

    The first trial of PTRS, which settles most, is done for all at once.

    Parameters
    ----------
    mean
        (n,) float64, overwritten.
    n, state
        How many, and the stream.
    u, v, settled
        Work space, (n,) float64, float64 and float64.
    """
    for i in range(n):
        u[i] = next_unit(state) - 0.5
        v[i] = next_unit(state)
    for i in range(n):
        root = math.sqrt(mean[i])
        b = 0.931 + 2.53 * root
        a = -0.059 + 0.02483 * b
        us = 0.5 - abs(u[i])
        k = np.floor((2.0 * a / us + b) * u[i] + mean[i] + 0.43)
        v_r = 0.9277 - 3.6224 / (b - 2.0)
        quick = (us >= 0.07) & (v[i] <= v_r) & (mean[i] >= _TABLES_BELOW) & (mean[i] < _NORMAL_ABOVE)
        settled[i] = k if quick else -1.0
    for i in range(n):
        if settled[i] >= 0.0:
            mean[i] = settled[i]
        elif mean[i] < _TABLES_BELOW:
            mean[i] = _below_tables(mean[i], u[i] + 0.5, v[i])
        elif mean[i] < _NORMAL_ABOVE:
            mean[i] = _transformed_rejection(mean[i], u[i], v[i], state)
        else:
            mean[i] = _normal(mean[i], state)


@kernel
def binomial(n, p, state):
    """Return a Binomial(n, p) variate as a double, p ≤ 1/2: inversion for np below 10, BTRS above."""
    if p <= 0.0 or n <= 0:
        return 0.0
    q = 1.0 - p
    if n * p < _INVERSION_BELOW:
        u = next_unit(state)
        odds = p / q
        probability = math.exp(n * math.log1p(-p))
        k = 0.0
        while u > probability and k < n:
            u -= probability
            k += 1.0
            probability *= odds * (n - k + 1.0) / k
        return k
    root = math.sqrt(n * p * q)
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = n * p + 0.5
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * root
    log_odds = math.log(p / q)
    mode = np.floor((n + 1) * p)
    h = math.lgamma(mode + 1.0) + math.lgamma(n - mode + 1.0)
    while True:
        u = next_unit(state) - 0.5
        v = next_unit(state)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + c) if us > 0.0 else -1.0
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0.0 or k > n or v <= 0.0:
            continue
        v = v * alpha / (a / (us * us) + b)
        if math.log(v) <= h - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + (k - mode) * log_odds:
            return k
