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


class Ranking:
    """One label's cases, sorted once by score, so that each resample costs one pass.

    ``weights`` (N,), in the order of the cases, say how often each is in the resample; without
    them each counts once. Whole weights give the values of a table with repeated rows.

    >>> ranking = Ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ranking.auroc(), round(ranking.average_precision(), 6)
    (0.75, 0.833333)
    >>> ranking.auroc(np.array([1, 0, 2, 1]))
    1.0
    """

    def __init__(self, truth: npt.ArrayLike, scores: npt.ArrayLike) -> None:
        positive, values = checked(truth, scores)
        self._order = np.argsort(-values, kind="stable")
        ordered = values[self._order]
        # A threshold admits all or none of a run of equal scores; only runs with positives count.
        new = np.ones(len(ordered), np.bool_)
        new[1:] = ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(new)
        self._positives = np.flatnonzero(positive[self._order])
        runs, self._first = np.unique(np.cumsum(new)[self._positives] - 1, return_index=True)
        self._last = np.append(self._first[1:], len(self._positives))[: len(runs)]
        self._start = starts[runs]
        self._end = np.append(starts[1:], len(ordered))[runs]

    def auroc(self, weights: npt.NDArray[Any] | None = None) -> float:
        """The chance that a positive scores above a negative (Mann-Whitney); NaN without either."""
        gained, hits, before, alarms, negatives = self._runs(weights)
        if not len(hits) or not hits[-1] or not negatives:
            return float("nan")
        # Halved last, so that whole weights stay whole.
        return float(
            (gained * (2 * negatives - before - alarms)).sum() / (2 * hits[-1] * negatives)
        )

    def average_precision(self, weights: npt.NDArray[Any] | None = None) -> float:
        """The mean precision over the positives, as scikit-learn defines it; NaN without either."""
        gained, hits, _, alarms, negatives = self._runs(weights)
        if not len(hits) or not hits[-1] or not negatives:
            return float("nan")
        # A run without weight on top of the list has no precision, and gains nothing.
        precision = np.divide(hits, hits + alarms, out=np.zeros(len(hits)), where=hits > 0)
        return float((gained * precision).sum() / hits[-1])

    def _runs(
        self, weights: npt.NDArray[Any] | None
    ) -> tuple[Floats, Floats, Floats, Floats, float]:
        """Weights by run: of its positives, of all positives to its end, of the negatives to its
        start and to its end; and of all negatives.
        """
        if weights is None:
            weights = np.ones(len(self._order))
        if len(weights) != len(self._order):
            raise UsageError(f"{len(weights)} weights are given for {len(self._order)} cases")
        w = weights[self._order]
        admitted = np.append(0.0, np.cumsum(w, dtype=np.float64))
        found = np.append(0.0, np.cumsum(w[self._positives], dtype=np.float64))
        earlier, hits = found[self._first], found[self._last]
        return (
            hits - earlier,
            hits,
            admitted[self._start] - earlier,
            admitted[self._end] - hits,
            float(admitted[-1] - found[-1]),
        )


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
