"""Decisions: a threshold that makes them of scores, and how often they are right.

``truth`` (ECGs, labels) holds 1, 0 and -1 for unknown, ``called`` (ECGs, labels) whether the label
was given, ``patient`` (ECGs,) codes from 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.stats.bootstrap import Integers, cluster_cells, resampled_cells
from overread.stats.estimate import Floats, ratio
from overread.stats.shares import Shares, clustered_shares

Booleans = npt.NDArray[np.bool_]

_HIT, _ALARM, _MISSED, _RIGHTLY_NOT = range(4)


class Operating(NamedTuple):
    """Per label: shares (labels,) with 95 % limits over patients.

    ``counts`` (labels, 4) are ECGs: true positive, false positive, false negative, true negative.
    ``f1_drawn`` (replicates, labels) is F1 in the resamples, which all labels share.
    """

    counts: Integers
    sensitivity: Shares
    specificity: Shares
    ppv: Shares
    f1: Shares
    f1_drawn: Floats

    @property
    def shares(self) -> tuple[Shares, Shares, Shares, Shares]:
        """Sensitivity, specificity, PPV and F1."""
        return self.sensitivity, self.specificity, self.ppv, self.f1

    def of(self, labels: slice) -> Operating:
        """The same of some of the labels."""
        found, kept, right, f1 = (
            Shares(*(part[labels] for part in share)) for share in self.shares
        )
        return Operating(self.counts[labels], found, kept, right, f1, self.f1_drawn[:, labels])


def threshold(truth: Booleans, scores: npt.NDArray[np.floating[Any]]) -> float | None:
    """The score from which on a label counts as present, so that F1 is highest.

    ``truth`` (N,), ``scores`` (N,) finite. None without positives or without negatives. Of
    thresholds with the same F1 it is the highest.

    >>> threshold(np.array([True, False, True]), np.array([0.9, 0.5, 0.4], np.float32))
    0.4000000059604645
    """
    if not truth.any() or truth.all():
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    # A threshold admits all ECGs of the same score: only the last of them is one.
    ends = np.append(np.diff(scores[order]) != 0, True)
    return float(scores[order][np.argmax(np.where(ends, f1, -1))])


def operating(
    truth: npt.NDArray[np.int8],
    called: Booleans,
    patient: npt.NDArray[np.int64],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Operating:
    """Sensitivity, specificity, PPV and F1 of decisions; see `clustered_shares`.

    The limits take the decisions as given: those of a threshold do not tell how sure the threshold
    is. F1 is 2J / (1 + J) of J, the hits among all ECGs where truth or decision has the label, and
    has the limits of J.

    >>> found = operating(np.array([[1], [1], [0], [-1]], np.int8), np.array([[1], [0], [0], [1]],
    ...     np.bool_), np.arange(4), replicates=50)
    >>> found.counts.tolist(), found.sensitivity.value.tolist(), found.ppv.value.tolist()
    ([[1, 0, 1, 1]], [0.5], [1.0])
    """
    if truth.shape != called.shape or truth.ndim != 2 or len(patient) != len(truth):
        raise UsageError(
            f"truth has shape {truth.shape}, decisions {called.shape}; {len(patient)} patients"
        )
    kinds = (truth == 1) & called, (truth == 0) & called, (truth == 1) & ~called
    cells = np.stack([*kinds, (truth == 0) & ~called], 2).astype(np.uint8)
    patterns, multiplicity = cluster_cells(cells.reshape(len(cells), -1), patient)
    drawn = resampled_cells(patterns, multiplicity, replicates=replicates, seed=seed)
    patterns, drawn = (some.reshape(len(some), -1, 4) for some in (patterns, drawn))

    def share(hit: int, *others: int) -> Shares:
        two = [
            np.stack([some[..., hit], some[..., others].sum(-1)], -1) for some in (patterns, drawn)
        ]
        return clustered_shares(two[0], multiplicity, two[1])

    overlap = share(_HIT, _ALARM, _MISSED)
    twice = 2 * drawn[..., _HIT]
    return Operating(
        np.tensordot(multiplicity, patterns, 1),
        sensitivity=share(_HIT, _MISSED),
        specificity=share(_RIGHTLY_NOT, _ALARM),
        ppv=share(_HIT, _ALARM),
        f1=Shares(*(2 * part / (1 + part) for part in overlap)),
        f1_drawn=ratio(twice, twice + drawn[..., _ALARM] + drawn[..., _MISSED]),
    )
