"""How often the runs are right once they decide, at thresholds chosen on validation ECGs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from overread.evaluate.known import known, lacking, without
from overread.evaluate.scores import Evaluated, Scored, Splits
from overread.evaluate.tables import READERS, cell, run_names
from overread.report.document import Section
from overread.report.table import Cell, Column, Gap, Table
from overread.stats.operating import operating, threshold

_TEXT: Final = (
    "Scores become decisions at a threshold, one for each label: that with the highest F1 among "
    "the validation ECGs. Intervals are over patients and take the threshold as given. F1 "
    "is the harmonic mean of sensitivity and PPV. PPV and F1 also depend on how common a label is, "
    "so that they do not compare between groups of ECGs.",
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


def section(splits: Splits, *, replicates: int = 1000, seed: int = 0) -> Section | None:
    """A table of each run that decides or has validation ECGs; None where no run has or does.

    Before them stand the thresholds, and F1 of several runs side by side.
    """
    test = splits.test
    names = run_names(test)
    thresholds: dict[str, Limits] = {}
    f1: dict[str, list[Cell]] = {}
    items: list[Table] = []
    for number, (name, model) in enumerate(zip(names, test.models, strict=True)):
        if model.kind == "decision":
            limits: Limits = [0.5] * len(test.labels)
        elif splits.validation is not None:
            limits = thresholds[name] = _thresholds(splits.validation, number)
        else:
            continue
        rows = _rows(test, model, limits, replicates, seed)
        title = f"Decisions of {name} against {READERS[test.reader]}"
        columns = (_LABEL, *_CONFUSION, *_SHARES)
        items.append(Table(f"decisions_{number}", title, columns, rows))
        f1[name] = [row[-1] for row in rows]
    if thresholds and splits.validation is not None:
        items.insert(0, _thresholds_table(splits.validation, thresholds))
    if len(f1) > 1:
        items.insert(0, _f1_table(test, f1))
    return Section("Decisions", _TEXT, tuple(items)) if items else None


def _thresholds(validation: Evaluated, model: int) -> Limits:
    """For each label the threshold with the highest F1; None without positives or negatives."""
    return [
        threshold(truth == 1, scores)
        for truth, scores, _ in (
            known(validation, model, at) for at in range(len(validation.labels))
        )
    ]


def _rows(
    test: Evaluated, model: Scored, limits: Limits, replicates: int, seed: int
) -> tuple[tuple[Cell, ...], ...]:
    """Label, confusion counts and shares in percent."""
    decided = np.array([limit is not None for limit in limits])
    at = np.array([np.inf if limit is None else limit for limit in limits], model.values.dtype)
    # A label without a threshold is counted nowhere.
    truth = np.where(decided, test.truth[test.reader], np.int8(-1))
    found = operating(truth, model.values >= at, test.patient, replicates=replicates, seed=seed)
    shares = [
        [
            cell(100 * value, 100 * low, 100 * high, why if is_decided else _NO_THRESHOLD)
            for value, low, high, is_decided in zip(*share, decided, strict=True)
        ]
        for share, why in zip(found[1:], _NOBODY, strict=True)
    ]
    return tuple(
        (name, *(counts if is_decided else [Gap("n/a")] * len(counts)), *cells)
        for name, counts, is_decided, *cells in zip(
            test.names, found.counts.tolist(), decided, *shares, strict=True
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


def _f1_table(test: Evaluated, f1: Mapping[str, Sequence[Cell]]) -> Table:
    columns = (
        Column(f"run_{at}", name, "percent", digits=1, interval=True) for at, name in enumerate(f1)
    )
    rows = tuple(zip(test.names, *f1.values(), strict=True))
    return Table("decisions_f1", f"F1 against {READERS[test.reader]}", (_LABEL, *columns), rows)
