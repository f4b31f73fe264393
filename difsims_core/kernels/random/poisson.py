"""Exact Poisson and binomial variates, one at a time and by the row.

Why not NumPy's: they draw from the numbered stream of a pattern inside compiled code, so that no order of work changes
a count (``docs/decisions/poisson-samplers.md``).

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
from difsims_core.kernels.random.counter_rng import next_unit

COARSE, _COARSE_OUTCOMES = 128, 256  # means 0, 1 … 127; the probability of 256 and more is 10⁻²³
_FINE, _FINE_OUTCOMES = 16, 32  # means 0, 1/16 … 15/16; the probability of 32 and more is 10⁻³⁶
_INVERSION_BELOW = 10.0
_NORMAL_ABOVE = 1e12  # where the skewness is 10⁻⁶ and counts no longer fit PTRS in double precision
_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_PER_HALVING = 1.0 / math.log(2.0)
_HALVING_HIGH = 0.693147180369123816490  # ln 2 in two parts: the first one times a whole number is exact
_HALVING_LOW = 1.90821492927058770002e-10
_HALVES = 0.5 ** np.arange(1000)


def _alias_tables(means: np.ndarray, outcomes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (k, outcomes) thresholds and aliases of the Poisson distributions of k means."""
    count = np.arange(outcomes)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(count[1:]))])
    thresholds = np.ones((len(means), outcomes))
    aliases = np.tile(count.astype(np.uint8), (len(means), 1))
    for table, mean in enumerate(means):
        log_mean = math.log(mean) if mean > 0 else -1e6
        share = np.exp(count * log_mean - mean - log_factorial)
        share = (share * (outcomes / math.fsum(share))).tolist()
        small = [k for k in range(outcomes) if share[k] < 1]
        large = [k for k in range(outcomes) if share[k] >= 1]
        while small and large:
            k, donor = small.pop(), large[-1]
            thresholds[table, k], aliases[table, k] = share[k], donor
            share[donor] -= 1 - share[k]
            if share[donor] < 1:
                small.append(large.pop())
    return thresholds, aliases


_COARSE_THRESHOLDS, _COARSE_ALIASES = _alias_tables(np.arange(COARSE), _COARSE_OUTCOMES)
_FINE_THRESHOLDS, _FINE_ALIASES = _alias_tables(np.arange(_FINE) / _FINE, _FINE_OUTCOMES)


@kernel
def _from_tables(mean, u, v):
    """Return a variate of a mean below 128, given two numbers in [0, 1).

    It is the sum of one of a whole mean, one of a sixteenth of 1 and one of what is left; the last one, mostly 0, comes
    from what the choice among the sixteenths leaves of ``v``.
    """
    coarse = int(mean)
    place = u * _COARSE_OUTCOMES
    outcome = int(place)
    count = outcome if place - outcome < _COARSE_THRESHOLDS[coarse, outcome] else int(_COARSE_ALIASES[coarse, outcome])
    rest = mean - coarse
    fine = int(rest * _FINE)
    rest -= fine / _FINE
    place = v * _FINE_OUTCOMES
    outcome = int(place)
    left, threshold = place - outcome, _FINE_THRESHOLDS[fine, outcome]
    own = left < threshold
    count += outcome if own else int(_FINE_ALIASES[fine, outcome])
    low, high = (0.0, threshold) if own else (threshold, 1.0)
    if left - low >= (1.0 - rest) * (high - low):  # 1 − rest is below exp(−rest), the probability of 0
        left = (left - low) / (high - low)
        probability = math.exp(-rest)
        k = 0
        while left >= probability and k < _FINE_OUTCOMES:
            left -= probability
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
    x = (mean - k) * inverse
    if abs(x) < 0.03:  # k (ln(1 + x) − x), a series where the logarithm would cancel
        deviation = k * x * x * (-0.5 + x * (1 / 3 - x * (0.25 - x * (0.2 - x * (1 / 6 - x * (1 / 7 - x / 8))))))
    else:
        deviation = k * (math.log(mean * inverse) - x)
    return math.log(bound * math.sqrt(k)) <= deviation - _HALF_LOG_TWO_PI - stirling


@kernel
def _accepted(k, mean, b, u, v):
    """Return whether PTRS accepts k, which its pair (u − 1/2, v) gave and its quick test did not settle."""
    us = 0.5 - abs(u)
    if k < 0.0 or (us < 0.013 and v > us):
        return False
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    return _probable(k, mean, v * inverse_alpha / (a / (us * us) + b))


@kernel
def _transformed_rejection(mean, state):
    """Return a variate of a mean above 10 by PTRS."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = next_unit(state) - 0.5, next_unit(state)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + mean + 0.43)
        if (us >= 0.07 and v <= v_r) or _accepted(k, mean, b, u, v):
            return k


@kernel
def _normal(mean, state):
    radius = math.sqrt(-2.0 * math.log(1.0 - next_unit(state)))
    return np.floor(mean + math.sqrt(mean) * radius * math.cos(2.0 * math.pi * next_unit(state)) + 0.5)


@kernel
def poisson(mean, state):
    """Return a Poisson variate as a double: tables below a mean of 128, PTRS above, both exact.

    From a mean of 10¹² on, a rounded normal variate (Box–Muller).
    """
    if mean <= 0.0:
        return 0.0
    if not mean < _NORMAL_ABOVE:
        return _normal(mean, state)
    if mean < COARSE:
        return _from_tables(mean, next_unit(state), next_unit(state))
    return _transformed_rejection(mean, state)


@kernel
def _first_trials(m, large, u, v, trial, bound):
    """Fill ``trial`` with the counts that the pairs (u, v) give by PTRS.

    ``bound`` becomes 0 where the quick test accepts, infinite where the count is none, and otherwise the number that
    must not exceed the count's probability.
    """
    for i in range(m):
        b = 0.931 + 2.53 * math.sqrt(large[i])
        a = -0.059 + 0.02483 * b
        us = 0.5 - abs(u[i])
        k = np.floor((2.0 * a / us + b) * u[i] + large[i] + 0.43)
        quick = (us >= 0.07) & (v[i] <= 0.9277 - 3.6224 / (b - 2.0))
        some = (k >= 10.0) & (k < 2.0 * _NORMAL_ABOVE)  # below 10 counts of 128 and more the probability is 10⁻⁴¹
        none = (not some) | ((us < 0.013) & (v[i] > us))
        needed = v[i] * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b)
        trial[i] = k if some else 10.0
        bound[i] = 0.0 if quick else (np.inf if none else needed)


@kernel
def _probabilities(m, large, trial, probability):
    """Fill ``probability`` with the Poisson probabilities of counts ≥ 10 for means ≥ 128, without a call of a library.

    With z = (μ − k) / (μ + k), k ln(μ/k) + k − μ = −z² (μ + k) + 2 k z³ (1/3 + z²/5 + z⁴/7 + …).
    """
    for i in range(m):
        k, mean = trial[i], large[i]
        both = mean + k
        z = (mean - k) / both
        z2 = z * z
        series = 1 / 15 + z2 * (1 / 17 + z2 * (1 / 19 + z2 * (1 / 21 + z2 * (1 / 23 + z2 * (1 / 25 + z2 / 27)))))
        series = 1 / 3 + z2 * (1 / 5 + z2 * (1 / 7 + z2 * (1 / 9 + z2 * (1 / 11 + z2 * (1 / 13 + z2 * series)))))
        inverse = 1.0 / k
        square = inverse * inverse
        stirling = (1.0 / 12.0 - (1.0 / 360.0 - square / 1260.0) * square) * inverse
        exponent = stirling + z2 * both - 2.0 * k * z * z2 * series
        exponent = exponent if exponent < 690.0 else 690.0
        halvings = np.floor(exponent * _PER_HALVING + 0.5)
        r = (halvings * _HALVING_HIGH - exponent) + halvings * _HALVING_LOW  # |r| ≤ ln 2 / 2
        value = 1.0 + r / 12 * (1.0 + r / 13)
        value = 1.0 + r / 9 * (1.0 + r / 10 * (1.0 + r / 11 * value))
        value = 1.0 + r / 5 * (1.0 + r / 6 * (1.0 + r / 7 * (1.0 + r / 8 * value)))
        value = 1.0 + r * (1.0 + r / 2 * (1.0 + r / 3 * (1.0 + r / 4 * value)))
        probability[i] = value * _HALVES[int(halvings)] / math.sqrt(2.0 * math.pi * k)


@kernel
def poisson_row(mean, n, state, work):
    """Replace the first ``n`` numbers of ``mean``, none negative, by Poisson variates of these means.

    The trials of PTRS are made for all large means at once, then again for those that were rejected.

    Parameters
    ----------
    mean
        (n,) float64, overwritten.
    n, state
        How many, and the stream.
    work
        Work space, (7, n) float64.
    """
    u, v, large, trial, bound, place, probability = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    m = 0
    for i in range(n):
        if mean[i] < COARSE:
            first, second = next_unit(state), next_unit(state)
            mean[i] = _from_tables(mean[i], first, second)
        elif mean[i] < _NORMAL_ABOVE:
            large[m], place[m] = mean[i], i
            m += 1
        else:
            mean[i] = _normal(mean[i], state)
    while m > 0:
        for i in range(m):
            u[i] = next_unit(state) - 0.5
            v[i] = next_unit(state)
        _first_trials(m, large, u, v, trial, bound)
        open_trials = 0
        for i in range(m):  # what is written beyond the open ones is written over
            mean[int(place[i])] = trial[i]
            trial[open_trials], large[open_trials] = trial[i], large[i]
            place[open_trials], bound[open_trials] = place[i], bound[i]
            open_trials += bound[i] > 0.0
        _probabilities(open_trials, large, trial, probability)
        m = 0
        for i in range(open_trials):
            large[m], place[m] = large[i], place[i]
            m += bound[i] > probability[i]


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
