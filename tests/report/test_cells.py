"""Cells as people read them. Expected texts are the paper's Table A.1 or written by hand."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.report.cells import plain, shown
from overread.report.table import Column, Estimate, Gap, Table

COUNT = Column("n", "N", "count")
ADDED = Column("added", "Added", "percent", sign="+")
REMOVED = Column("removed", "Removed", "percent", sign="-")
NUMBER = Column("kappa", "Kappa", "number")
KAPPA = Column("kappa", "Kappa", "number", interval=True)
P = Column("p", "p", "p", digits=3)


@pytest.mark.parametrize(
    ("column", "cell", "text"),
    [
        (COUNT, 1826249, "1,826,249"),
        (COUNT, 0, "0"),
        (COUNT, 999, "999"),
        (ADDED, 1.8133, "+1.81%"),
        (ADDED, 1332.4516, "+1,332.45%"),
        (ADDED, -0.5, "−0.50%"),
        (REMOVED, 0.5877, "−0.59%"),
        (NUMBER, -0.125, "−0.12"),
        (KAPPA, Estimate(0.79, 0.684, 0.91), "0.79 [0.68, 0.91]"),
        (KAPPA, Estimate(-0.1, -0.3, 0.1), "−0.10 [−0.30, 0.10]"),
        (Column("a", "A", "percent", digits=1, interval=True), Estimate(91.5, 90.0, 93.0),
         "91.5% [90.0, 93.0]"),
        (P, 0.0321, "0.032"),
        (P, 0.0004, "<\xa00.001"),
        (P, 0.0006, "0.001"),
        (P, 0.0, "<\xa00.001"),
        (COUNT, Gap("<11"), "<11"),
        (COUNT, None, ""),
    ],
)  # fmt: skip
def test_cells(column, cell, text):
    assert shown(column, cell) == text


@pytest.mark.parametrize("column", [ADDED, REMOVED, NUMBER])
@pytest.mark.parametrize("zero", [0, 0.0, -0.0, 0.0049])
def test_what_rounds_to_zero_has_no_sign(column, zero):
    assert shown(column, zero).rstrip("%") == "0.00"


def test_table_a1_reads_as_printed(shared):
    """The paper's own columns, from counts to percent."""
    with (shared / "table_a1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    for row in rows:
        machine = int(row["machine"])
        assert shown(COUNT, machine).replace(",", "") == row["machine"]
        for column, key in ((ADDED, "added"), (REMOVED, "removed")):
            printed = f"{column.sign}{float(row[f'{key}_pct']):.2f}%".replace("-", "−")
            assert shown(column, 100 * int(row[key]) / machine) == printed


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_read_back_to_their_decimals(value):
    text = shown(NUMBER, value)
    assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(value, abs=0.0051)
    assert "nan" not in text
    assert "inf" not in text


@given(st.text())
def test_e03_plain_text_is_one_printable_line(text):
    line = plain(text)
    assert len(line) == len(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line)
    line.encode()  # no half of a surrogate pair


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        (NUMBER, float("nan"), "nan is no number"),
        (NUMBER, float("inf"), "inf is no number"),
        (KAPPA, Estimate(0.5, float("-inf"), 1.0), "-inf is no number"),
        (KAPPA, 0.5, "interval=True"),
        (NUMBER, Estimate(0.5, 0.4, 0.6), "interval=False"),
        (NUMBER, "0.5", "text in a column of numbers"),
        (NUMBER, True, "bool in a column of numbers"),
        (COUNT, 1.5, "no count"),
        (REMOVED, -1.0, "below 0"),
        (Column("label", "Label", "label"), 3, "int in a column of text"),
    ],
)
def test_r16_a_cell_that_is_no_number_is_refused_where_the_table_is_made(column, cell, reason):
    with pytest.raises(UsageError, match=f"'agreement', row 1, column '{column.key}'.*{reason}"):
        Table("agreement", "Agreement", (column,), ((cell,),))


def test_a_key_stands_once_and_rows_are_whole():
    with pytest.raises(UsageError, match="same key"):
        Table("t", "T", (COUNT, COUNT), ())
    with pytest.raises(UsageError, match="row 2 has 2 cells"):
        Table("t", "T", (COUNT,), ((1,), (1, 2)))
