"""Measures as tables for people: the paper's Tables 1 and 2, differences, groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from overread.evaluate.measure import LEAST, METRICS, Bounds, Measures
from overread.evaluate.scores import Evaluated
from overread.report.cells import number as number_text
from overread.report.table import Cell, Column, Estimate, Gap, Table
from overread.stats.estimate import Floats

PARADIGMS: Final = {
    "supervised": "Supervised",
    "self-training": "Self-training",
    "clip": "CLIP",
    "negclip": "NegCLIP",
}
#: What people call the labels of a reader.
READERS: Final = {"expert": "expert labels", "machine": "machine labels", "truth": "the labels"}

Known = Estimate | Gap

_METRICS: Final = ("AUROC", "AUPRC")
_LABEL: Final = Column("label", "Diagnosis", "label")
_MACRO: Final = "Macro mean"
_DIGITS: Final = 1
_FEW_RUNS: Final = 2
_NO_INTERVAL: Final = "(no interval)"
_WHY_NO_INTERVAL: Final = (
    "No interval: no resample changes the value, or too few patients have the label or lack it."
)


def run_names(evaluated: Evaluated) -> list[str]:
    """What each run is called: its paradigm, or its own name where two share one."""
    models = evaluated.models
    paradigms = [model.paradigm for model in models]
    if len(set(paradigms)) == len(models):
        return [PARADIGMS.get(model.paradigm) or model.name for model in models]
    return [model.name for model in models]


def macro(measures: Measures, model: int) -> tuple[Known, Known]:
    """Macro AUROC and AUPRC of a run against the main reader."""
    return macros(measures, measures.row(model))


def macros(measures: Measures, row: int) -> tuple[Known, Known]:
    """Macro AUROC and AUPRC of a row."""
    auroc, auprc = _cells(measures, row, measures.bounds(row))
    return auroc[-1], auprc[-1]


def scores_table(measures: Measures, reader: str, *, name: str, title: str) -> Table:
    """The layout of the paper's Table 1: a row per label, AUROC and AUPRC of each run."""
    models = range(len(measures.evaluated.models))
    rows = [measures.row(number, reader) for number in models]
    heads = run_names(measures.evaluated)
    columns = [
        _column(f"{measures.evaluated.models[number].name}_{key}", f"{heads[number]} {metric}")
        for number in models
        for key, metric in zip(METRICS, _METRICS, strict=True)
    ]
    cells = [_cells(measures, row, measures.bounds(row)) for row in rows]
    return _by_label(
        measures, name, title, columns, cells,
        (_how(measures), _macro_note(measures, rows[0]), _decision_note(measures)),
        marked=rows if len(rows) > 1 else (),
    )  # fmt: skip


def trained_pairs(evaluated: Evaluated) -> list[tuple[int, int]]:
    """Runs of one paradigm that learnt from the machine's and the expert's labels.

    Their numbers, machine's first; where a paradigm has several of either, in the order given.
    """
    if not {"machine", "expert"} <= set(evaluated.truth):
        return []
    learnt: dict[tuple[str, str], list[int]] = {}
    for number, model in enumerate(evaluated.models):
        learnt.setdefault((model.paradigm, model.trained_on), []).append(number)
    return [
        pair
        for paradigm, reader in learnt
        if reader == "machine"
        for pair in zip(
            learnt[paradigm, reader], learnt.get((paradigm, "expert"), ()), strict=False
        )
    ]


def trained_table(measures: Measures, machine: int, expert: int, *, name: str) -> Table:
    """The layout of the paper's Table 2: a run trained on machine labels against both readers.

    ``machine`` and ``expert`` are the numbers of the runs trained on either.
    """
    compared = (
        ("machine", machine, "machine"),
        ("machine", machine, "expert"),
        ("expert", expert, "expert"),
    )
    rows = [measures.row(number, reader) for _, number, reader in compared]
    columns = [
        _column(f"{trained}_{reader}_{key}", f"{trained} to {reader}: {metric}")
        for trained, _, reader in compared
        for key, metric in zip(METRICS, _METRICS, strict=True)
    ]
    cells = [_cells(measures, row, measures.bounds(row)) for row in rows]
    notes = (
        "machine to expert: trained on machine labels, tested against expert labels.",
        _how(measures),
        _macro_note(measures, rows[2]),
    )
    title = f"Trained on machine and on expert labels: {_both(measures, machine, expert)}"
    return _by_label(measures, name, title, columns, cells, notes)


def gain_table(measures: Measures, machine: int, expert: int, *, name: str) -> Table:
    """What training on expert labels adds, against expert labels."""
    rows = measures.row(expert, "expert"), measures.row(machine, "expert")
    columns = [
        _column(key, f"Difference in {metric}", sign="+")
        for key, metric in zip(METRICS, _METRICS, strict=True)
    ]
    cells = [_cells(measures, rows[0], measures.difference(*rows), sign="+")]
    title = f"What expert labels add: {_both(measures, expert, machine, ' less ')}"
    return _by_label(measures, name, title, columns, cells, (_paired_note(measures),))


def pairs_table(measures: Measures, reader: str, *, name: str, title: str) -> Table:
    """Macro differences between all pairs of runs."""
    heads = run_names(measures.evaluated)
    body: list[tuple[Cell, ...]] = []
    for number, head in enumerate(heads):
        for other in range(number):
            rows = measures.row(number, reader), measures.row(other, reader)
            cells = _cells(measures, rows[0], measures.difference(*rows), sign="+")
            body.append((f"{head} less {heads[other]}", *(column[-1] for column in cells)))
    columns = (
        Column("pair", "Runs", "label"),
        *(
            _column(key, f"Macro {metric}", sign="+")
            for key, metric in zip(METRICS, _METRICS, strict=True)
        ),
    )
    return Table(name, title, columns, tuple(body), (_paired_note(measures),))


def differences_table(measures: Measures, reader: str, *, name: str) -> Table:
    """What each run has over the first, label by label."""
    heads = run_names(measures.evaluated)
    first = measures.row(0, reader)
    columns, cells = [], []
    for number, model in enumerate(measures.evaluated.models[1:], start=1):
        row = measures.row(number, reader)
        cells.append(_cells(measures, row, measures.difference(row, first), sign="+"))
        columns += [
            _column(f"{model.name}_{key}", f"{heads[number]} {metric}", sign="+")
            for key, metric in zip(METRICS, _METRICS, strict=True)
        ]
    title = f"What runs have over {heads[0]}, against {READERS[reader]}"
    return _by_label(measures, name, title, columns, cells, (_paired_note(measures),))


def groups_tables(measures: Measures, column: int) -> list[Table]:
    """The macro means of every group of a column, and over how many labels they are.

    One table, or where there are many runs one of each metric.
    """
    evaluated = measures.evaluated
    strata = evaluated.groups[column]
    sizes = np.bincount(strata.codes, minlength=len(strata.names))
    heads = run_names(evaluated)
    places = [(column, group) if size else None for group, size in enumerate(sizes)]
    note = (
        f"In percent against {READERS[evaluated.reader]}; Labels: how many of "
        f"{len(evaluated.labels)} at least {LEAST} patients of the group have and lack. Means over "
        "different labels do not compare."
    )

    def table(name: str, metrics: Sequence[int]) -> Table:
        shown = [(number, at) for number in range(len(heads)) for at in metrics]

        def line(group: str, size: int, place: tuple[int, int] | None) -> tuple[Cell, ...]:
            rows = [measures.row(number, group=place) for number in range(len(heads))]
            means = [macros(measures, row) for row in rows]
            labels = int(measures.estimable(rows[0]).sum())
            return group, size, labels, *(means[number][at] for number, at in shown)

        columns = (
            Column("group", strata.column, "label"),
            Column("ecgs", "ECGs", "count"),
            Column("labels", "Labels", "count"),
            *(
                _column(f"{evaluated.models[number].name}_{METRICS[at]}",
                        f"{heads[number]} {_METRICS[at]}")
                for number, at in shown
            ),
        )  # fmt: skip
        body = [
            line(group, int(size), place)
            for group, size, place in zip(strata.names, sizes, places, strict=True) if place
        ]  # fmt: skip
        body.append(line("All ECGs", len(strata.codes), None))
        title = f"Macro {' and '.join(_METRICS[at] for at in metrics)} by {strata.column}"
        return Table(name, title, columns, tuple(body), (note,))

    if len(heads) <= _FEW_RUNS:
        return [table(f"group{column}", (0, 1))]
    return [table(f"group{column}_{METRICS[at]}", (at,)) for at in (0, 1)]


def truth_table(measures: Measures) -> Table:
    """How many ECGs each reader gives each label to, of those where it is known."""
    evaluated = measures.evaluated
    columns = [_LABEL]
    cells = []
    for reader in evaluated.truth:
        row = measures.row(0, reader)
        columns += [
            Column(f"{reader}_ecgs", f"ECGs with {READERS[reader]}", "count"),
            Column(f"{reader}_positive", "Positive", "count"),
        ]
        cells += [measures.ecgs[row].tolist(), measures.positives[row].tolist()]
    rows = tuple(zip(evaluated.names, *cells, strict=True))
    return Table("ecgs", "ECGs behind the figures", tuple(columns), rows)


def all_figures(measures: Measures) -> Table:
    """Every figure of every run, reader, group and label, for files."""
    evaluated = measures.evaluated
    columns = (
        *(Column(key, key, "text") for key in ("run", "paradigm", "trained_on", "against")),
        Column("by", "by", "text"),
        Column("group", "group", "text"),
        Column("label", "label", "label"),
        Column("ecgs", "ECGs", "count"),
        Column("positive", "positive", "count"),
        *(_column(key, metric) for key, metric in zip(METRICS, _METRICS, strict=True)),
    )
    body: list[tuple[Cell, ...]] = []
    for (reader, number, group), row in measures.rows.items():
        model = evaluated.models[number]
        by = place = ""
        if group is not None:
            strata = evaluated.groups[group[0]]
            by, place = strata.column, strata.names[group[1]]
        counts = [*zip(measures.ecgs[row].tolist(), measures.positives[row].tolist(), strict=True)]
        figures = zip(*_cells(measures, row, measures.bounds(row)), strict=True)
        for label, n, pair in zip(
            (*evaluated.labels, "macro"), (*counts, (None, None)), figures, strict=True
        ):
            told = (model.name, model.paradigm, model.trained_on, reader, by, place)
            body.append((*told, label, *n, *pair))
    return Table("figures", "All figures", columns, tuple(body), (_how(measures),))


def _both(measures: Measures, one: int, other: int, between: str = " and ") -> str:
    return between.join(measures.evaluated.models[number].name for number in (one, other))


def _column(key: str, title: str, sign: str = "", digits: int = _DIGITS) -> Column:
    return Column(key, title, "number", digits=digits, interval=True, sign="+" if sign else "")


def _by_label(
    measures: Measures,
    name: str,
    title: str,
    columns: Sequence[Column],
    cells: Sequence[tuple[list[Known], list[Known]]],
    notes: Iterable[str],
    *,
    marked: Sequence[int] = (),
) -> Table:
    """A row per label and the macro mean; ``marked``: rows of runs of which the best are marked."""
    flat = [column for pair in cells for column in pair]
    rows = tuple(zip((*measures.evaluated.names, _MACRO), *flat, strict=True))
    best, second = set(), set()
    for metric in range(len(METRICS)):
        keys = [column.key for column in columns[metric :: len(METRICS)]]
        for at in range(len(rows) if marked else 0):
            first, next_ = _ranked(100 * measures.values[marked, at, metric], keys)
            best |= {(at, key) for key in first}
            second |= {(at, key) for key in next_ if len(keys) > _FEW_RUNS}
    told = [note for note in notes if note]
    if any(isinstance(c, Gap) and _NO_INTERVAL in c.why for column in flat for c in column):
        told.append(_WHY_NO_INTERVAL)
    return Table(
        name, title, (_LABEL, *columns), rows, tuple(told), frozenset(best), frozenset(second)
    )  # fmt: skip


def _ranked(values: Floats, keys: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of the best and of the second value as they are shown; equal ones share a place."""
    shown = {
        key: round(float(value), _DIGITS)
        for key, value in zip(keys, values, strict=True)
        if not np.isnan(value)
    }
    places = sorted(set(shown.values()), reverse=True)
    first, second = ([key for key in shown if shown[key] in places[at : at + 1]] for at in (0, 1))
    return first, second


def _cells(
    measures: Measures, row: int, bounds: Bounds, *, sign: str = ""
) -> tuple[list[Known], list[Known]]:
    """AUROC and AUPRC in percent, by label and macro; what cannot be estimated says why."""
    auroc, auprc = (
        [
            cell(100 * value, 100 * low, 100 * high, why, sign=sign)
            for value, low, high, why in zip(
                bounds.value[:, at], bounds.low[:, at], bounds.high[:, at],
                _reasons(measures, row), strict=True,
            )
        ]
        for at in range(len(METRICS))
    )  # fmt: skip
    return auroc, auprc


def cell(
    value: float, low: float, high: float, why: str, digits: int = _DIGITS, *, sign: str = ""
) -> Known:
    """An estimate; why there is none, or the value alone where it has no limits.

    ``sign`` is that of the column.
    """
    if np.isnan(value):
        return Gap(why)
    if np.isnan(low) or np.isnan(high):
        return Gap(f"{number_text(_column('', '', sign, digits), value)} {_NO_INTERVAL}")
    return Estimate(float(value), float(low), float(high))


def _reasons(measures: Measures, row: int) -> list[str]:
    reasons = []
    for n, positive in zip(measures.ecgs[row], measures.positives[row], strict=True):
        what = "positive" if positive == 0 else "negative"
        reasons.append(f"n/a (0 {what})" if n else "n/a (no ECG)")
    return [*reasons, "n/a (no label)"]


def _how(measures: Measures) -> str:
    return (
        f"In percent, with 95% intervals from {measures.replicates:,} resamples of patients that "
        "all runs, labels and metrics share (logit scale, wider where few patients decide)."
    )


def _decision_note(measures: Measures) -> str:
    if all(model.kind != "decision" for model in measures.evaluated.models):
        return ""
    return "Of 0/1 decisions the AUROC is the mean of sensitivity and specificity."


def _paired_note(measures: Measures) -> str:
    return (
        "Differences in percentage points, with 95% intervals from "
        f"{measures.replicates:,} resamples of patients in which both runs were computed."
    )


def _macro_note(measures: Measures, row: int) -> str:
    known = measures.estimable(row)
    if known.all():
        return ""
    names = [n for n, k in zip(measures.evaluated.names, known, strict=True) if not k]
    return (
        f"The macro mean is over {np.count_nonzero(known)} of {len(known)} labels; fewer than "
        f"{LEAST} patients have or lack: {', '.join(names)}."
    )
