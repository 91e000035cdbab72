"""Precision and sensitivity on a whole corpus from an audited sample of it.

What is known of every unit of the corpus, our answer, need not be estimated: of the units we call
positive the share that is right is estimated, of the others the share that was missed, and both
are applied to their known totals (Begg CB, Greenes RA. Biometrics 1983;39:207-215). Units that were
certain to be drawn are known once they are read and add no uncertainty. For the rest, rows count by
size and the inverse of their chance (Horvitz-Thompson, as a ratio), and the interval is Wilson's on
their effective number (`overread.stats.proportions.effective_n`).

The intervals speak of this corpus and this reader, not of the next hospital.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from overread.stats.proportions import Limits, effective_n, share_limits, wilson

Mask = npt.NDArray[np.bool_]

#: What a reader may have said, besides 1 and 0.
UNSURE: Final = -1
NOT_READ: Final = -2


@dataclass(frozen=True, slots=True)
class Sample:
    """The units drawn: how likely each was, how many reports hold it, whether it was read."""

    chance: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    read: Mask


@dataclass(frozen=True, slots=True)
class Score:
    """One label: estimates (None: no case to estimate from) and the rows behind them.

    Rows are those of the sheet. ``claimed``: we say 1; ``right``: and so does the reader.
    ``true``: the reader says 1; of these ``right`` are found. ``unsure``: the reader cannot tell;
    such rows count nowhere else.
    """

    precision: Limits | None
    sensitivity: Limits | None
    claimed: int
    right: int
    true: int
    unsure: int


def score(
    ours: npt.NDArray[np.int8],
    reader: npt.NDArray[np.int8],
    sample: Sample,
    *,
    positives: float,
    negatives: float,
    level: float = 0.95,
) -> Score:
    """The score of one label.

    ``ours`` holds 1, 0 or -1 (missing by policy) for each unit drawn, ``reader`` 1, 0, ``UNSURE``
    or ``NOT_READ``; ``positives`` and ``negatives`` are how often the whole corpus holds units that
    we call 1 and 0. With every unit drawn and read the result is exact:

    >>> everything = Sample(np.ones(4), np.array([5.0, 3, 1, 1]), np.ones(4, bool))
    >>> found = score(np.array([1, 1, 0, 0], np.int8), np.array([1, 0, 1, 0], np.int8), everything,
    ...               positives=8, negatives=2)
    >>> found.precision.value, round(found.sensitivity.low, 4)
    (0.625, 0.8333)
    """
    judged = sample.read & (reader >= 0) & (ours >= 0)
    hits = judged & (reader == 1)
    found = _hits(positives, sample, ours == 1, judged, hits, level)
    missed = _hits(negatives, sample, ours == 0, judged, hits, level)
    precision = sensitivity = None
    if found and found[1]:
        precision = Limits(*(part / found[1] for part in found[0]))
    if found and missed and hits.any():
        sensitivity = share_limits(found[0], missed[0])
    return Score(
        precision,
        sensitivity,
        claimed=int((judged & (ours == 1)).sum()),
        right=int((hits & (ours == 1)).sum()),
        true=int(hits.sum()),
        unsure=int((sample.read & (reader == UNSURE) & (ours >= 0)).sum()),
    )


def _hits(
    total: float, sample: Sample, domain: Mask, judged: Mask, hits: Mask, level: float
) -> tuple[Limits, float] | None:
    """Hits among the reports of a domain, and how many of these can be judged.

    None where the domain holds reports and no row of it was judged.
    """
    if not total:
        return Limits(0.0, 0.0, 0.0), 0.0
    if not (domain & judged).any():
        return None
    size, weight = sample.size, sample.size / sample.chance
    certain, sampled = domain & (sample.chance >= 1), domain & (sample.chance < 1)
    known = certain & sample.read
    known_hits = float(size[known & hits].sum())
    # What was certain and yet left empty stands for itself alone; its like were read.
    unread = certain & ~sample.read
    itself = effective_n(size[unread], np.zeros(int(unread.sum()), bool))
    parts = [Limits(known_hits, known_hits, known_hits)]
    can_be_judged = float(size[known & judged].sum())
    for mass, like, other, guessed in (
        (total - float(size[certain].sum()), sampled, known, np.inf),
        (float(size[unread].sum()), known, sampled, itself),
    ):
        borrowed = not (like & judged).any()
        rows = (other if borrowed else like) & sample.read
        told = rows & judged
        if not mass or not told.any():
            continue
        mass *= float(weight[told].sum()) / float(weight[rows].sum())
        share = float(weight[told & hits].sum()) / float(weight[told].sum())
        # A guess about few units varies by their number too. Among equal ones this is the finite
        # population correction; where one of them holds half of the mass, it says so.
        number = 1 / (1 / effective_n(weight[told], hits[told]) + 1 / guessed)
        low, high = (not borrowed and wilson(share * number, number, level)) or (0.0, 1.0)
        # Few units are all right or all wrong more often than a smooth curve has it.
        step = 0.5 / guessed
        low, high = max(0.0, low - step), min(1.0, high + step)
        parts.append(Limits(mass * share, mass * low, mass * high))
        can_be_judged += mass
    # Limits add without the saving that independent errors would allow: guesses about few units are
    # no smooth errors.
    return Limits(*(sum(column) for column in zip(*parts, strict=True))), can_be_judged
