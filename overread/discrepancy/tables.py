"""The frames of a comparison as tables for people, with the cells that a release closes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from overread.discrepancy.release import SMALLEST, TOLD_FROM, Margin
from overread.report.table import Cell, Column, Estimate, Gap, Table
from overread.tables import LABEL

Name = Callable[[str], str]
#: Labels whose row is closed, with the margin that may be told all the same.
Closed = Mapping[str, Margin | None]

HIDDEN: Final = Gap("hidden")
SMALL: Final = Gap(f"<{SMALLEST}")
_NOT_ESTIMABLE: Final = Gap("not estimable")
_ALL: Final = "All ECGs"
_NO_ECG: Final = Gap("no ECG")
_NOT_GIVEN: Final = Gap("n/a")

_DIAGNOSIS: Final = Column("label", "Diagnosis", "label")
_MACHINE: Final = Column("machine", "Machine-read", "count")
_OVER_READ: Final = Column("over_read", "Over-read", "count")
_DISAGREEMENT: Final = Column("disagreement", "Disagreement", "count")
_ADDED_PCT: Final = Column("added_pct", "Added", "percent", sign="+")
_REMOVED_PCT: Final = Column("removed_pct", "Removed", "percent", sign="-")
_A1: Final = (_DIAGNOSIS, _MACHINE, _OVER_READ, _DISAGREEMENT, _ADDED_PCT, _REMOVED_PCT)

RELEASE_NOTE: Final = (
    f"{SMALL.why}: 1 to 10 ECGs. {HIDDEN.why}: not told, because with the other figures it would "
    "give away a number of 1 to 10."
)


def table_a1(frame: pl.DataFrame, name: Name, closed: Closed | None = None) -> Table:
    """Table A.1 of the paper from `counts_frame`."""
    return _counts_table(
        "table_a1",
        "Machine-read and over-read labels (Table A.1)",
        _A1,
        frame,
        name,
        closed,
        "Added and removed are percent of the machine's count.",
    )


def counts_table(frame: pl.DataFrame, name: Name, closed: Closed | None = None) -> Table:
    """The 2x2 counts, and both kinds of error as the share that they are of."""
    columns = (
        _DIAGNOSIS,
        Column("both", "Both", "count"),
        Column("removed", "Machine only", "count"),
        Column("added", "Expert only", "count"),
        Column("neither", "Neither", "count"),
        Column("missed_pct", "Missed by machine", "percent"),
        Column("removed_pct", "Machine's false alarms", "percent"),
    )
    return _counts_table(
        "two_by_two",
        "The four counts behind it",
        columns,
        frame,
        name,
        closed,
        "Missed: added labels, of all that the expert gives. False alarms: removed labels, of all "
        "that the machine gives.",
    )


def policy_tables(frame: pl.DataFrame, name: Name, *, without: str | None) -> list[Table]:
    """Table A.1 under each policy for uncertain mentions but the one of the main table."""
    return [
        _counts_table(
            f"table_a1_{policy}",
            f"Table A.1 if a hedge counts as {policy}",
            _A1,
            frame.filter(pl.col("policy") == policy),
            name,
            None,
            _POLICY_NOTES[policy],
        )
        for policy in frame["policy"].unique(maintain_order=True)
        if policy != without
    ]


_POLICY_NOTES: Final = {
    "positive": '"Possible LVH" counts as LVH.',
    "negative": '"Possible LVH" counts as no LVH.',
    "missing": 'An ECG with "possible LVH" on either side is left out of the counts of LVH.',
}


def agreement_tables(
    frame: pl.DataFrame, name: Name, closed: Closed | None = None, *, intervals: str = ""
) -> tuple[Table, Table]:
    """Coefficients of agreement; then the machine against the over-read, with McNemar's test."""
    return (
        _agreement_table("agreement", "Agreement", _COEFFICIENTS, frame, name, closed, intervals),
        _agreement_table(
            "machine_against_expert",
            "The machine against the over-read",
            _AGAINST,
            frame,
            name,
            closed,
            _AGAINST_NOTE,
        ),
    )


def _agreement_table(
    slug: str,
    title: str,
    columns: tuple[Column, ...],
    frame: pl.DataFrame,
    name: Name,
    closed: Closed | None,
    note: str,
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for row in frame.iter_rows(named=True):
        if closed is not None and row[LABEL] in closed:
            cells: list[Cell] = [HIDDEN] * len(columns)
        else:
            cells = [_agreement_cell(column, row) for column in columns]
        rows.append((name(row[LABEL]), *cells))
    return Table(slug, title, (_DIAGNOSIS, *columns), tuple(rows), (note,))


_COEFFICIENTS: Final = (
    Column("kappa", "Kappa", "number", interval=True),
    Column("ac1", "AC1", "number", interval=True),
    Column("pabak", "PABAK", "number"),
    Column("positive_agreement", "Positive agreement", "number"),
    Column("negative_agreement", "Negative agreement", "number", digits=3),
)
_AGAINST: Final = (
    Column("sensitivity", "Sensitivity", "number", interval=True),
    Column("ppv", "PPV", "number", interval=True),
    Column("difference", "Difference", "percent", interval=True),
    Column("z", "z", "number", digits=1),
    Column("p", "p", "p", digits=3),
    Column("q", "q", "p", digits=3),
)
_AGAINST_NOTE: Final = (
    "Difference: the expert's share of ECGs with the label less the machine's, in percentage "
    "points. z and p: McNemar's test of it. q: Benjamini-Hochberg over the labels."
)
_PERCENT_OF_ONE: Final = ("difference",)


def flows_table(frame: pl.DataFrame, name: Name, *, most: int | None = None) -> Table:
    """Removed and added in the same ECG, most frequent first."""
    ordered = frame.sort("n", descending=True, maintain_order=True)
    rows = tuple(
        (
            name(row["removed"]) if row["removed"] else "(nothing)",
            name(row["added"]) if row["added"] else "(nothing)",
            row["n"],
        )
        for row in ordered.head(most or ordered.height).iter_rows(named=True)
    )
    columns = (
        Column("removed", "Removed", "text"),
        Column("added", "Added", "text"),
        Column("n", "ECGs", "count"),
    )
    return Table("flows", "Removed and added in one ECG", columns, rows)


def together_table(frame: pl.DataFrame, name: Name, *, most: int) -> Table:
    """Pairs of changes in one ECG with what chance alone would give."""
    rows = tuple(
        (
            f"{name(row['left'])} {row['left_change']}",
            f"{name(row['right'])} {row['right_change']}",
            row["n"],
            row["expected"],
            row["ratio"],
        )
        for row in frame.head(most).iter_rows(named=True)
    )
    columns = (
        Column("left", "Change", "text"),
        Column("right", "with change", "text"),
        Column("n", "ECGs", "count"),
        Column("expected", "By chance", "number", digits=1),
        Column("ratio", "Times as often", "number", digits=1),
    )
    note = (
        "By chance: ECGs in which both would change if the two had nothing to do with each other."
    )
    return Table("changed_together", "Labels that change together", columns, rows, (note,))


def hedges_table(frame: pl.DataFrame, name: Name) -> Table:
    """What became of "possible"."""
    columns = (
        _DIAGNOSIS,
        Column("made_definite", "Possible to definite", "count"),
        Column("hedged", "Definite to possible", "count"),
        Column("kept", "Possible on both sides", "count"),
        Column("hedge_dropped", "Possible, then not asserted", "count"),
        Column("hedge_added", "Not asserted, then possible", "count"),
    )
    return _plain("hedges", "Hedges", columns, frame, name)


def contradictions_table(frame: pl.DataFrame, name: Name) -> Table:
    """Pairs that cannot stand side by side."""
    rows = tuple(
        (f"{name(row['left'])} and {name(row['right'])}", row["machine"], row["expert"])
        for row in frame.iter_rows(named=True)
    )
    columns = (Column("pair", "Both in one reading", "label"), _MACHINE, _OVER_READ)
    return Table("contradictions", "Contradictory pairs", columns, rows)


def statements_table(frame: pl.DataFrame, change: str) -> Table:
    """Statements most often deleted or added."""
    title = {"deleted": "Statements most often deleted", "added": "Statements most often added"}
    side = {"deleted": "Machine-read", "added": "Over-read"}[change]
    columns = (
        Column("text", "Statement", "label"),
        Column("n", "ECGs", "count"),
        Column("of", f"of {side} ECGs with it", "count"),
        Column("pct", "Share", "percent", digits=1),
        Column("statement", "No.", "count"),
    )
    return _plain(f"statements_{change}", title[change], columns, frame)


def reworded_table(frame: pl.DataFrame) -> Table:
    """Statements replaced by others that assert the same labels."""
    columns = (
        Column("text", "Machine's words", "label"),
        Column("into_text", "Expert's words", "text"),
        Column("n", "ECGs", "count"),
        Column("statement", "No.", "count"),
        Column("into", "into No.", "count"),
    )
    return _plain("statements_reworded", "Statements most often reworded", columns, frame)


def strata_table(
    frame: pl.DataFrame,
    total: pl.DataFrame,
    part: str,
    sizes: Sequence[tuple[str, int]],
    name: Name,
    *,
    slug: str,
    closed: Iterable[tuple[str, str]] = (),
    closed_total: Closed | None = None,
) -> Table:
    """One percentage (``added_pct``, ``removed_pct``) of every group (rows) and label (columns)."""
    labels = total[LABEL].to_list()
    hidden = set(closed)
    found = {(r["stratum"], r[LABEL]): r for r in frame.iter_rows(named=True)}
    whole = {r[LABEL]: r for r in total.iter_rows(named=True)}
    column = _ADDED_PCT if part == "added_pct" else _REMOVED_PCT
    by = frame["by"][0]
    columns = (
        Column("stratum", by, "label"),
        Column("n", "ECGs", "count"),
        *(
            Column(f"{label}_pct", name(label), "percent", digits=1, sign=column.sign)
            for label in labels
        ),
    )

    def cell(row: Mapping[str, Any], shut: bool) -> Cell:
        value: float | None = row[part]
        return HIDDEN if shut else _NOT_GIVEN if value is None else value

    rows: list[tuple[Cell, ...]] = [
        (group, n, *(cell(found[group, label], (group, label) in hidden) for label in labels))
        for group, n in sizes
        if n
    ]
    ecgs = sum(n for _, n in sizes)
    rows.append(
        (_ALL, ecgs, *(cell(whole[label], label in (closed_total or ())) for label in labels))
    )
    title = f"{column.title} by {by}, percent of the machine's count"
    note = f"{_NOT_GIVEN.why}: the machine gave the label to no ECG."
    return Table(f"{slug}_{part.removesuffix('_pct')}", title, columns, tuple(rows), (note,))


def long_table(frame: pl.DataFrame, name: Name, *, slug: str, title: str) -> Table:
    """Every figure of every group and label, for files."""
    columns = (
        Column("stratum", frame["by"][0] if frame.height else "group", "label"),
        Column("label", "Diagnosis", "text"),
        Column("n", "ECGs", "count"),
        *(Column(key, title, "count") for key, title in (
            ("both", "Both"), ("removed", "Machine only"), ("added", "Expert only"),
            ("neither", "Neither"),
        )),
        *_A1[1:],
        *_COEFFICIENTS,
        *_AGAINST,
    )  # fmt: skip
    rows = tuple(
        (row["stratum"], name(row[LABEL]), *(
            _percent(row, c.key) if c.key in ("added_pct", "removed_pct")
            else row[c.key] if c.kind == "count"
            else _agreement_cell(c, row)
            for c in columns[2:]
        ))
        for row in frame.iter_rows(named=True)
    )  # fmt: skip
    return Table(slug, title, columns, rows)


def _counts_table(
    slug: str,
    title: str,
    columns: tuple[Column, ...],
    frame: pl.DataFrame,
    name: Name,
    closed: Closed | None,
    note: str,
) -> Table:
    rows = []
    for row in frame.iter_rows(named=True):
        if closed is not None and row[LABEL] in closed:
            cells = [_closed_cell(column, row, closed[row[LABEL]]) for column in columns[1:]]
        else:
            cells = [
                _percent(row, column.key) if column.kind == "percent" else row[column.key]
                for column in columns[1:]
            ]
        rows.append((name(row[LABEL]), *cells))
    notes = (note,) if closed is None else (note, RELEASE_NOTE)
    return Table(slug, title, columns, tuple(rows), notes)


def _closed_cell(column: Column, row: Mapping[str, Any], margin: Margin | None) -> Cell:
    if column.key == margin:
        told: int = row[column.key]
        return told
    if column.kind == "count" and 0 < row[column.key] < SMALLEST and row["n"] >= TOLD_FROM:
        return SMALL
    return HIDDEN


def _plain(
    slug: str,
    title: str,
    columns: tuple[Column, ...],
    frame: pl.DataFrame,
    name: Name = str,
) -> Table:
    rows = tuple(
        tuple(
            name(row[column.key]) if column.key == LABEL else row[column.key] for column in columns
        )
        for row in frame.iter_rows(named=True)
    )
    return Table(slug, title, columns, rows)


def _percent(row: Mapping[str, Any], key: str) -> Cell:
    """The percentage, or of what there was none (FAULTS S02)."""
    value: float | None = row[key]
    whole = "over-read" if key == "missed_pct" else "machine"
    return Gap(f"n/a (0 {whole})") if value is None else value


def _agreement_cell(column: Column, row: Mapping[str, Any]) -> Cell:
    if not row["n"]:
        return _NO_ECG
    scale = 100 if column.key in _PERCENT_OF_ONE else 1
    value: float | None = row[column.key]
    if value is None:
        return _NOT_ESTIMABLE
    if column.kind == "p":
        return value or Gap("< 1e-300")  # below what a number can hold; z tells more
    if not column.interval:
        return value * scale
    low, high = row[f"{column.key}_low"], row[f"{column.key}_high"]
    if low is None or high is None:
        return Gap(f"{value * scale:.{column.digits}f} (no interval)")
    return Estimate(value * scale, low * scale, high * scale)
