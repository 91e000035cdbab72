"""Many tests at once: 13 labels by strata give false alarms unless p-values are adjusted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import Floats


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """q-values of p-values of any shape, which are one family; NaN stays NaN and does not count.

    A label with q <= 0.05 is among those found at a false discovery rate of 5 %. Benjamini Y,
    Hochberg Y. J R Stat Soc B 1995;57:289-300.

    >>> benjamini_hochberg([0.01, float("nan"), 0.04, 0.03]).tolist()
    [0.03, nan, 0.04, 0.04]
    """
    values = _probabilities(p)
    out = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    order = np.argsort(values[known], kind="stable")[::-1]
    ranks = np.arange(len(order), 0, -1)
    q = np.empty(len(order))
    q[order] = np.minimum.accumulate(values[known][order] * len(order) / ranks)
    out[known] = q
    return out


def bonferroni(p: npt.ArrayLike) -> Floats:
    """p-values times their number, at most 1; NaN stays NaN and does not count.

    >>> bonferroni([0.01, float("nan"), 0.6]).tolist()
    [0.02, nan, 1.0]
    """
    values = _probabilities(p)
    return np.minimum(values * np.count_nonzero(~np.isnan(values)), 1.0)


def _probabilities(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, np.float64)
    if ((values < 0) | (values > 1)).any():
        raise UsageError("a p-value lies outside 0 to 1; NaN is taken for a test that was not made")
    return values
