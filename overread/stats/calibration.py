"""Are probabilities true to their word? Brier score, calibration line, reliability, net benefit.

``truth`` (N,) holds 0 and 1, ``probability`` (N,) values from 0 to 1, both ends allowed,
``patient`` (N,) codes from 0. Scores of any scale become probabilities by `fit_logistic`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.bootstrap import Integers, cluster_cells, resampled_cells
from overread.stats.estimate import Estimate, Floats, normal_estimate, ratio, two_sided_z
from overread.stats.ranking import checked
from overread.stats.shares import Shares, clustered_shares

#: About what float32 can tell from 1; log odds of 0 and 1 themselves are infinite.
_SMALLEST: Final = 1e-7
_STEPS: Final = 100
_DONE: Final = 1e-10
_FURTHEST: Final = 4.0  # beyond this the curve that Newton follows is another one
_UNKNOWN: Final = Estimate(*(np.asarray(np.nan) for _ in range(4)))


class Logistic(NamedTuple):
    """The probability of a label at a score: the logistic function of a line."""

    intercept: float
    slope: float

    def probability(self, scores: npt.ArrayLike) -> Floats:
        """The probability at each score.

        >>> Logistic(0.0, 2.0).probability([-1, 0, 400]).round(3).tolist()
        [0.119, 0.5, 1.0]
        """
        return _expit(self.intercept + self.slope * np.asarray(scores, np.float64))


class CalibrationLine(NamedTuple):
    """How log odds of the truth follow those predicted; ideally 0 and 1.

    ``in_the_large`` is the intercept where the slope is held at 1: below 0, probabilities are too
    high. ``slope`` below 1: they are too extreme. With standard errors and limits over patients.
    """

    in_the_large: Estimate
    slope: Estimate


class Reliability(NamedTuple):
    """Per bin: its edges, how many cases it holds, their mean probability, share of positives.

    The last two are NaN in an empty bin. ``observed`` has limits over patients.
    """

    edges: Floats
    n: Integers
    predicted: Floats
    observed: Shares


def log_odds(probability: npt.ArrayLike) -> Floats:
    """The logit of probabilities; 0 and 1 are taken for 1e-7 away from it.

    >>> log_odds([0.0, 0.5]).round(3).tolist()
    [-16.118, 0.0]
    """
    p = np.clip(np.asarray(probability, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(p) - np.log1p(-p), np.float64)


def fit_logistic(truth: npt.ArrayLike, scores: npt.ArrayLike) -> Logistic | None:
    """Fits probabilities to finite scores: similarities, or the log odds of probabilities.

    Maximum likelihood with Platt's targets, (n1 + 1) / (n1 + 2) for the n1 positives and
    1 / (n0 + 2) for the others, so that there is a finite fit also where scores set positives and
    negatives wholly apart (Platt JC. Advances in Large Margin Classifiers, 1999). None without
    positives, without negatives or where all scores are the same.

    >>> fit = fit_logistic([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])
    >>> round(fit.intercept, 3), round(fit.slope, 3)
    (-1.029, 4.115)
    """
    positive, x = checked(truth, scores)
    if not positive.any() or positive.all() or x.min() == x.max():
        return None
    above, below = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (above + 1) / (above + 2), 1 / (below + 2))
    design, centre, scale = _line(x)
    intercept, slope = _logistic_regression(design, target, np.zeros(len(x)))
    return Logistic(float(intercept - slope * centre / scale), float(slope / scale))


def calibration_line(
    truth: npt.ArrayLike, probability: npt.ArrayLike, patient: npt.NDArray[np.int64]
) -> CalibrationLine:
    """Calibration in the large and slope (Cox DR. Biometrika 1958;45:562-565), 95 % limits.

    Standard errors are the sandwich's with patients as clusters (Liang KY, Zeger SL. Biometrika
    1986;73:13-22), which a bootstrap over patients comes to in large samples. NaN without positives
    or negatives; the slope also where the probabilities set them wholly apart, or are all the same.

    >>> line = calibration_line([0, 1, 0, 1], [0.3, 0.4, 0.6, 0.9], np.arange(4))
    >>> round(float(line.in_the_large.value), 3), round(float(line.slope.value), 3)
    (-0.258, 1.002)
    """
    y, p = _probabilities(truth, probability)
    x = log_odds(p)
    above, below = x[y == 1], x[y == 0]
    if not len(above) or not len(below):
        return CalibrationLine(_UNKNOWN, _UNKNOWN)
    (large,) = _fitted(np.ones((len(x), 1)), y, x, patient)
    if above.min() >= below.max() or above.max() <= below.min():
        return CalibrationLine(large, _UNKNOWN)
    design, _, scale = _line(x)
    _, slope = _fitted(design, y, np.zeros(len(x)), patient)
    return CalibrationLine(large, Estimate(*(part / scale for part in slope)))


def brier(
    truth: npt.ArrayLike, probability: npt.ArrayLike, patient: npt.NDArray[np.int64]
) -> Estimate:
    """The mean squared distance of probability and truth; NaN without cases.

    Brier GW. Mon Weather Rev 1950;78:1-3. The standard error is over patients, as above; the limits
    are on the logit scale.

    >>> found = brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], np.arange(4))
    >>> [round(float(part), 4) for part in found]
    [0.0375, 0.0163, 0.0158, 0.0865]
    """
    y, p = _probabilities(truth, probability)
    if not len(y):
        return _UNKNOWN
    loss = (p - y) ** 2
    value = loss.mean()
    se = np.sqrt((_by_patient((loss - value)[:, None], patient) ** 2).sum()) / len(y)
    if not 0 < value < 1 or not se:
        return Estimate(value, se, *_UNKNOWN[2:])
    half = two_sided_z(0.95) * se / (value * (1 - value))
    odds = np.log(value) - np.log1p(-value)
    return Estimate(value, se, _expit(odds - half), _expit(odds + half))


def reliability(
    truth: npt.ArrayLike,
    probability: npt.ArrayLike,
    patient: npt.NDArray[np.int64] | None = None,
    *,
    bins: int = 10,
    replicates: int = 1000,
    seed: int = 0,
) -> Reliability:
    """Cases in equally wide bins of probability; each holds its lower edge, the last both.

    For the limits see `clustered_shares`; without patients there are none.

    >>> found = reliability([0, 1, 1], [0.0, 0.6, 1.0], np.arange(3), bins=2)
    >>> found.n.tolist(), found.observed.value.tolist(), found.observed.low.round(2).tolist()
    ([1, 2], [0.0, 1.0], [0.0, 0.16])
    """
    if bins < 1:
        raise UsageError(f"bins is {bins}; give 1 or more")
    y, p = _probabilities(truth, probability)
    edges = np.linspace(0, 1, bins + 1)
    at = np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)
    n = np.bincount(at, minlength=bins)
    predicted = ratio(np.bincount(at, weights=p, minlength=bins), n)
    if patient is None or not len(y):
        share = ratio(np.bincount(at, weights=y, minlength=bins), n)
        return Reliability(edges, n, predicted, Shares(share, *np.full((2, bins), np.nan)))
    cells = np.zeros((len(y), bins, 2), np.uint8)
    cells[np.arange(len(y)), at, np.where(y == 1, 0, 1)] = 1
    patterns, multiplicity = cluster_cells(cells.reshape(len(y), -1), patient)
    drawn = resampled_cells(patterns, multiplicity, replicates=replicates, seed=seed)
    observed = clustered_shares(
        patterns.reshape(-1, bins, 2), multiplicity, drawn.reshape(-1, bins, 2)
    )
    return Reliability(edges, n, predicted, observed)


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


def _line(x: Floats) -> tuple[Floats, float, float]:
    """A design (N, 2) of ones and standardised values, their mean and standard deviation."""
    centre, scale = float(x.mean()), float(x.std())
    return np.stack([np.ones(len(x)), (x - centre) / scale], 1), centre, scale


def _logistic_regression(design: Floats, target: Floats, offset: Floats) -> Floats:
    """Coefficients (k,) of a line (N, k) plus offset that maximise the likelihood of targets.

    Newton's steps, none too long and halved while they would lower the likelihood. The columns
    are on the scale of 1; the caller sees to it that there is a finite optimum.
    """

    def loss(theta: Floats) -> float:
        z = design @ theta + offset
        return float((np.logaddexp(0, z) - target * z).sum())

    theta = np.zeros(design.shape[1])
    now = loss(theta)
    for _ in range(_STEPS):
        p = _expit(design @ theta + offset)
        information = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(information, design.T @ (target - p))
        step *= min(1.0, _FURTHEST / np.abs(step).max(initial=_FURTHEST))
        while (then := loss(theta + step)) > now + _DONE * (1 + abs(now)):
            step = step / 2
        theta, now = theta + step, then
        if np.abs(step).max() < _DONE * (1 + np.abs(theta).max()):
            break
    return theta


def _fitted(design: Floats, y: Floats, offset: Floats, patient: Integers) -> list[Estimate]:
    """The coefficients with the sandwich's errors and normal limits."""
    theta = _logistic_regression(design, y, offset)
    p = _expit(design @ theta + offset)
    bread = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    scores = _by_patient(design * (y - p)[:, None], patient)
    se = np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread))
    return [
        normal_estimate(np.asarray(t), np.asarray(e), level=0.95, lowest=-np.inf, highest=np.inf)
        for t, e in zip(theta, se, strict=True)
    ]


def _by_patient(rows: Floats, patient: Integers) -> Floats:
    """The sums (patients, k) of rows (N, k)."""
    code = np.unique(patient, return_inverse=True)[1]
    return np.stack([np.bincount(code, weights=column) for column in rows.T], 1)


def _expit(z: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)), np.float64)  # without overflow
