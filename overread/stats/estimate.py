"""An estimate with its standard error and confidence limits, and the normal quantile for them."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """Float64 arrays of one shape; NaN where nothing can be estimated."""

    value: Floats
    se: Floats
    low: Floats
    high: Floats


def two_sided_z(level: float) -> float:
    """How many standard errors to each side cover ``level`` of a normal distribution.

    >>> round(two_sided_z(0.95), 4)
    1.96
    """
    check_level(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def check_level(level: float) -> None:
    """Refuses a confidence level that is none, such as 95."""
    if not 0 < level < 1:
        raise UsageError(f"level is {level}; give one between 0 and 1, such as 0.95")


def normal_estimate(
    value: Floats, se: Floats, *, level: float, lowest: float, highest: float
) -> Estimate:
    """The value with normal (Wald) limits, cut off where the scale ends."""
    half = two_sided_z(level) * se
    return Estimate(value, se, np.maximum(value - half, lowest), np.minimum(value + half, highest))


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """The quotient, NaN without a warning where the denominator is 0.

    >>> ratio([1, 0], [2, 0]).tolist()
    [0.5, nan]
    """
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out
