"""A table as CSV for programs: bare numbers, and text that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
from io import StringIO

from overread.report.cells import plain
from overread.report.spreadsheet import neutral_text
from overread.report.table import Cell, Column, Estimate, Gap, Table


def table_to_csv(table: Table) -> str:
    r"""The table under its keys, without sign and unit, every digit kept.

    An interval takes three columns: ``key``, ``key_low``, ``key_high``. A gap is its reason.

    >>> kappa = Column("kappa", "Kappa", "number", interval=True)
    >>> table_to_csv(Table("t", "T", (kappa,), ((Estimate(0.79, 0.68, 0.91),), (Gap("<11"),))))
    'kappa,kappa_low,kappa_high\n0.79,0.68,0.91\n<11,,\n'
    """
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(key for column in table.columns for key in _keys(column))
    for row in table.rows:
        writer.writerow(
            text
            for column, cell in zip(table.columns, row, strict=True)
            for text in _texts(column, cell)
        )
    return out.getvalue()


def _keys(column: Column) -> list[str]:
    endings = ("", "_low", "_high") if column.interval else ("",)
    return [_safe(column.key + ending) for ending in endings]


def _texts(column: Column, cell: Cell) -> list[str]:
    if isinstance(cell, Estimate):
        return [_bare(limit) for limit in cell]
    if cell is None:
        text = ""
    elif isinstance(cell, Gap):
        text = _safe(cell.why)
    else:
        text = _safe(cell) if isinstance(cell, str) else _bare(cell)
    return [text, "", ""] if column.interval else [text]


def _bare(value: float) -> str:
    return str(value or 0)  # no minus before 0; NumPy's floats read like any other


def _safe(text: str) -> str:
    # In this order: a line end in front is a risk too. What is left is one line, so no reader can
    # take it for two rows.
    return plain(neutral_text(text))
