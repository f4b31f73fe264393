"""How far an observed difference can be trusted: bounds of proportions and means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from scipy.special import stdtrit
from scipy.stats import binomtest

_LEAST_FOR_A_BOUND = 3  # two differences may agree by accident, and their spread then says nothing


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its one-sided bounds, each exceeded with the probability 1 − confidence.

    Attributes
    ----------
    value, low, high : float
        ``low`` and ``high`` are infinite where the data bound nothing.
    """

    value: float
    low: float
    high: float

    def __neg__(self) -> Estimate:
        return Estimate(-self.value, -self.high, -self.low)


def paired_difference(only_first: int, only_second: int, n: int, confidence: float) -> Estimate:
    """Estimate the difference of two proportions measured on the same patterns.

    Only the discordant patterns count, as in McNemar's test, of which the bounds are the counterpart; they hold for
    small samples too, and for none at all: swapping the two turns the sign.

    Parameters
    ----------
    only_first, only_second
        Patterns that only the first, only the second has right.
    n
        All patterns.
    confidence
        Of each bound.

    References
    ----------
    D. G. Bonett, R. M. Price, J. Educ. Behav. Stat. 37 (2012) 479: adjusted Wald interval, one pattern added to each
    discordant count; recommended by M. W. Fagerland, S. Lydersen, P. Laake, Stat. Med. 33 (2014) 2850.
    """
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    centre = first - second
    reach = NormalDist().inv_cdf(confidence) * math.sqrt((first + second - centre**2) / (n + 2))
    return Estimate((only_first - only_second) / n if n else 0.0, max(centre - reach, -1.0), min(centre + reach, 1.0))


def proportion(hits: int, n: int, confidence: float) -> Estimate:
    """Estimate a proportion.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209: the score interval.
    """
    if not n:
        return Estimate(0.0, 0.0, 1.0)
    bounds = binomtest(hits, n).proportion_ci(2 * confidence - 1, method="wilson")
    return Estimate(hits / n, float(bounds.low), float(bounds.high))


def mean_of(differences: Sequence[float], confidence: float) -> Estimate:
    """Estimate the mean of differences, each of one experiment; fewer than three have no bounds.

    References
    ----------
    Student, Biometrika 6 (1908) 1: the paired t interval. It takes experiments as independent and the mean of their
    differences as normal.
    """
    n = len(differences)
    mean = fmean(differences) if n else 0.0
    if n < _LEAST_FOR_A_BOUND:
        return Estimate(mean, -math.inf, math.inf)
    reach = float(stdtrit(n - 1, confidence)) * stdev(differences) / math.sqrt(n)
    return Estimate(mean, mean - reach, mean + reach)
