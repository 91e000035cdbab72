"""Are probabilities true to their word? Brier score, reliability bins, net benefit.

``truth`` (N,) holds 0 and 1, ``probability`` (N,) values from 0 to 1, both ends allowed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import Floats, ratio
from overread.stats.ranking import checked


class Reliability(NamedTuple):
    """Per bin: its edges, how many cases it holds, their mean probability and share of positives.

    The last two are NaN in an empty bin.
    """

    edges: Floats
    n: npt.NDArray[np.int64]
    predicted: Floats
    observed: Floats


def brier(truth: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """The mean squared distance of probability and truth; NaN without cases.

    Brier GW. Mon Weather Rev 1950;78:1-3.

    >>> round(brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]), 4)
    0.0375
    """
    y, p = _probabilities(truth, probability)
    return float(np.mean((p - y) ** 2)) if len(y) else float("nan")


def reliability_bins(
    truth: npt.ArrayLike, probability: npt.ArrayLike, *, bins: int = 10
) -> Reliability:
    """Cases in equally wide bins of probability; each holds its lower edge, the last both.

    >>> reliability_bins([0, 1, 1], [0.0, 0.6, 1.0], bins=2).n.tolist()
    [1, 2]
    """
    if bins < 1:
        raise UsageError(f"bins is {bins}; give 1 or more")
    y, p = _probabilities(truth, probability)
    edges = np.linspace(0, 1, bins + 1)
    at = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    n = np.bincount(at, minlength=bins)
    return Reliability(
        edges,
        n,
        ratio(np.bincount(at, weights=p, minlength=bins), n),
        ratio(np.bincount(at, weights=y, minlength=bins), n),
    )


def net_benefit(
    truth: npt.ArrayLike, probability: npt.ArrayLike, thresholds: npt.ArrayLike
) -> Floats:
    """True positives less false ones at the odds of each threshold, per case.

    A case is called positive from the threshold up. Vickers AJ, Elkin EB. Med Decis Making
    2006;26:565-574.

    >>> net_benefit([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], [0.2, 0.5]).tolist()
    [0.4375, 0.5]
    """
    y, p = _probabilities(truth, probability)
    at = np.asarray(thresholds, np.float64)
    if not ((at >= 0) & (at < 1)).all():
        raise UsageError("a threshold lies outside 0 to 1; 1 itself has no odds")
    called = p >= at[..., None]
    true, false = (called & (y == 1)).sum(-1), (called & (y == 0)).sum(-1)
    return ratio(true - false * at / (1 - at), len(y))


def _probabilities(truth: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    positive, p = checked(truth, probability)
    outside = int(np.count_nonzero((p < 0) | (p > 1)))
    if outside:
        raise UsageError(
            f"{outside} of {len(p)} values lie outside 0 to 1. Next step: give probabilities;"
            " similarities and logits have none"
        )
    return positive.astype(np.float64), p
