"""What an audit tells: on a terminal, and as the two CSV files beside the sheet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from overread.files import atomic_write, refuse_existing
from overread.labels.audit import Difference, Drawn, Scored
from overread.labels.summary import SHOWN_FROM
from overread.report.spreadsheet import neutral
from overread.stats.proportions import Limits

NOT_ESTIMABLE: Final = "not estimable"
_SHOWN = 15  # differences on the terminal

_COUNTED_AS: Final = {
    "positive": "write 1",
    "negative": "write 0",
    "missing": "write ?",
}


def drawn_view(drawn: Drawn) -> RenderableType:
    """What lies in the sheet and how to fill it in."""
    key = drawn.key
    lines = [
        f"{drawn.sheet}: up to date, left as it is"
        if drawn.up_to_date
        else f"{drawn.sheet}: {len(key.rows):,} of {drawn.units:,} {key.unit}, in random order"
    ]
    if key.unit == "statements" and not key.rare:
        lines.append(
            f"They are drawn from the statements in {SHOWN_FROM} or more ECGs, "
            f"{key.covered:.1%} of all statements; --with-text draws from the rarer ones too."
        )
    told = list(drawn.policies.values())
    common = max(dict.fromkeys(told), key=told.count)
    lines += [
        "",
        "To fill it in, in any spreadsheet, for what each text says of the heart now:",
        "  1 or x   the text says it or plainly implies it",
        "  0        it does not; empty means 0 too, once the row has any mark",
        "  ?        nobody could tell from the text",
        f"Where it is only possible ('cannot rule out', 'probable'): {_COUNTED_AS[common]}.",
        "A row without any mark counts as not read: give a text without any label one 0.",
        f"{drawn.key_file.name} holds our answers: it stays beside the sheet, unopened.",
    ]
    own = [
        f"  {each.column}: {_COUNTED_AS[drawn.policies[each.label]]}"
        for each in key.labels
        if drawn.policies[each.label] != common
    ]
    if own:
        lines += ["  but for these labels:", *own]
    return Text("\n".join(lines))


def scored_view(scored: Scored) -> RenderableType:
    """Precision and sensitivity per label with their intervals, and where to look."""
    parts: list[RenderableType] = [_account(scored), _table(scored)]
    unsure = {
        each.column: scored.scores[each.label].unsure
        for each in scored.key.labels
        if scored.scores[each.label].unsure
    }
    if unsure:
        told = ", ".join(f"{column} {count}" for column, count in unsure.items())
        parts.append(Text(f"Rows with ?, which count nowhere: {told}"))
    parts.append(_differences(scored))
    return Group(*parts)


def write_scores(scored: Scored, sheet: Path, *, overwrite: bool) -> tuple[Path, Path]:
    """Writes ``*.scores.csv`` and ``*.differences.csv`` beside the sheet.

    Files that hold the same already stay. Raises OutputExists where others stand in the way.
    """
    targets = (sheet.with_suffix(".scores.csv"), sheet.with_suffix(".differences.csv"))
    frames = (_score_rows(scored), _difference_rows(scored))
    data = [_csv(frame) for frame in frames]
    fresh = [
        (target, each)
        for target, each in zip(targets, data, strict=True)
        if not (target.is_file() and target.read_bytes() == each)
    ]
    for target, _ in fresh:
        refuse_existing(target, overwrite=overwrite)
    for target, each in fresh:
        atomic_write(target, each, overwrite=overwrite)
    return targets


def _account(scored: Scored) -> Text:
    key = scored.key
    lines = [f"{len(key.rows):,} rows = {scored.read:,} filled in + {scored.not_read:,} not"]
    if scored.comment_only:
        lines.append(f"  of these {scored.comment_only:,} with a comment alone")
    corpus = "all reports"
    if key.unit == "statements":
        corpus = (
            "all statements, each counted in every report that holds it"
            if key.rare
            else f"statements that stand in {SHOWN_FROM} or more ECGs, {key.covered:.1%} of all"
        )
    lines.append(f"Estimates are for {corpus}.")
    if any(
        each.precision and each.precision.low == each.precision.high
        for each in scored.scores.values()
    ):
        lines.append("An interval without width: every text that matters there was read.")
    return Text("\n".join(lines))


def _table(scored: Scored) -> Table:
    # Narrow gaps: thirteen labels, intervals and counts fit a terminal of 80 columns.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("label", overflow="fold")
    for name, rows in (("precision", "right"), ("sensitivity", "found")):
        table.add_column(f"{name} %\n[95% CI]", justify="right", no_wrap=True)
        table.add_column(f"rows\n{rows}", justify="right", no_wrap=True)
    for each in scored.key.labels:
        found = scored.scores[each.label]
        table.add_row(
            Text(each.column),
            Text(_percent(found.precision)),
            f"{found.right}/{found.claimed}",
            Text(_percent(found.sensitivity)),
            f"{found.right}/{found.true}",
        )
    return table


def _percent(limits: Limits | None) -> str:
    """An estimate in per cent.

    >>> _percent(Limits(0.9, 0.81234, 1.0))
    '90.0 [81.2, 100]'
    """
    if limits is None:
        return NOT_ESTIMABLE
    value, low, high = (f"{100 * part:.1f}".replace("100.0", "100") for part in limits)
    return f"{value} [{low}, {high}]"


def _differences(scored: Scored) -> RenderableType:
    if not scored.differences:
        return Text("Reader and labels agree in every row.")
    column = {each.label: each.column for each in scored.key.labels}
    table = Table(
        title=f"Where they differ ({len(scored.differences):,})",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("row", "label", "reader", "overread", "an ECG with this text"):
        table.add_column(heading, justify="right" if heading == "row" else "left")
    for each in scored.differences[:_SHOWN]:
        table.add_row(
            str(each.row),
            Text(column[each.label]),
            str(each.reader),
            str(each.overread),
            Text(each.id),
        )
    if len(scored.differences) > _SHOWN:
        rest = len(scored.differences) - _SHOWN
        return Group(table, Text(f"and {rest:,} more in the file of differences"))
    return table


def _score_rows(scored: Scored) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for each in scored.key.labels:
        found = scored.scores[each.label]
        row: dict[str, Any] = {"label": each.label, "name": each.column}
        for name, limits in (("precision", found.precision), ("sensitivity", found.sensitivity)):
            row[name] = NOT_ESTIMABLE if limits is None else f"{limits.value:.6f}"
            row[f"{name}_low"] = None if limits is None else f"{limits.low:.6f}"
            row[f"{name}_high"] = None if limits is None else f"{limits.high:.6f}"
        row |= {
            "rows_overread_positive": found.claimed,
            "rows_reader_positive": found.true,
            "rows_both_positive": found.right,
            "rows_unsure": found.unsure,
            "rows_read": scored.read,
            "corpus_overread_positive": round(each.positives),
        }
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def _difference_rows(scored: Scored) -> pl.DataFrame:
    names = tuple(Difference.__dataclass_fields__)
    return pl.DataFrame(
        [tuple(getattr(each, name) for name in names) for each in scored.differences],
        schema={name: pl.String if name in ("id", "label") else pl.Int64 for name in names},
        orient="row",
    )


def _csv(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    neutral(frame).write_csv(out)
    return out.getvalue()
