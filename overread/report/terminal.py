"""A table in the terminal, readable from 60 columns on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from overread.report.cells import plain, shown
from overread.report.table import Column, Gap, Table

_GAP = 2  # spaces between columns
#: A column of names is folded rather than wider than this where the room is short.
_NAME_WIDTH = 26


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """A table for rich's ``Console.print``.

    Numbers are never broken over lines: where the columns do not fit side by side, they follow in
    blocks below each other, each with the row's name.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(plain(self.table.title), style="bold")
        for block in self._blocks(options.max_width):
            yield ""
            yield self._drawn(block, options.max_width)
        yield ""
        for note in self.table.notes:
            yield Text(plain(note), style="dim")

    def _blocks(self, room: int) -> Iterator[list[int]]:
        """Column numbers that fit side by side; names of rows lead every block."""
        columns = range(len(self.table.columns))
        names = [number for number in columns if self.table.columns[number].kind == "label"]
        block = names
        for number in columns:
            if number in names:
                continue
            if block != names and self._least([*block, number]) > room:
                yield block
                block = names
            block = [*block, number]
        yield block

    def _least(self, numbers: list[int]) -> int:
        return sum(self._widths(number)[0] + _GAP for number in numbers) - _GAP

    def _widths(self, number: int) -> tuple[int, int]:
        """The least and the wished width of a column: numbers stay whole, words may be folded."""
        column = self.table.columns[number]
        title = plain(column.title)
        least = max(map(cell_len, title.split()), default=1)
        wished = cell_len(title)
        for row in self.table.rows:
            text = shown(column, row[number])
            wished = max(wished, cell_len(text))
            if column.is_text:
                least = max(least, min(cell_len(text), _NAME_WIDTH))
            elif isinstance(row[number], Gap):
                least = max([least, *map(cell_len, text.split())])
            else:
                least = max(least, cell_len(text))
        return least, wished

    def _drawn(self, numbers: list[int], room: int) -> RichTable:
        # rich puts one space of its own between columns.
        drawn = RichTable(
            box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False
        )
        spare = max(room - self._least(numbers), 0)
        for number in numbers:
            column = self.table.columns[number]
            least, wished = self._widths(number)
            width = min(wished, least + spare)
            spare -= width - least
            drawn.add_column(
                Text(plain(column.title)),
                justify="left" if column.is_text else "right",
                vertical="top",
                overflow="fold",
                width=width,
            )
        for row_number in range(len(self.table.rows)):
            drawn.add_row(*(self._cell(row_number, number) for number in numbers))
        return drawn

    def _cell(self, row_number: int, number: int) -> Text:
        column: Column = self.table.columns[number]
        cell = self.table.rows[row_number][number]
        style = ""
        if isinstance(cell, Gap):
            style = "dim"
        elif (row_number, column.key) in self.table.best:
            style = "bold"
        elif (row_number, column.key) in self.table.second:
            style = "underline"
        return Text(shown(column, cell), style=style)
