"""ROC and precision-recall curves with bands over patients, per label and as the mean of labels.

Curves are read at fixed places, so that those of labels, models and resamples can be averaged and
compared (vertical averaging: Fawcett T. Pattern Recognit Lett 2006;27:861-874, section 8). Runs of
equal scores are one step. The area under each is the AUROC, or the average precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.bootstrap import logit_interval, percentile_interval, resampled
from overread.stats.estimate import Floats
from overread.stats.ranking import Ranking

#: False positive rates, denser near 0, where curves are steep.
RATES = np.linspace(0, 1, 101) ** 2
RECALLS = np.linspace(0, 1, 101)


class Band(NamedTuple):
    """A curve at fixed places, with pointwise limits: float64 (..., places), NaN where unknown."""

    value: Floats
    low: Floats
    high: Floats


class Curves(NamedTuple):
    """``each`` (labels, places) and their mean ``macro`` (places,)."""

    each: Band
    macro: Band


def sensitivity_at(
    ranking: Ranking, rates: npt.ArrayLike, weights: npt.NDArray[Any] | None = None
) -> Floats:
    """The ROC curve: the sensitivity at false positive rates, between thresholds on a line.

    Where a threshold gives the very rate, it is the highest sensitivity with it. NaN without
    positives or negatives. ``weights`` are those of `Ranking`.

    >>> sensitivity_at(Ranking([0, 0, 1, 1], [1, 2, 2, 3]), [0, 0.25, 0.5, 1]).tolist()
    [0.5, 0.75, 1.0, 1.0]
    """
    at = np.asarray(rates, np.float64)
    runs = ranking.runs(weights)
    if runs is None:
        return np.full(at.shape, np.nan)
    gained, hits, above, admitted, negatives = runs
    # The corners of the curve: the start of each run with positives and its end.
    x = np.append(0.0, np.stack([above, admitted], 1).ravel())
    y = np.append(0.0, np.stack([hits - gained, hits], 1).ravel())
    target = _whole(at * negatives)
    last = np.searchsorted(x, target, side="right") - 1
    following = np.minimum(last + 1, len(x) - 1)
    run = x[following] - x[last]
    share = np.divide(target - x[last], run, out=np.zeros(at.shape), where=run > 0)
    found = y[last] + share * (y[following] - y[last])
    return np.asarray(np.minimum(found / hits[-1], 1.0), np.float64)


def precision_at(
    ranking: Ranking, recalls: npt.ArrayLike, weights: npt.NDArray[Any] | None = None
) -> Floats:
    """The precision-recall curve: the precision of the highest threshold with at least this recall.

    There is no line between thresholds: it would promise what none of them gives (Davis J,
    Goadrich M. ICML 2006). NaN without positives or negatives.

    >>> ranking = Ranking([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> precision_at(ranking, [0.2, 0.5, 0.6]).round(3).tolist()
    [1.0, 1.0, 0.667]
    """
    at = np.asarray(recalls, np.float64)
    runs = ranking.runs(weights)
    if runs is None:
        return np.full(at.shape, np.nan)
    drawn = runs.hits > 0  # a run on top that no resampled case is in has no precision
    hits, admitted = runs.hits[drawn], runs.admitted[drawn]
    reached = np.searchsorted(hits, _whole(at * hits[-1]), side="left")
    return np.asarray((hits / (hits + admitted))[reached], np.float64)


def curves(
    truth: npt.NDArray[np.int8],
    scores: npt.NDArray[Any],
    patient: npt.NDArray[np.int64],
    *,
    averaged: npt.NDArray[np.bool_] | None = None,
    replicates: int = 200,
    seed: int = 0,
    workers: int = 1,
) -> tuple[Curves, Curves]:
    """The ROC curves at `RATES` and the precision-recall curves at `RECALLS`, with 95 % bands.

    ``truth`` (ECGs, labels) holds 1, 0 and -1 for unknown, ``scores`` (ECGs, labels) finite values,
    ``patient`` (ECGs,) codes from 0. ``averaged`` (labels,) says which labels the mean is over,
    None all. A label without positives or negatives is NaN and leaves the mean. The bands come from
    resamples of patients. Sensitivities have `logit_interval`, and where they are 1 the lower limit
    before. Precisions are near 1 on the left, where that fails, and have percentiles; below a
    recall of about .1 both cover less than they say.

    >>> truth = np.array([[0, 1, 1, 0, 1, 0]], np.int8).T
    >>> roc, pr = curves(truth, np.array([[1.0, 3, 4, 2, 2, 1]]).T, np.arange(6), replicates=20)
    >>> round(float(roc.macro.value[0]), 3), float(pr.macro.value[100])
    (0.667, 0.75)
    """
    if truth.shape != scores.shape or len(patient) != len(truth) or truth.ndim != 2:
        raise UsageError(
            f"truth has shape {truth.shape}, scores {scores.shape}; {len(patient)} patients"
        )
    patients, code = np.unique(patient, return_inverse=True)
    known = truth >= 0
    rankings = [
        Ranking(truth[rows, at] == 1, scores[rows, at], code[rows])
        for at, rows in enumerate(known.T)
    ]

    def read(counts: npt.NDArray[Any] | None) -> Floats:
        """Both curves of each label (2, labels, places), in a resample or in all patients."""
        return np.array(
            [
                [sensitivity_at(ranking, RATES, counts) for ranking in rankings],
                [precision_at(ranking, RECALLS, counts) for ranking in rankings],
            ]
        )

    samples = resampled(read, len(patients), replicates=replicates, seed=seed, workers=workers)
    values = read(None)
    mean_of = ~np.isnan(values[0]).any(1)
    if averaged is not None:
        mean_of &= averaged
    return (
        _with_macro(values[0], samples[:, 0], mean_of, _sensitivities),
        _with_macro(values[1], samples[:, 1], mean_of, _precisions),
    )


def _whole(cases: Floats) -> Floats:
    """Numbers of cases without what rounding has left: .57 of 100 are 57."""
    whole = np.rint(cases)
    return np.where(np.abs(cases - whole) < 1e-9, whole, cases)


def _with_macro(
    values: Floats,
    samples: Floats,
    mean_of: npt.NDArray[np.bool_],
    band: Callable[[Floats, Floats], Band],
) -> Curves:
    """Bands for curves (labels, places) from those of resamples (replicates, labels, places)."""
    each = band(values, samples)
    if not mean_of.any():
        return Curves(each, Band(*np.full((3, values.shape[1]), np.nan)))
    # A resample that has lost a label's positives is left out: the mean is of the same labels.
    return Curves(each, band(values[mean_of].mean(0), samples[:, mean_of].mean(1)))


def _sensitivities(value: Floats, samples: Floats) -> Band:
    low, high, _ = logit_interval(samples, value)
    # A curve that never falls has a lower limit wherever it has one further left.
    return Band(value, np.fmax.accumulate(low, axis=-1), np.where(value == 1, 1.0, high))


def _precisions(value: Floats, samples: Floats) -> Band:
    low, high, _ = percentile_interval(samples)
    varies = low < high
    return Band(value, np.where(varies, low, np.nan), np.where(varies, high, np.nan))
