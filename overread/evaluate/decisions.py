"""How often the runs are right once they decide, at thresholds chosen on validation ECGs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.evaluate.known import known, lacking, without
from overread.evaluate.scores import Evaluated, Splits
from overread.evaluate.tables import READERS, cell, run_names
from overread.report.document import Section
from overread.report.table import Cell, Column, Gap, Table
from overread.stats.bootstrap import logit_interval
from overread.stats.operating import Operating, operating, threshold

_THRESHOLDS: Final = (
    "Scores become decisions at a threshold, one for each label: that with the highest F1 among "
    "the validation ECGs. Intervals take it as given."
)
_MEANING: Final = (
    "F1 is the harmonic mean of sensitivity and PPV. PPV and F1 also depend on how common a label "
    "is, so that they do not compare between groups of ECGs. Intervals are over patients."
)
_LABEL: Final = Column("label", "Diagnosis", "label")
_CONFUSION: Final = (
    Column("true_positive", "TP", "count"),
    Column("false_positive", "FP", "count"),
    Column("false_negative", "FN", "count"),
    Column("true_negative", "TN", "count"),
)
_SHARES: Final = (
    Column("sensitivity", "Sensitivity", "percent", digits=1, interval=True),
    Column("specificity", "Specificity", "percent", digits=1, interval=True),
    Column("ppv", "PPV", "percent", digits=1, interval=True),
    Column("f1", "F1", "percent", digits=1, interval=True),
)
#: Why a share is 0 of 0.
_NOBODY: Final = (
    "n/a (0 positive)",
    "n/a (0 negative)",
    "n/a (never given)",
    "n/a (never given or true)",
)
_NO_THRESHOLD: Final = "no threshold"

Limits = Sequence[float | None]


class _Run(NamedTuple):
    """What a run decides: ``called`` (n, c), counted where ``truth`` (n, c) is 1 or 0.

    ``decided`` (c,) says which labels have a threshold.
    """

    number: int
    name: str
    decided: npt.NDArray[np.bool_]
    truth: npt.NDArray[np.int8]
    called: npt.NDArray[np.bool_]


def section(splits: Splits, *, replicates: int = 1000, seed: int = 0) -> Section | None:
    """A table of each run that decides or has validation ECGs; None where no run has or does.

    Before them stand F1 of several runs side by side and its differences, and the thresholds. All
    figures come from the same resamples of patients.
    """
    test = splits.test
    thresholds: dict[str, Limits] = {}
    runs: list[_Run] = []
    for number, (name, model) in enumerate(zip(run_names(test), test.models, strict=True)):
        if model.kind == "decision":
            runs.append(_run(test, number, name, [0.5] * len(test.labels)))
        elif splits.validation is not None:
            thresholds[name] = _thresholds(splits.validation, number)
            runs.append(_run(test, number, name, thresholds[name]))
    if not runs:
        return None
    together = operating(
        np.hstack([run.truth for run in runs]), np.hstack([run.called for run in runs]),
        test.patient, replicates=replicates, seed=seed,
    )  # fmt: skip
    found = [together.of(slice(at, at + len(test.labels)))
             for at in range(0, len(together.counts), len(test.labels))]  # fmt: skip
    rows = [_rows(test, run, one) for run, one in zip(runs, found, strict=True)]
    items: list[Table] = []
    if len(runs) > 1:
        items += [_f1_table(test, runs, rows), _differences_table(test, runs, found)]
    if thresholds and splits.validation is not None:
        items.append(_thresholds_table(splits.validation, thresholds))
    for run, body in zip(runs, rows, strict=True):
        title = f"Decisions of {run.name} against {READERS[test.reader]}"
        columns = (_LABEL, *_CONFUSION, *_SHARES)
        items.append(Table(f"decisions_{run.number}", title, columns, body))
    words = (_THRESHOLDS, _MEANING) if thresholds else (_MEANING,)
    return Section("Decisions", words, tuple(items))


def _run(test: Evaluated, number: int, name: str, limits: Limits) -> _Run:
    decided = np.array([limit is not None for limit in limits])
    values = test.models[number].values
    at = np.array([np.inf if limit is None else limit for limit in limits], values.dtype)
    truth = np.where(decided, test.truth[test.reader], np.int8(-1))
    return _Run(number, name, decided, truth, values >= at)


def _thresholds(validation: Evaluated, model: int) -> Limits:
    """For each label the threshold with the highest F1; None without positives or negatives."""
    return [
        threshold(truth == 1, scores)
        for truth, scores, _ in (
            known(validation, model, at) for at in range(len(validation.labels))
        )
    ]


def _rows(test: Evaluated, run: _Run, found: Operating) -> tuple[tuple[Cell, ...], ...]:
    """Label, confusion counts and shares in percent."""
    shares = [
        [
            cell(100 * value, 100 * low, 100 * high, why if is_decided else _NO_THRESHOLD)
            for value, low, high, is_decided in zip(*share, run.decided, strict=True)
        ]
        for share, why in zip(found.shares, _NOBODY, strict=True)
    ]
    return tuple(
        (name, *(counts if is_decided else [Gap("n/a")] * len(counts)), *cells)
        for name, counts, is_decided, *cells in zip(
            test.names, found.counts.tolist(), run.decided, *shares, strict=True
        )
    )


def _thresholds_table(validation: Evaluated, thresholds: Mapping[str, Limits]) -> Table:
    columns = (Column(f"run_{at}", name, "number", digits=3) for at, name in enumerate(thresholds))
    cells = (
        [Gap(_NO_THRESHOLD) if limit is None else limit for limit in limits]
        for limits in thresholds.values()
    )
    lacks = [lacking(known(validation, 0, at)[0]) for at in range(len(validation.labels))]
    return Table(
        "decisions_thresholds",
        "Thresholds with the highest F1 among the validation ECGs",
        (_LABEL, *columns),
        tuple(zip(validation.names, *cells, strict=True)),
        without("No threshold", validation.names, lacks),
    )


def _f1_table(
    test: Evaluated, runs: Sequence[_Run], rows: Sequence[tuple[tuple[Cell, ...], ...]]
) -> Table:
    columns = (
        Column(f"run_{at}", run.name, "percent", digits=1, interval=True)
        for at, run in enumerate(runs)
    )
    f1 = ([row[-1] for row in body] for body in rows)
    title = f"F1 against {READERS[test.reader]}"
    return Table(
        "decisions_f1", title, (_LABEL, *columns), tuple(zip(test.names, *f1, strict=True))
    )


def _differences_table(test: Evaluated, runs: Sequence[_Run], found: Sequence[Operating]) -> Table:
    """F1 of each run less that of the first."""
    first, *others = runs
    columns, cells = [], []
    for run, one in zip(others, found[1:], strict=True):
        value = one.f1.value - found[0].f1.value
        drawn = one.f1_drawn - found[0].f1_drawn
        limits = logit_interval(drawn, value, lowest=-1)
        decided = first.decided & run.decided
        cells.append([
            cell(
                100 * value, 100 * low, 100 * high, _NOBODY[-1] if both else _NO_THRESHOLD,
                sign="+",
            )
            for value, low, high, both in zip(value, limits.low, limits.high, decided, strict=True)
        ])  # fmt: skip
        columns.append(
            Column(f"run_{run.number}", run.name, "number", digits=1, interval=True, sign="+")
        )
    return Table(
        "decisions_differences",
        f"F1 less that of {first.name}",
        (_LABEL, *columns),
        tuple(zip(test.names, *cells, strict=True)),
        ("In percentage points, from resamples of patients that all runs share. No interval: the "
         "two decide alike in all of them.",),
    )  # fmt: skip
