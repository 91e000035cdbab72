"""The account of an extraction for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from overread.labels.summary import SHOWN_FROM, Summary
from overread.sources.batches import NOT_OVER_READ
from overread.tables import POLICIES


def summary_view(summary: Summary) -> RenderableType:
    """Rows, texts, positives per label and source under each policy, and what was missed."""
    parts: list[RenderableType] = [_rows(summary), _labels(summary), _statements(summary)]
    frequent = summary.shown_unmatched()
    if frequent:
        parts.append(_unmatched(frequent))
    return Group(*parts)


def _rows(summary: Summary) -> Text:
    left_out = sum(summary.quarantined.values())
    lines = [
        f"{summary.source}: {summary.rows_in:,} rows in = {summary.used:,} used "
        f"+ {left_out:,} quarantined"
    ]
    lines += [
        f"  quarantined, {reason}: {count:,}" for reason, count in summary.quarantined.items()
    ]
    told = ("text", NOT_OVER_READ)  # counted per source below
    lines += [f"  {n}: {count:,}" for n, count in summary.notes.items() if not n.endswith(told)]
    for name, side in summary.sides.items():
        not_confirmed = name == "expert" and NOT_OVER_READ in summary.notes
        gone = [
            f"{count:,} {what}"
            for what, count in (
                (NOT_OVER_READ if not_confirmed else "without a cell", side.absent),
                ("empty", side.empty),
                ("that say there is no reading", side.no_reading),
                ("unconfirmed, so not over-read", side.not_over_read),
            )
            if count
        ]
        lines.append(
            f"  {name}: {side.readings:,} readings" + (f"; {', '.join(gone)}" if gone else "")
        )
        lines += [
            f"    both {' and '.join(summary.names[label] for label in pair)}: {count:,}"
            for pair, count in side.contradicting().items()
            if count
        ]
    if summary.identical:
        lines.append(f"  machine and expert text identical: {summary.identical:,}")
    if summary.addenda:
        lines.append(f"  reports with a second reading or addendum: {summary.addenda:,}")
    return Text("\n".join(lines))


def _labels(summary: Summary) -> Table:
    table = Table(
        title="Positive readings (uncertain as positive, negative, missing)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("label", no_wrap=True)
    for name in summary.sides:
        for number, policy in enumerate(POLICIES):
            heading = "" if number else name
            table.add_column(f"{heading}\n{policy[:3]}.", justify="right", no_wrap=True)
    for label in summary.labels:
        cells = [summary.names[label]]
        for name in summary.sides:
            cells += [f"{summary.positives(name, label)[policy]:,}" for policy in POLICIES]
        table.add_row(*cells)
    return table


def _statements(summary: Summary) -> Text:
    share = summary.unmatched_statements / summary.statements if summary.statements else 0.0
    return Text(
        f"{summary.statements:,} statements ({summary.distinct_statements:,} distinct "
        "after masking); "
        f"{share:.1%} hold nothing that the vocabulary knows"
    )


def _unmatched(frequent: list[tuple[str, int]]) -> Table:
    table = Table(
        title=f"Most frequent of those (in at least {SHOWN_FROM} ECGs)",
        title_justify="left",
    )
    table.box = box.SIMPLE_HEAD
    table.add_column("ECGs", justify="right")
    table.add_column("statement")
    for text, ecgs in frequent:
        table.add_row(f"{ecgs:,}", Text(" ".join(text.split())))
    return table
