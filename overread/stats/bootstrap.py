"""The bootstrap over patients: whole patients are drawn with replacement, with all their ECGs.

ECGs of one patient are alike, so that intervals which take them as independent are too narrow
(Davison AC, Hinkley DV. Bootstrap Methods and their Application. Cambridge 1997, section 3.8).
Where each patient has one ECG this is the ordinary bootstrap.

A statistic of counts needs no ECG twice: the counts are summed per patient and patients with the
same sums merged (``cluster_cells``), so that a resample is one draw of how often each pattern comes
up. Every replicate has its own seed, and sums of whole numbers are exact: the same seed gives the
same bytes, however many workers share the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.interrupt import uninterrupted
from overread.stats.estimate import Floats, check_level, ratio, two_sided_z

Integers = npt.NDArray[np.int64]

#: Of the replicates so many must be estimable; fewer tell of luck, not of uncertainty.
ENOUGH = 0.9

# Patterns of more patients than this are drawn as binomial counts, patients of the others one by
# one: a binomial draw costs about as much as this many patients.
_COMMON = 8
_PIECE = 20  # resamples that a worker draws at a time


def cluster_cells(
    cells: npt.NDArray[Any], clusters: npt.NDArray[Any] | None = None
) -> tuple[Integers, Integers]:
    """The sums of counts per patient, and how many patients have each.

    ``cells`` (ECGs, K) holds counts, usually 0 and 1: four columns per label, all 0 where a label
    is missing. ``clusters`` (ECGs,) holds each ECG's patient as an integer from 0, in any
    order; None takes each ECG as a patient of its own. Returns the distinct sums (M, K) and the
    number of patients with each (M,), which add up to the number of patients.

    >>> cells = np.array([[1, 0], [0, 1], [1, 1]])
    >>> patterns, multiplicity = cluster_cells(cells, np.array([7, 7, 2]))
    >>> patterns.tolist(), multiplicity.tolist()
    ([[1, 1]], [2])
    """
    if cells.ndim != 2 or cells.dtype.kind not in "bui" or (cells.size and cells.min() < 0):
        raise UsageError(
            "cells hold whole counts from 0 up, one row per ECG and one column per count"
        )
    sums = cells if clusters is None else _summed(cells, clusters)
    if not sums.size:
        return np.zeros((0, cells.shape[1]), np.int64), np.zeros(0, np.int64)
    narrow = np.ascontiguousarray(sums, np.min_scalar_type(int(sums.max())))
    # Rows as opaque bytes: equal bytes are equal rows, and sorting them is fast.
    rows = narrow.view(np.dtype((np.void, narrow.itemsize * narrow.shape[1]))).ravel()
    distinct, multiplicity = np.unique(rows, return_counts=True)
    patterns = distinct.view(narrow.dtype).reshape(-1, narrow.shape[1]).astype(np.int64)
    return patterns, multiplicity.astype(np.int64)


def resampled_cells(
    patterns: Integers,
    multiplicity: Integers,
    *,
    replicates: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> Integers:
    """The total counts (replicates, K) of resamples of patients, from ``cluster_cells``.

    >>> patterns, multiplicity = np.array([[1, 0], [0, 1]]), np.array([30, 10])
    >>> resampled_cells(patterns, multiplicity, replicates=3).sum(1).tolist()
    [40, 40, 40]
    """
    from scipy.sparse import csr_array

    if not multiplicity.sum():
        raise UsageError("there is no patient to resample")
    # Most cells of a pattern are 0. A dense product is left to BLAS, whose threads fight with ours.
    sums = csr_array(patterns.T)
    return _each(lambda drawn: np.asarray(sums @ drawn, np.int64), multiplicity,
                 replicates, seed, workers)  # fmt: skip


def resampled(
    statistics: Callable[[Integers], npt.NDArray[Any]],
    clusters: int,
    *,
    replicates: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> npt.NDArray[Any]:
    """Statistics (replicates, ...) of resamples of so many patients.

    ``statistics`` is given how often each patient is in a resample, int64 (clusters,): where it
    computes all labels, metrics and models from these counts, they share them, and differences
    between models have intervals too. It is called in several threads.

    >>> resampled(lambda counts: np.array([counts.sum(), 1]), 6, replicates=2).tolist()
    [[6, 1], [6, 1]]
    """
    if clusters < 1:
        raise UsageError("there is no patient to resample")
    return _each(statistics, np.ones(clusters, np.int64), replicates, seed, workers)


def resampling_counts(
    clusters: int, *, replicates: int = 1000, seed: int = 0
) -> Iterator[npt.NDArray[np.uint16]]:
    """How often each of so many patients is in each resample: weights that all metrics can share.

    >>> [int(counts.sum()) for counts in resampling_counts(6, replicates=2)]
    [6, 6]
    """
    if clusters < 1:
        raise UsageError("there is no patient to resample")
    draw = _sampler(np.ones(clusters, np.int64))
    for each in np.random.SeedSequence(seed).spawn(replicates):
        yield draw(each).astype(np.uint16)


class Resampled(NamedTuple):
    """Limits, and for how many replicates the statistic could be computed.

    The limits are NaN where that is fewer than 90 % of them.
    """

    low: Floats
    high: Floats
    estimable: Integers


def logit_interval(
    samples: npt.ArrayLike,
    value: npt.ArrayLike,
    *,
    lowest: float = 0.0,
    highest: float = 1.0,
    level: float = 0.95,
    patients: npt.ArrayLike | None = None,
) -> Resampled:
    """The interval of a statistic that lies between two ends: for sensitivity, PPV, kappa and such.

    ``value`` (...) is the statistic of all patients, ``samples`` (replicates, ...) those of the
    resamples, of which only the standard deviation is used: the normal interval on the logit scale
    (Newcombe RG. Am Stat 2001;55:200-202) and back. Near an end it covers better than the
    percentile interval (``benchmarks/interval_coverage.py``). For kappa and differences ``lowest``
    is -1. The limits are NaN at an end itself, and where all resamples are the same: they tell
    nothing then, whereas ``clopper_pearson`` of the number of patients does for a proportion.

    ``patients`` (...) says how many patients the statistic rests on (``effective_patients``): few
    vary less in resamples than patients do, so that the interval is widened as Student's t is
    (Hesterberg TC. Am Stat 2015;69:371-386), and there is none from fewer than two.

    >>> low, high, estimable = logit_interval([0.7, 0.8, 0.9], 0.8)
    >>> f"{low:.3f} {high:.3f}"
    '0.540 0.932'
    """
    drawn = np.asarray(samples, np.float64)
    estimable, enough = _estimable(drawn)
    known = np.where(np.isnan(drawn), 0.0, drawn)
    mean = ratio(known.sum(0), estimable)
    squares = np.where(np.isnan(drawn), 0.0, drawn - mean) ** 2
    sd = np.sqrt(ratio(squares.sum(0), np.maximum(estimable - 1, 0)))
    share = (np.asarray(value, np.float64) - lowest) / (highest - lowest)
    varies = sd > 1e-12 * (highest - lowest)  # rounding alone gives less
    inside = enough & varies & (share > 0) & (share < 1)
    odds = ratio(share, np.where(inside, 1 - share, 0))
    # The slope of the logit at a share p is 1 / (p (1 - p)).
    width = two_sided_z(level) if patients is None else _few(level, patients)
    half = width * sd / (highest - lowest) * (1 + odds) ** 2 / odds
    factor = np.exp(np.minimum(half, 300))  # beyond this the limits are the ends, without overflow

    def back(odds: Floats) -> Floats:
        return lowest + (highest - lowest) * odds / (1 + odds)

    return Resampled(back(odds / factor), back(odds * factor), estimable)


def effective_patients(influence: Floats) -> Floats:
    """How many alike patients would give a standard error as sure as that of these patients.

    ``influence`` (patients, ...) says how much each patient moves a statistic
    (`Ranking.influence`): the squares d^2 add up to its variance. For normal d Satterthwaite's
    degrees of freedom of that sum are about 3 (sum d^2)^2 / (sum d^4) - 2 (Johnson EG, Rust KF.
    J Educ Stat 1992;17:175-190; von Davier M. arXiv:2409.14606, 2024). Patients who move the
    statistic little hardly count, and one who moves it far more than the others leaves few. At
    least 2, the fewest with a spread; 0 where nobody moves the statistic.

    >>> moved = np.array([-1.2, -0.7, -0.4, -0.1, 0.1, 0.4, 0.7, 1.2])
    >>> [float(effective_patients(each).round(1)) for each in (moved, np.append(moved, 3.0))]
    [9.3, 4.1]
    """
    square = influence**2
    patients = 3 * ratio(square.sum(0) ** 2, (square**2).sum(0)) - 2
    return np.where(np.isnan(patients), 0.0, np.maximum(patients, 2.0))


def percentile_interval(samples: npt.ArrayLike, *, level: float = 0.95) -> Resampled:
    """The percentile interval of replicates (replicates, ...): for statistics without ends.

    >>> low, high, estimable = percentile_interval(np.arange(41.0))
    >>> round(float(low), 6), round(float(high), 6), int(estimable)
    (1.0, 39.0, 41)
    """
    check_level(level)
    ordered = np.sort(np.asarray(samples, np.float64), axis=0)  # NaN comes last
    estimable, enough = _estimable(ordered)
    last = np.maximum(estimable - 1, 0)

    def quantile(share: float) -> Floats:
        lower = np.floor(last * share).astype(np.int64)
        upper = np.minimum(lower + 1, last)
        below, above = (np.take_along_axis(ordered, at[None], 0)[0] for at in (lower, upper))
        return np.where(enough, below + (last * share - lower) * (above - below), np.nan)

    return Resampled(quantile((1 - level) / 2), quantile((1 + level) / 2), estimable)


def _few(level: float, patients: npt.ArrayLike) -> Floats:
    """How many standard deviations of resamples to each side; NaN from fewer than two patients."""
    from scipy.special import stdtrit

    check_level(level)
    freedom = np.asarray(patients, np.float64) - 1
    freedom = np.where(freedom >= 1, freedom, np.nan)
    return np.asarray(stdtrit(freedom, (1 + level) / 2) * np.sqrt(1 + 1 / freedom), np.float64)


def _each(
    statistics: Callable[[Integers], npt.NDArray[Any]],
    multiplicity: Integers,
    replicates: int,
    seed: int,
    workers: int,
) -> npt.NDArray[Any]:
    """The statistics of every resample, in order, whoever computed them."""
    draw = _sampler(multiplicity)

    def some(seeds: Sequence[np.random.SeedSequence]) -> list[npt.NDArray[Any]]:
        return [statistics(draw(each)) for each in seeds]

    seeds = np.random.SeedSequence(seed).spawn(replicates)
    pieces = [seeds[start : start + _PIECE] for start in range(0, replicates, _PIECE)]
    with ThreadPoolExecutor(workers) as pool:
        with uninterrupted():  # Ctrl-C while work is handed in can leave the pool's lock held
            waiting = pool.map(some, pieces)
        return np.array([row for rows in waiting for row in rows])


def _estimable(samples: Floats) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """How many replicates are not NaN, and whether that is enough."""
    if not len(samples):
        raise UsageError("there are no replicates")
    count = np.asarray(np.count_nonzero(~np.isnan(samples), axis=0), np.int64)
    return count, count >= max(1.0, ENOUGH * len(samples))


def _summed(cells: npt.NDArray[Any], clusters: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sums of the rows of each cluster that has any."""
    from scipy.sparse import csr_array

    if len(clusters) != len(cells):
        raise UsageError(f"{len(clusters)} patients are given for {len(cells)} ECGs")
    if len(clusters) and clusters.min() < 0:
        raise UsageError(
            "a patient's code is below 0. Next step: give ECGs without patient a code of their own"
        )
    names, code = np.unique(clusters, return_inverse=True)
    member = csr_array(
        (np.ones(len(code), np.int32), (code, np.arange(len(code)))), (len(names), len(code))
    )
    return np.asarray(member @ cells)


def _sampler(multiplicity: Integers) -> Callable[[np.random.SeedSequence], Integers]:
    """A function that draws as many patients as there are, and counts how often each pattern came.

    The counts are multinomial. Patterns of many patients are drawn at one stroke, and what is left
    to the patterns of few is drawn patient by patient.
    """
    rare = np.flatnonzero(multiplicity <= _COMMON)
    common = np.flatnonzero(multiplicity > _COMMON)
    owner = np.repeat(rare, multiplicity[rare])
    total = int(multiplicity.sum())
    chances = np.append(multiplicity[common], len(owner)) / total

    def draw(seed: np.random.SeedSequence) -> Integers:
        random = np.random.default_rng(seed)
        drawn = random.multinomial(total, chances)
        patients = random.integers(0, max(1, len(owner)), drawn[-1])
        counts = np.bincount(owner[patients], minlength=len(multiplicity))
        counts[common] = drawn[:-1]
        return counts

    return draw
