"""How well scores rank the cases with a label above those without: AUROC, AUPRC, DeLong's test.

``truth`` (N,) holds 0 and 1 (leave out cases whose label is unknown), ``scores`` (N,) are finite,
higher for the label. Ties count half. A label without positives or without negatives gives NaN.
"""

from __future__ import annotations

from math import erfc, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import Estimate, Floats, normal_estimate

Booleans = npt.NDArray[np.bool_]


class Runs(NamedTuple):
    """Weights by run of equal scores with positives, the highest score first.

    ``gained`` are those of its positives, ``hits`` of all positives to its end, ``above`` of the
    negatives to its start and ``admitted`` to its end; ``negatives`` is the weight of them all.
    """

    gained: npt.NDArray[Any]
    hits: npt.NDArray[Any]
    above: npt.NDArray[Any]
    admitted: npt.NDArray[Any]
    negatives: float


class Ranking:
    """One label's cases, sorted once by score, so that each resample costs one pass.

    ``weights`` say how often each case is in the resample; without them each counts once. Whole
    weights give the values of a table with repeated rows. Where ``clusters`` (N,) names the
    patient of each case, from 0, weights are those of the patients, which several labels can share.

    >>> ranking = Ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ranking.auroc(), round(ranking.average_precision(), 6)
    (0.75, 0.833333)
    >>> ranking.auroc(np.array([1, 0, 2, 1]))
    1.0
    >>> Ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0, 1, 2, 0]).auroc(np.array([1, 0, 2]))
    1.0
    """

    def __init__(
        self, truth: npt.ArrayLike, scores: npt.ArrayLike, clusters: npt.ArrayLike | None = None
    ) -> None:
        positive, values = checked(truth, scores)
        case = np.arange(len(values)) if clusters is None else np.asarray(clusters, np.int64)
        if len(case) != len(values):
            raise UsageError(f"{len(case)} patients are given for {len(values)} cases")
        self._weights = int(case.max()) + 1 if len(case) else 0
        self._exact = clusters is None
        # Highest first: a threshold admits all of a run of equal scores or none of it.
        self._positives, hits = _descending(case[positive], values[positive])
        self._negatives, alarms = _descending(case[~positive], values[~positive])
        runs, self._first = np.unique(hits, return_index=True)
        self._last = np.append(self._first[1:], len(hits))[: len(runs)]
        self._above = np.searchsorted(alarms, runs, side="left")
        self._admitted = np.searchsorted(alarms, runs, side="right")

    @property
    def patients(self) -> int:
        """How many patients have a positive case, or a negative one, whichever are fewer.

        >>> Ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0, 1, 2, 2]).patients
        1
        """
        return min(len(np.unique(one)) for one in (self._positives, self._negatives))

    def auroc(self, weights: npt.NDArray[Any] | None = None) -> float:
        """The chance that a positive scores above a negative (Mann-Whitney); NaN without either."""
        return self.areas(weights)[0]

    def average_precision(self, weights: npt.NDArray[Any] | None = None) -> float:
        """The mean precision over the positives, as scikit-learn defines it; NaN without either."""
        return self.areas(weights)[1]

    def areas(self, weights: npt.NDArray[Any] | None = None) -> tuple[float, float]:
        """AUROC and average precision at once."""
        runs = self.runs(weights)
        if runs is None:
            return float("nan"), float("nan")
        gained, hits, above, admitted, negatives = runs
        total = hits[-1]
        # Halved last, so that whole weights stay whole.
        area = (gained * (2 * negatives - above - admitted)).sum() / (2 * total * negatives)
        # A run without weight on top of the list has no precision, and gains nothing.
        precision = np.divide(hits, hits + admitted, out=np.zeros(len(hits)), where=hits > 0)
        return float(area), float((gained * precision).sum() / total)

    def influence(self, clusters: int) -> Floats:
        """How much each cluster moves AUROC and average precision: float64 (clusters, 2).

        The derivatives by the weights where all are 1, which add up to 0 (the infinitesimal
        jackknife: Efron B. The Jackknife, the Bootstrap and Other Resampling Plans. SIAM 1982,
        chapter 6). For AUROC they are DeLong's placements, summed per cluster as in Obuchowski NA.
        Biometrics 1997;53:567-578. NaN without positives or without negatives.

        >>> Ranking([0, 0, 1, 1], [1, 2, 2, 3], [0, 1, 2, 3]).influence(4)[:, 0].tolist()
        [0.0625, -0.0625, -0.0625, 0.0625]
        """
        runs = self.runs()
        if runs is None:
            return np.full((clusters, 2), np.nan)
        gained, hits, above, admitted, negatives = runs
        total, listed = hits[-1], hits + admitted
        area, mean = self.areas()

        def summed(found: Floats, alarms: Floats) -> Floats:
            """Of a positive of each run and of each negative, by cluster."""
            of_positives = np.bincount(self._positives, np.repeat(found, gained), clusters)
            return np.asarray(of_positives + np.bincount(self._negatives, alarms, clusters))

        # How many runs lie above each negative, ties left out or counted.
        over, level = (_reached(run, int(negatives)) for run in (admitted, above))
        # The share of negatives below a positive, and of positives above a negative; ties half.
        earlier = np.append(0, hits)
        below = 1 - (above + admitted) / (2 * negatives)
        higher = (earlier[over] + earlier[level]) / (2 * total)
        # More weight of a case lifts or lowers the precision of its run and of all below.
        slope = gained / listed**2
        lift, loss = (np.cumsum((slope * of)[::-1])[::-1] for of in (admitted, hits))
        return np.stack(
            [
                summed((below - area) / total, (higher - area) / negatives),
                summed((hits / listed - mean + lift) / total, -np.append(loss, 0)[over] / total),
            ],
            axis=1,
        )

    def runs(self, weights: npt.NDArray[Any] | None = None) -> Runs | None:
        """The curves' corners; None without positives or without negatives."""
        if weights is None:
            weights = np.ones(self._weights, np.int64)
        short = len(weights) != self._weights if self._exact else len(weights) < self._weights
        if short:
            raise UsageError(f"{len(weights)} weights are given for {self._weights} cases")
        found, alarms = (_sums(weights, case) for case in (self._positives, self._negatives))
        if not found[-1] or not alarms[-1]:
            return None
        hits = found[self._last]
        return Runs(
            hits - found[self._first],
            hits,
            alarms[self._above],
            alarms[self._admitted],
            alarms[-1],
        )


def _reached(run: npt.NDArray[Any], negatives: int) -> npt.NDArray[np.int64]:
    """How many of rising numbers are not above 0, 1, ... negatives - 1."""
    return np.repeat(np.arange(len(run) + 1), np.diff(run, prepend=0, append=negatives))


def _descending(case: npt.NDArray[Any], values: Floats) -> tuple[npt.NDArray[Any], Floats]:
    """Cases and their negated scores, the highest score first."""
    order = np.argsort(-values, kind="stable")
    return case[order], -values[order]


def _sums(weights: npt.NDArray[Any], case: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The weights of the first 0, 1, ... cases; whole ones stay exact, and are added faster."""
    kind = np.float64 if weights.dtype.kind == "f" else np.int64
    out = np.zeros(len(case) + 1, kind)
    np.cumsum(weights.astype(kind, copy=False).take(case), out=out[1:])
    return out


def auroc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The area under the ROC curve.

    >>> auroc([0, 0, 1, 1], [1, 2, 2, 3])
    0.875
    """
    return Ranking(truth, scores).auroc()


def average_precision(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The area under the precision-recall curve as a sum of steps (AUPRC).

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.833333
    """
    return Ranking(truth, scores).average_precision()


class RankingTest(NamedTuple):
    """The difference of two AUROCs (first less second), its z and two-sided p."""

    difference: float
    z: float
    p: float


def delong(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """AUROCs (K,) of K scores (K, N) of the same cases, and their covariance (K, K).

    DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845, by midranks as in Sun X,
    Xu W. IEEE Signal Process Lett 2014;21:1389-1393. The covariance is NaN with fewer than two
    positives or negatives. For one ECG per patient.

    >>> areas, covariance = delong([0, 0, 1, 1], [[1, 3, 2, 4], [1, 2, 3, 4]])
    >>> areas.tolist(), covariance.tolist()
    ([0.75, 1.0], [[0.125, 0.0], [0.0, 0.0]])
    """
    parts = [_placements(truth, row) for row in np.atleast_2d(np.asarray(scores))]
    positives, negatives = (np.array(side) for side in zip(*parts, strict=True))
    if min(positives.shape[1], negatives.shape[1]) < 2:
        areas = [auroc(truth, row) for row in np.atleast_2d(np.asarray(scores))]
        return np.array(areas), np.full((len(areas), len(areas)), np.nan)
    return positives.mean(1), _covariance(positives) + _covariance(negatives)


def delong_estimate(
    truth: npt.ArrayLike, scores: npt.ArrayLike, *, level: float = 0.95
) -> Estimate:
    """The AUROCs of scores (N,) or (K, N) with DeLong's standard errors and normal limits.

    >>> estimate = delong_estimate([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6])
    >>> [round(float(part[0]), 3) for part in estimate]
    [0.889, 0.157, 0.581, 1.0]
    """
    areas, covariance = delong(truth, scores)
    se = np.sqrt(np.diag(covariance))
    return normal_estimate(areas, se, level=level, lowest=0.0, highest=1.0)


def delong_test(truth: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> RankingTest:
    """Do two scores of the same cases rank them equally well?

    Scores that rank alike give z 0 and p 1; z and p are NaN where the difference cannot vary.

    >>> delong_test([0, 0, 1, 1], [1, 3, 2, 4], [10, 30, 20, 40])
    RankingTest(difference=0.0, z=0.0, p=1.0)
    """
    better, worse = _placements(truth, first), _placements(truth, second)
    gains = [a - b for a, b in zip(better, worse, strict=True)]
    if min(len(gain) for gain in gains) < 2:
        return RankingTest(auroc(truth, first) - auroc(truth, second), float("nan"), float("nan"))
    difference = float(gains[0].mean())
    variance = float(sum(_covariance(gain[None])[0, 0] for gain in gains))
    if not difference and not variance:
        return RankingTest(0.0, 0.0, 1.0)
    z = difference / sqrt(variance) if variance else float("nan")
    return RankingTest(difference, z, erfc(abs(z) / sqrt(2)))


def checked(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Booleans, Floats]:
    """Truth as booleans and scores as float64 (N,); refuses what is neither 0, 1 nor finite."""
    y, values = np.asarray(truth), np.asarray(scores, np.float64)
    if y.ndim != 1 or y.shape != values.shape:
        raise UsageError(f"truth has shape {y.shape} and scores {values.shape}; give (N,) for both")
    unknown = len(y) - int(np.isin(y, (0, 1)).sum())
    if unknown:
        raise UsageError(
            f"{unknown} of {len(y)} true labels are neither 0 nor 1. Next step: leave out the cases"
            " whose label is missing"
        )
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise UsageError(
            f"{bad} of {len(y)} scores are not finite (NaN or infinite). Next step: look for a"
            " diverged training run or for ECGs that could not be scored"
        )
    return y.astype(bool), values


def _placements(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The share of negatives below each positive, and of positives above each negative."""
    positive, values = checked(truth, scores)
    m, n = int(positive.sum()), int((~positive).sum())
    ranks = _midranks(values)
    below = (ranks[positive] - _midranks(values[positive])) / max(n, 1)
    above = 1 - (ranks[~positive] - _midranks(values[~positive])) / max(m, 1)
    return below, above


def _midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    _, run, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[run], np.float64)


def _covariance(placements: Floats) -> Floats:
    """The covariance (K, K) of the means of placements (K, n)."""
    n = placements.shape[1]
    centred = placements - placements.mean(1, keepdims=True)
    return np.asarray(centred @ centred.T / (n - 1) / n, np.float64)
