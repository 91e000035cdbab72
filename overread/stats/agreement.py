"""Agreement of two readings: a machine and an expert on one label, or two on k categories.

The functions on one label take its four counts as arrays of any shapes that broadcast: ``both``
(asserted by both readings), ``machine_only``, ``expert_only`` and ``neither``. Thus 1,000 resamples
of 13 labels are one call on arrays (1000, 13). They return float64, NaN where nothing can be
estimated (0 of 0; kappa where both readings have one and the same category), and never warn.
The functions on a square ``table`` (..., k, k) add large-sample standard errors.

Kappa: Cohen J. Educ Psychol Meas 1960;20:37-46. PABAK: Byrt T, Bishop J, Carlin JB. J Clin
Epidemiol 1993;46:423-429. AC1: Gwet KL. Br J Math Stat Psychol 2008;61:29-48. Pi: Scott WA. Public
Opin Q 1955;19:321-325. Positive and negative agreement: Cicchetti DV, Feinstein AR. J Clin
Epidemiol 1990;43:551-558.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.estimate import Estimate, Floats, normal_estimate, ratio

Counts = npt.ArrayLike
Array = npt.NDArray[Any]


def cohen_kappa(both: Counts, machine_only: Counts, expert_only: Counts, neither: Counts) -> Floats:
    """Cohen's kappa: agreement beyond what the two readings' own shares would give by chance.

    ``neither`` must be known: kappa of the same three other counts changes with it.

    >>> cohen_kappa([20, 45, 0], [5, 15, 0], [10, 25, 0], [15, 15, 100]).round(5).tolist()
    [0.4, 0.13043, nan]
    """
    a, b, c, d = _known(both, machine_only, expert_only, neither)
    return ratio(2 * (a * d - b * c), (a + b) * (b + d) + (a + c) * (c + d))


def pabak(both: Counts, machine_only: Counts, expert_only: Counts, neither: Counts) -> Floats:
    """Prevalence- and bias-adjusted kappa: twice the observed agreement less 1.

    >>> float(pabak(118, 5, 2, 0))
    0.888
    """
    a, b, c, d = _known(both, machine_only, expert_only, neither)
    return ratio(a + d - b - c, a + b + c + d)


def gwet_ac1(both: Counts, machine_only: Counts, expert_only: Counts, neither: Counts) -> Floats:
    """Gwet's AC1, which stays near the observed agreement where a label is very rare or common.

    >>> round(float(gwet_ac1(118, 5, 2, 0)), 5)
    0.94078
    """
    a, b, c, d = _known(both, machine_only, expert_only, neither)
    n = a + b + c + d
    share = ratio(2 * a + b + c, 2 * n)
    chance = 2 * share * (1 - share)
    return ratio(ratio(a + d, n) - chance, 1 - chance)


def positive_agreement(both: Counts, machine_only: Counts, expert_only: Counts) -> Floats:
    """Of the readings that assert the label, the share whose partner does too (Dice, F1).

    >>> positive_agreement([8, 0], [1, 0], [3, 0]).tolist()
    [0.8, nan]
    """
    a, b, c = _known(both, machine_only, expert_only)
    return ratio(2 * a, 2 * a + b + c)


def negative_agreement(machine_only: Counts, expert_only: Counts, neither: Counts) -> Floats:
    """Of the readings that do not assert the label, the share whose partner does not either.

    >>> float(negative_agreement(1, 3, 8))
    0.8
    """
    b, c, d = _known(machine_only, expert_only, neither)
    return ratio(2 * d, 2 * d + b + c)


def sensitivity(both: Counts, expert_only: Counts) -> Floats:
    """Of the ECGs in which the expert sees the label, the share in which the machine does.

    >>> sensitivity([3, 0], [1, 0]).tolist()
    [0.75, nan]
    """
    a, c = _known(both, expert_only)
    return ratio(a, a + c)


def ppv(both: Counts, machine_only: Counts) -> Floats:
    """Of the ECGs in which the machine sees the label, the share in which the expert does.

    >>> ppv([3, 0], [1, 0]).tolist()
    [0.75, nan]
    """
    a, b = _known(both, machine_only)
    return ratio(a, a + b)


def prevalence_difference(
    both: Counts, machine_only: Counts, expert_only: Counts, neither: Counts
) -> Floats:
    """The expert's share of ECGs with the label less the machine's: above 0 where more is added.

    >>> float(prevalence_difference(5, 1, 3, 11))
    0.1
    """
    a, b, c, d = _known(both, machine_only, expert_only, neither)
    return ratio(c - b, a + b + c + d)


def observed_agreement(table: npt.ArrayLike) -> Floats:
    """The share on the diagonal of a square table of counts (..., k, k).

    >>> round(float(observed_agreement([[13, 0, 0], [0, 20, 7], [0, 4, 56]])), 2)
    0.89
    """
    return _trace(_shares(table)[0])


def kappa_estimate(table: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Cohen's kappa of a square table (..., k, k), its standard error and normal limits.

    The error is for one ECG per patient: Fleiss JL, Cohen J, Everitt BS. Psychol Bull
    1969;72:323-327. Where patients have several ECGs, use the bootstrap over patients.

    >>> value, se, low, high = kappa_estimate([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    >>> f"{value:.4f} {se:.4f} {low:.4f} {high:.4f}"
    '0.7964 0.0589 0.6809 0.9119'
    """
    shares, n = _shares(table)
    rows, columns = shares.sum(-1), shares.sum(-2)
    slope = columns[..., :, None] + rows[..., None, :]
    return _beyond_chance(shares, n, (rows * columns).sum(-1), slope, level)


def scott_pi_estimate(table: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Scott's pi of a square table (..., k, k): both readings share one distribution of categories.

    >>> round(float(scott_pi_estimate([[13, 0, 0], [0, 20, 7], [0, 4, 56]]).value), 7)
    0.7962397
    """
    shares, n = _shares(table)
    mean = _mean_shares(shares)
    slope = mean[..., :, None] + mean[..., None, :]
    return _beyond_chance(shares, n, (mean**2).sum(-1), slope, level)


def ac1_estimate(table: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Gwet's AC1 of a square table (..., k, k), its standard error (Gwet 2008) and normal limits.

    >>> round(float(ac1_estimate([[13, 0, 0], [0, 20, 7], [0, 4, 56]]).value), 5)
    0.84933
    """
    shares, n = _shares(table)
    mean = _mean_shares(shares)
    others = mean.shape[-1] - 1
    slope = -(mean[..., :, None] + mean[..., None, :]) / others
    return _beyond_chance(shares, n, (mean * (1 - mean)).sum(-1) / others, slope, level)


def _beyond_chance(
    shares: Floats, n: Floats, chance: Floats, slope: Floats, level: float
) -> Estimate:
    """(observed - chance) / (1 - chance), with its error by the delta method.

    ``slope`` is the derivative of ``chance`` by each cell's share; a constant added to it changes
    nothing, because what counts is the variance over the cells.
    """
    value = ratio(_trace(shares) - chance, 1 - chance)
    effect = np.eye(shares.shape[-1]) - (1 - value)[..., None, None] * slope
    mean = (shares * effect).sum((-2, -1), keepdims=True)
    spread = (shares * (effect - mean) ** 2).sum((-2, -1))
    se = ratio(np.sqrt(spread), np.sqrt(n) * (1 - chance))
    return normal_estimate(value, se, level=level, lowest=-1.0, highest=1.0)


def _shares(table: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The cells as shares of each table's total (NaN for an empty table), and the totals."""
    (counts,) = _known(table)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or counts.shape[-1] < 2:
        raise UsageError(
            f"a table of agreement has shape (..., k, k) with k of at least 2, not {counts.shape}"
        )
    n = counts.sum((-2, -1))
    return ratio(counts, n[..., None, None]), n


def _mean_shares(shares: Floats) -> Floats:
    return np.asarray((shares.sum(-1) + shares.sum(-2)) / 2, np.float64)


def _trace(shares: Floats) -> Floats:
    return np.asarray(np.trace(shares, axis1=-2, axis2=-1), np.float64)


def _known(*counts: npt.ArrayLike | None) -> list[Floats]:
    """The counts as float64, in which whole numbers below 2^53 are exact; refuses unknown ones."""
    arrays = [np.asarray(np.nan if count is None else count, np.float64) for count in counts]
    if not all((array >= 0).all() for array in arrays):
        raise UsageError(
            "a count is missing or below 0, so that agreement cannot be computed. Next step: count"
            " all ECGs with both readings, those that neither reading gives the label included"
        )
    return arrays
