"""Lists of ECGs for the terminal and for files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from overread.discrepancy.pair import LABEL_ROW
from overread.files import atomic_path
from overread.report.spreadsheet import control_characters, neutral
from overread.report.table import Column, Table
from overread.report.terminal import TerminalTable


def cases_view(cases: pl.DataFrame, most: int) -> TerminalTable:
    """The first cases and how many there are."""
    shown = cases.drop(LABEL_ROW).head(most)
    columns = tuple(
        Column(name, name.replace("_", " "), "label" if at == 0 else "text")
        for at, name in enumerate(shown.columns)
    )
    rows = tuple(shown.select(pl.all().cast(pl.String)).iter_rows())
    title = "1 ECG" if cases.height == 1 else f"{cases.height:,} ECGs"
    if shown.height < cases.height:
        title += f", {shown.height} shown"
    return TerminalTable(Table("cases", title, columns, rows))


def write_cases(cases: pl.DataFrame, path: Path, *, overwrite: bool) -> int:
    """Writes all cases as CSV, text cells kept from being formulas.

    Returns in how many cells control characters became spaces.
    """
    shown = cases.drop(LABEL_ROW)
    with atomic_path(path, overwrite=overwrite) as temporary:
        neutral(shown).write_csv(temporary)
    return control_characters(shown)
