"""AUROC and AUPRC of every run, label and group from one bootstrap over patients.

All figures are computed from the same resamples, so that differences between runs have intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from overread.evaluate.scores import Evaluated, Integers
from overread.stats.bootstrap import ENOUGH, effective_patients, logit_interval, resampled
from overread.stats.estimate import Floats, ratio
from overread.stats.proportions import clopper_pearson
from overread.stats.ranking import Ranking

#: The order of the last axis of every array here.
METRICS: Final = ("auroc", "auprc")
#: Of fewer patients with a label, or without it, the place of each one would move a macro mean.
LEAST: Final = 3
#: Where one patient moves a figure far more than all others, Student's t of one or two degrees of
#: freedom would leave nothing out; in simulations limits from five patients hold as often.
_FEWEST: Final = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values of all patients with their 95 % limits; NaN where there is none."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Measures:
    """What runs are worth: ``values`` (rows, labels + 1, 2) and ``samples`` (replicates, ...).

    A row is a run against a reader's labels, among all ECGs or those of a group; ``row`` finds it.
    The last label is the macro mean over the labels that can be estimated in that row. ``ecgs`` and
    ``positives`` (rows, labels) count the ECGs whose label is known, and those that have it,
    ``patients`` (rows, labels) the patients who have it or who lack it, whichever are fewer;
    ``rankings`` are those of each row by label.
    """

    evaluated: Evaluated
    rows: dict[tuple[str, int, tuple[int, int] | None], int]
    values: Floats
    samples: Floats
    ecgs: Integers
    positives: Integers
    patients: Integers
    rankings: list[list[Ranking]]
    replicates: int
    _known: dict[int, Bounds] = field(default_factory=dict, repr=False)

    def row(
        self, model: int, reader: str | None = None, group: tuple[int, int] | None = None
    ) -> int:
        """The row of a run by its number; ``group``: numbers of the column and of the group in it.

        Groups are measured against the main reader alone.
        """
        return self.rows[reader or self.evaluated.reader, model, group]

    def bounds(self, row: int) -> Bounds:
        """AUROC and AUPRC (labels + 1, 2) of one row.

        An AUROC varies at most as a share of as many patients as have the label, or lack it (van
        Dantzig D. Koninkl Ned Akad Wet A 1951;54:1-8): its limits lie within the exact ones of that
        share, also where resamples tell nothing.
        """
        if row not in self._known:  # most tables show it, and differences rest on it
            self._known[row] = self._bounds(row)
        return self._known[row]

    def _bounds(self, row: int) -> Bounds:
        value = self.values[row]
        limits = logit_interval(self.samples[:, row], value, patients=self._moved_by(row))
        low, high = limits.low.copy(), limits.high.copy()
        for label, patients in enumerate(self.patients[row].tolist()):
            if exact := clopper_pearson(value[label, 0] * patients, patients) if patients else None:
                low[label, 0] = np.fmax(low[label, 0], exact.low)
                high[label, 0] = np.fmin(high[label, 0], exact.high)
        return Bounds(value, low, high)

    def difference(self, row: int, other: int) -> Bounds:
        """What the first row has over the other, (labels + 1, 2).

        Of an AUROC no more than the limits of both rows allow, were the rows independent (Zou GY,
        Donner A. Stat Med 2008;27:1693-1702).
        """
        value = self.values[row] - self.values[other]
        samples = self.samples[:, row] - self.samples[:, other]
        limits = logit_interval(samples, value, lowest=-1, patients=self._moved_by(row, other))
        low, high = limits.low.copy(), limits.high.copy()
        one, two = self.bounds(row), self.bounds(other)
        down = np.hypot(one.value - one.low, two.high - two.value)
        up = np.hypot(one.high - one.value, two.value - two.low)
        low[:-1, 0] = np.maximum(low, value - down)[:-1, 0]
        high[:-1, 0] = np.minimum(high, value + up)[:-1, 0]
        return Bounds(value, low, high)

    def _moved_by(self, row: int, other: int | None = None) -> Floats:
        """How many patients the figures of a row, or what it has over the other, rest on."""
        everyone = int(self.evaluated.patient.max()) + 1
        out, macro = [], np.zeros((everyone, len(METRICS)))
        for label, estimable in enumerate(self.estimable(row)):
            moved = self.rankings[row][label].influence(everyone)
            if other is not None:
                moved -= self.rankings[other][label].influence(everyone)
            out.append(effective_patients(moved))
            if estimable:
                macro += moved  # the sum instead of the mean: no scale matters
        out.append(effective_patients(macro))
        fewest = np.minimum(np.append(self.patients[row], _FEWEST), _FEWEST)
        return np.asarray(np.maximum(out, fewest[:, None]))

    def estimable(self, row: int) -> npt.NDArray[np.bool_]:
        """Which labels (labels,) enough patients have and lack: those of the macro mean."""
        return np.asarray(self.patients[row] >= LEAST)


def measure(
    evaluated: Evaluated, *, replicates: int = 1000, seed: int = 0, workers: int = 1
) -> Measures:
    """All figures from the same resamples of patients, however many workers share them."""
    rankings: list[list[Ranking]] = []
    rows: dict[tuple[str, int, tuple[int, int] | None], int] = {}
    ecgs, positives = [], []

    def add(reader: str, group: tuple[int, int] | None, within: npt.NDArray[np.bool_]) -> None:
        truth = evaluated.truth[reader]
        known = (truth >= 0) & within[:, None]
        for number, model in enumerate(evaluated.models):
            rows[reader, number, group] = len(rankings)
            rankings.append([
                Ranking(truth[at, label], model.values[at, label], evaluated.patient[at])
                for label, at in enumerate(known.T)
            ])  # fmt: skip
            ecgs.append(known.sum(0))
            positives.append(((truth == 1) & known).sum(0))

    for reader in evaluated.truth:
        add(reader, None, np.ones(len(evaluated.patient), np.bool_))
    for column, strata in enumerate(evaluated.groups):
        for group in range(len(strata.names)):
            add(evaluated.reader, (column, group), strata.codes == group)

    def areas(counts: Integers) -> Floats:
        return np.array([[label.areas(counts) for label in row] for row in rankings])

    everyone = int(evaluated.patient.max()) + 1
    values = areas(np.ones(everyone, np.int64))
    scarcer = np.array([[label.patients for label in row] for row in rankings])
    samples = resampled(areas, everyone, replicates=replicates, seed=seed, workers=workers)
    out = np.broadcast_to((scarcer >= LEAST)[..., None], values.shape)
    samples = np.concatenate([samples, _with_macro(_filled(samples), out)[..., -1:, :]], axis=-2)
    return Measures(
        evaluated, rows, _with_macro(values, out), samples,
        np.array(ecgs), np.array(positives), scarcer, rankings, replicates,
    )  # fmt: skip


def _with_macro(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """The labels (..., rows, labels, 2), and behind them the mean of those that are known."""
    total = np.where(known, values, 0.0).sum(-2, keepdims=True)
    n = np.broadcast_to(known.sum(-2, keepdims=True), total.shape)
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return np.concatenate([values, mean], axis=-2)


def _filled(samples: Floats) -> Floats:
    """Samples (replicates, ...) in which few are missing, with the mean of the others there.

    A resample without any positive of one rare label still tells of the mean over all labels.
    """
    missing = np.isnan(samples)
    n = np.count_nonzero(~missing, axis=0)
    mean = ratio(np.where(missing, 0.0, samples).sum(0), n)
    return np.where(missing & (n >= ENOUGH * len(samples)), mean, samples)
