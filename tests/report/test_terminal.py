"""Tables in the terminal: whole numbers at any width, nothing that a terminal would obey."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from overread.report.cells import shown
from overread.report.table import Column, Estimate, Gap, Table
from overread.report.terminal import TerminalTable
from tests.report.conftest import counts_table


def printed(table: Table, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False, color_system=None).print(
        TerminalTable(table)
    )
    return out.getvalue()


def wide_table() -> Table:
    names = [f"Right superior axis deviation {n}" for n in range(14)]
    return Table(
        "flows",
        "From label to label",
        (
            Column("removed", "Removed", "label"),
            *(Column(f"to_{n}", name, "count") for n, name in enumerate(names)),
            Column("kappa", "Kappa [95% CI]", "number", digits=3, interval=True),
        ),
        tuple(
            (name, *(1234567 + 100 * row + n for n in range(14)), Estimate(0.5, 0.25, 0.75))
            for row, name in enumerate(names)
        ),
    )


@pytest.mark.parametrize("width", [60, 80, 120, 400])
@pytest.mark.parametrize("make", [counts_table, wide_table])
def test_every_number_is_whole_and_no_line_is_too_long(make, width):
    table = make()
    text = printed(table, width)
    assert max(map(cell_len, text.splitlines())) <= width
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            if not (column.is_text or isinstance(cell, Gap)):
                assert shown(column, cell) in text


def test_blocks_repeat_the_names_of_the_rows():
    text = printed(wide_table(), 80)
    heads = text.count("Removed")
    assert heads > 1
    assert text.count("Right superior axis") >= 14 * heads
    assert printed(wide_table(), 400).count("Removed") == 1


def test_table_at_80_columns():
    lines = [
        line.rstrip().replace("\xa0", " ") for line in printed(counts_table(), 80).splitlines()
    ]
    assert lines == [
        "Machine against over-read",
        "",
        "Label             Machine      Added  Removed              Kappa        p  Note",
        "─" * 80,
        "Sinus Rhythm    1,826,249     +1.81%   −0.59%  0.50 [0.45, 0.55]  < 0.001",
        "Atrial Flutter     25,566    +85.45%  −16.98%  0.50 [0.45, 0.55]  < 0.001",
        "Posterior MI        7,183   +332.45%  −30.00%  0.50 [0.45, 0.55]  < 0.001",
        "RVH                     0     n/a (0      <11      not estimable    1.000  -3 mm",
        "                            machine)",
        "",
        "Percent of the machine's count.",
    ]


def test_e03_control_characters_do_not_reach_the_terminal(hostile):
    (table,) = hostile.tables
    text = printed(table, 100)
    assert not {letter for letter in text if ord(letter) < 32} - {"\n"}
    assert "\u202e" not in text


def test_rich_markup_in_a_label_is_only_text():
    table = Table("t", "[red]T[/red]", (Column("a", "[b]A[/b]", "label"),), (("[i]x[/i]",),))
    text = printed(table, 80)
    assert all(words in text for words in ("[red]T[/red]", "[b]A[/b]", "[i]x[/i]"))
