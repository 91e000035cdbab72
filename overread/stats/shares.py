"""Shares of ECGs with intervals over patients: sensitivity, PPV, what is observed in a bin."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from overread.errors import UsageError
from overread.stats.bootstrap import Integers, logit_interval
from overread.stats.estimate import Floats, ratio
from overread.stats.proportions import clopper_pearson

_FEW: Final = 30  # below this the bootstrap covers too little, Clopper-Pearson does not


class Shares(NamedTuple):
    """Float64 arrays of one shape: shares and their 95 % limits, NaN where no ECG tells."""

    value: Floats
    low: Floats
    high: Floats


def clustered_shares(patterns: Integers, multiplicity: Integers, drawn: Integers) -> Shares:
    """Each share (K,) of ECGs that are hits among hits and others.

    ``patterns`` (M, K, 2) holds the hits and the others of patients, ``multiplicity`` (M,) how many
    patients have these (``cluster_cells``), ``drawn`` (replicates, K, 2) the sums of resamples
    (``resampled_cells``). The limits are those of `logit_interval`. Where fewer than 30 ECGs tell,
    or all are hits or none is, they are Clopper and Pearson's for the number of patients: of
    several ECGs of one patient none tells more than the first.

    >>> patterns, multiplicity = np.array([[[1, 0]], [[0, 1]]]), np.array([3, 7])
    >>> shares = clustered_shares(patterns, multiplicity, np.array([[[3, 7]], [[4, 6]]]))
    >>> [round(float(part[0]), 3) for part in shares]
    [0.3, 0.067, 0.652]
    """
    if patterns.shape[1:] != drawn.shape[1:] or patterns.shape[2:] != (2,):
        raise UsageError(f"patterns {patterns.shape} and resamples {drawn.shape} do not match")
    totals = np.tensordot(multiplicity, patterns, 1)
    hits, n = totals[:, 0], totals.sum(1)
    value = ratio(hits, n)
    limits = logit_interval(ratio(drawn[..., 0], drawn.sum(-1)), value)
    low, high = limits.low.copy(), limits.high.copy()
    patients = multiplicity @ patterns.any(2)
    for at in np.flatnonzero((n > 0) & ((n < _FEW) | (hits == 0) | (hits == n))):
        exact = clopper_pearson(value[at] * patients[at], patients[at])
        assert exact is not None  # n > 0
        low[at], high[at] = exact
    return Shares(value, low, high)
