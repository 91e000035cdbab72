"""Intervals for proportions: counts, weighted samples, and a part of a sum of two estimates.

Newcombe RG. Two-sided confidence intervals for the single proportion: comparison of seven methods.
Stat Med 1998;17:857-872 (Wilson is his method 3, Clopper-Pearson his method 5).
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import check_level, two_sided_z


class Interval(NamedTuple):
    """Lower and upper confidence limit of a proportion."""

    low: float
    high: float


class Limits(NamedTuple):
    """An estimate of any scale with its confidence limits."""

    value: float
    low: float
    high: float


def wilson(successes: float, n: float, level: float = 0.95) -> Interval | None:
    """Wilson's score interval; None where ``n`` is 0, because then nothing was seen.

    ``n`` may be an effective sample size, so it and ``successes`` need not be whole.

    >>> low, high = wilson(81, 263)
    >>> f"{low:.4f} {high:.4f}"
    '0.2553 0.3662'
    """
    _check(successes, n, level)
    if n == 0:
        return None
    z = two_sided_z(level)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the limit is 0 or 1 by algebra; rounding leaves 1e-17 or so.
    return Interval(
        0.0 if successes == 0 else max(0.0, (centre - half) / scale),
        1.0 if successes == n else min(1.0, (centre + half) / scale),
    )


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Interval | None:
    """The exact binomial interval, which never covers less than ``level``; None where ``n`` is 0.

    ``n`` may be an effective sample size (Korn EL, Graubard BI. Surv Methodol 1998;24:193-201).

    >>> low, high = clopper_pearson(0, 20)
    >>> f"{low:.4f} {high:.4f}"
    '0.0000 0.1684'
    """
    from scipy.special import betaincinv

    _check(successes, n, level)
    if n == 0:
        return None
    tail = (1 - level) / 2
    return Interval(
        0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail)),
        1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail)),
    )


def effective_n(weights: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_]) -> float:
    """How many equally weighted cases would tell as much as these weighted ones; 0 for none.

    Kish's (sum w)^2 / sum w^2, which holds where weight and outcome have nothing to do with each
    other; where the hits sit on the heavy cases, the smaller size that their linearised variance
    gives (Korn EL, Graubard BI. Surv Methodol 1998;24:193-201).

    >>> effective_n(np.array([1.0, 1, 1, 1]), np.array([True, False, True, True]))
    4.0
    >>> effective_n(np.array([3.0, 1]), np.array([True, True]))
    1.6
    """
    total = float(weights.sum())
    if not total:
        return 0.0
    kish = total**2 / float((weights**2).sum())
    share = float(weights[hits].sum()) / total
    spread = float((weights**2 * (hits - share) ** 2).sum())
    if not spread:
        return kish
    return min(kish, share * (1 - share) * total**2 / spread)


def share_limits(part: Limits, rest: Limits) -> Limits | None:
    """The share ``part / (part + rest)`` of two independent estimates; None where both are 0.

    The limits of both, which need not be symmetric, are carried over to the share by the method of
    variance estimates recovery (Donner A, Zou GY. Stat Methods Med Res 2012;21:347-359).

    >>> value, low, high = share_limits(Limits(90, 80, 95), Limits(10, 5, 20))
    >>> f"{value:.2f} {low:.3f} {high:.3f}"
    '0.90 0.816 0.947'
    """
    if not part.value + rest.value:
        return None
    value = part.value / (part.value + rest.value)
    low = _lowest_share(part.value, part.low, rest.value, rest.high)
    high = 1 - _lowest_share(rest.value, rest.low, part.value, part.high)
    return Limits(value, min(low, value), max(high, value))


def _lowest_share(part: float, part_low: float, rest: float, rest_high: float) -> float:
    """The smallest share s at which (1 - s) part - s rest has a lower limit of 0."""
    down, up = part - part_low, rest_high - rest
    room = part**2 - down**2
    scale = part * rest + sqrt(rest**2 * down**2 + up**2 * room)
    # room / scale are the odds of the share; written so that neither 0 nor infinity divides.
    return room / (room + scale) if room + scale else 0.0


def _check(successes: float, n: float, level: float) -> None:
    if not 0 <= successes <= n or not n < float("inf"):
        raise UsageError(f"{successes} of {n} is no proportion; give 0 <= successes <= n")
    check_level(level)
