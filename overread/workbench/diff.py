"""Two versions of the vocabulary over the same reports, as a report for a meeting."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from rich.console import Console
from rich.text import Text

from overread.discrepancy.counts import count_cells, counts_frame
from overread.discrepancy.pair import LABEL_ROW, NO_READING, Account, Codes, Pairs
from overread.labels.summary import SHOWN_FROM
from overread.report.document import Document, Section
from overread.report.table import Cell, Column, Gap, Table
from overread.report.terminal import TerminalTable
from overread.tables import LABEL, N_EXPERT, N_MACHINE, SEGMENT, SOURCES, TEXT
from overread.text.segments import FINDINGS
from overread.vocab.model import Vocabulary
from overread.workbench.effect import Effect, View, effect, values_of
from overread.workbench.extraction import Extraction
from overread.workbench.recut import cut_otherwise

_MOST: Final = 40  # statements listed
_A1: Final = (
    ("machine", "Machine-read"),
    ("over_read", "Over-read"),
    ("disagreement", "Disagreement"),
)
_PERCENT: Final = (("added_pct", "Added"), ("removed_pct", "Removed"))
_NOT_GIVEN: Final = Gap("n/a")


def diff(
    extraction: Extraction,
    before: Vocabulary,
    after: Vocabulary,
    *,
    names: tuple[str, str] = ("", ""),
    with_text: bool = False,
    force: bool = False,
    workers: int | None = None,
) -> Document:
    """What changes from one vocabulary to another on the reports of an extraction.

    ``names`` are what people call the two, beside their hashes. Statements in fewer than 11 ECGs
    are shown with ``with_text`` only. Raises UsageError where the extraction was made with neither
    vocabulary, unless ``force`` is given (FAULTS V14).
    """
    extraction.check_vocabulary(before, after, force=force)
    found = effect(extraction, before, after, workers=workers)
    recut = cut_otherwise(extraction, before, after)
    sections = [_labels(found, len(recut)), _statements(found, with_text=with_text)]
    if len(extraction.sides) == len(SOURCES):
        sections.append(_table_a1(found))
    return Document(
        "Two versions of the vocabulary on the same reports",
        (
            ("ECGs", f"{extraction.n:,}"),
            ("ECGs in which a label changes", f"{_ecgs(found):,}"),
            ("Version before", f"{names[0]} {before.sha256[:12]}".strip()),
            ("Version after", f"{names[1]} {after.sha256[:12]}".strip()),
        ),
        tuple(sections),
        "Made by overread. Figures describe the wording of reports and are no medical advice.",
        name="vocabulary_diff",
    )


def show(document: Document, console: Console) -> None:
    """Prints a report on the terminal."""
    for fact, value in document.facts:
        console.print(Text(f"{fact}: {value}"))
    for section in document.sections:
        console.print(Text(f"\n{section.heading}", "bold underline"))
        for words in section.text:
            console.print(Text(words))
        for item in section.items:
            if isinstance(item, Table):
                console.print(TerminalTable(item))


def _ecgs(found: Effect) -> int:
    """The ECGs in which either side gains or loses a label."""
    moving = tuple(dict.fromkeys(e.label for e in found.changes if e.gained or e.lost))
    old, new = (found.all_states(moving, after=after) for after in (False, True))
    moved = np.zeros(len(old), np.bool_)
    for at, label in enumerate(moving):
        before, after = values_of(found.before, label), values_of(found.after, label)
        moved |= (before == 1)[old[:, at]] != (after == 1)[new[:, at]]
    return int(moved.reshape(-1, len(SOURCES)).any(axis=1).sum())


def _labels(found: Effect, recut: int) -> Section:
    changed = [each for each in found.changes if each.gained or each.lost]
    rows = tuple(
        (_name(found, each.label), each.source, each.before, each.after, each.gained, each.lost)
        for each in changed
    )
    columns = (
        Column("label", "Diagnosis", "label"),
        Column("source", "Reading", "text"),
        Column("before", "Before", "count"),
        Column("after", "After", "count"),
        Column("gained", "Gained", "count", sign="+"),
        Column("lost", "Lost", "count", sign="-"),
    )
    words = [f"{sum(e.gained + e.lost for e in changed):,} labels of readings change."]
    quiet = found.readings.height and not changed
    if not changed:
        words = ["No label changes."]
    if quiet:
        words.append("States change that count alike, such as unmentioned and absent.")
    if recut:
        words.append(
            f"{recut:,} readings might be cut into other statements by the new version, because "
            "its words tell other line ends to be wraps. That is not counted here; extract again "
            "to see it."
        )
    text = "Uncertain mentions count by the policy of their label, else of the extraction."
    return Section(
        "Labels gained and lost",
        (" ".join(words),),
        (Table("labels", "Readings that give the label", columns, rows, (text,)),) if rows else (),
    )


def _statements(found: Effect, *, with_text: bool) -> Section:
    every = found.statements.with_columns(ecgs=pl.max_horizontal(N_MACHINE, N_EXPERT))
    every = every.sort(["ecgs", TEXT, LABEL], descending=[True, False, False])
    shown = every if with_text else every.filter(pl.col("ecgs") >= SHOWN_FROM)
    rows = tuple(
        (
            ("" if row[SEGMENT] == FINDINGS else f"[{row[SEGMENT]}] ")
            + row[TEXT].replace("\n", " "),
            _name(found, row[LABEL]),
            f"{row['before']} \N{RIGHTWARDS ARROW} {row['after']}".replace("_", " "),
            row[N_MACHINE],
            row[N_EXPERT],
        )
        for row in shown.head(_MOST).iter_rows(named=True)
    )
    columns = (
        Column("text", "Statement", "label"),
        Column("label", "Diagnosis", "text"),
        Column("change", "Reads as", "text"),
        Column("machine", "Machine-read ECGs", "count"),
        Column("expert", "Over-read ECGs", "count"),
    )
    words = f"{every['statement'].n_unique():,} distinct statements are read differently."
    hidden = every.height - shown.height
    if hidden:
        words += f" {hidden:,} changes of statements in fewer than {SHOWN_FROM} ECGs are not shown."
    if shown.height > _MOST:
        words += f" The {_MOST} most frequent of {shown.height:,} follow."
    table = Table("statements", "Statements, the most frequent first", columns, rows)
    return Section("Statements that cause it", (words,), (table,) if rows else ())


def _table_a1(found: Effect) -> Section:
    old, new = (_a1(found, after=after) for after in (False, True))
    columns = [Column("label", "Diagnosis", "label")]
    for key, title in _A1:
        columns += [
            Column(key, title, "count"),
            Column(f"{key}_change", "change", "count", sign="+"),
        ]
    for key, title in _PERCENT:
        columns += [
            Column(key, title, "percent"),
            Column(f"{key}_change", "change", "percent", sign="+"),
        ]
    rows = []
    for was, now in zip(old.iter_rows(named=True), new.iter_rows(named=True), strict=True):
        if was == now:
            continue
        cells: list[Cell] = [_name(found, now[LABEL])]
        for key, _ in (*_A1, *_PERCENT):
            if now[key] is None or was[key] is None:
                cells += [_NOT_GIVEN if now[key] is None else now[key], _NOT_GIVEN]
            else:
                cells += [now[key], now[key] - was[key]]
        rows.append(tuple(cells))
    if not rows:
        return Section("How Table A.1 changes", ("It does not change.",))
    note = (
        "Figures after, and how far they moved, in the ECGs that have both readings; labels that "
        "do not move are left out. Added and "
        "removed are percent of the machine's count, their changes percentage points."
    )
    table = Table("table_a1", "Table A.1, and how it moves", tuple(columns), tuple(rows), (note,))
    return Section("How Table A.1 changes", (), (table,))


def _a1(found: Effect, *, after: bool) -> pl.DataFrame:
    """The counts of Table A.1 of all labels of both versions, under one of them."""
    view = found.after if after else found.before
    states = found.all_states(found.labels, after=after)
    machine, expert = (_codes(states[code :: len(SOURCES)]) for code in range(len(SOURCES)))
    rows = pl.DataFrame({LABEL_ROW: np.arange(len(machine.T), dtype=np.uint32)})
    pairs = Pairs(
        labels=found.labels,
        ecgs=rows,
        machine=machine,
        expert=expert,
        account=Account(rows.height, rows.height, 0, 0, 0),
        policies={label: _policy(view, label) for label in found.labels},
        hedges=True,
    )
    return counts_frame(found.labels, count_cells(pairs.cells())[0])


def _codes(states: Codes) -> Codes:
    """ECGs x labels as the comparison of readings takes them: labels x ECGs."""
    out = np.ascontiguousarray(states.T)
    return np.minimum(out, np.uint8(NO_READING), out=out)


def _policy(view: View, label: str) -> str:
    return view.policy(label) if label in view.labels else view.extraction.policy


def _name(found: Effect, label: str) -> str:
    for view in (found.after, found.before):
        if label in view.vocabulary.labels:
            return view.vocabulary.labels[label].name
    return label
