"""Table A.1 of the paper, to the digit, from a label table that has its counts (FAULTS S01)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from overread.discrepancy.api import Discrepancy
from overread.discrepancy.tables import table_a1
from overread.report.markdown import table_to_markdown

ECGS = 2_050_000


def printed(shared: Path) -> dict[str, dict[str, str]]:
    with (shared / "table_a1.csv").open(encoding="utf-8") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def label_table(rows: dict[str, dict[str, str]], ecgs: int, scale: int) -> pl.DataFrame:
    """Every label's cells laid out over the ECGs, beginning at another ECG for each label."""
    columns = {}
    for number, (label, row) in enumerate(rows.items()):
        added, removed = int(row["added"]) // scale, int(row["removed"]) // scale
        both = int(row["machine"]) // scale - removed
        cells = np.full(ecgs, 3, np.int8)
        cells[: both + removed + added] = np.repeat([0, 1, 2], [both, removed, added])
        cells = np.roll(cells, number * 137_911)
        columns[f"machine_{label}"] = (cells < 2).astype(np.int8)
        columns[f"expert_{label}"] = np.isin(cells, (0, 2)).astype(np.int8)
    return pl.DataFrame(columns)


def test_s01_table_a1_at_full_size_to_the_digit(
    shared: Path, compare: Callable[..., Discrepancy]
) -> None:
    rows = printed(shared)
    found = compare(label_table(rows, ECGS, 1))
    assert found.pairs.n == ECGS
    assert found.labels == tuple(rows)
    for row in found.counts.iter_rows(named=True):
        paper = rows[row["label"]]
        for key in ("machine", "over_read", "disagreement", "added", "removed"):
            assert row[key] == int(paper[key]), (row["label"], key)
        for key in ("added_pct", "removed_pct"):
            digits = len(paper[key].partition(".")[2])
            assert round(row[key], digits) == float(paper[key]), (row["label"], key)


def test_s01_the_printed_table_is_that_of_the_paper(
    shared: Path, compare: Callable[..., Discrepancy]
) -> None:
    """Two decimals with their signs, thousands apart: the first and the last row as printed."""
    rows = {
        label: row for label, row in printed(shared).items() if label in ("rvh", "posterior_mi")
    }
    found = compare(label_table(rows, 60_000, 1))
    lines = table_to_markdown(table_a1(found.counts, str)).splitlines()
    cells = [
        [cell.strip() for cell in line.replace("\\", "").strip("|").split("|")] for line in lines
    ]
    assert ["rvh", "13,157", "42,192", "31,579", "+230.35%", "−9.67%"] in cells
    assert ["posterior_mi", "7,183", "28,908", "26,035", "+332.45%", "−30.00%"] in cells


def test_s05_p_of_sinus_rhythm_underflows_and_z_tells(
    shared: Path, compare: Callable[..., Discrepancy]
) -> None:
    """b + c = 43,848: (c - b) / sqrt(b + c) = 22,382 / 209.4 = 106.9."""
    rows = {"sinus_rhythm": printed(shared)["sinus_rhythm"]}
    found = compare(label_table(rows, ECGS, 1))
    row = found.agreement.row(0, named=True)
    assert row["p"] == 0
    assert row["z"] == pytest.approx(22_382 / 43_848**0.5)
    assert row["difference_low"] < 22_382 / ECGS < row["difference_high"]
    tables = {one.name: one for one in found.document().tables}
    shown = table_to_markdown(tables["machine_against_expert"])
    assert "< 1e-300" in shown.replace("&lt;", "<")
    assert "106.9" in shown
