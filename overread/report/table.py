"""The one table value that every stage hands over to be shown: typed cells, no text made yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple

from overread.errors import UsageError


class Gap(NamedTuple):
    """A cell without a number, and why, in a word or two: "<11", "n/a (0 machine)"."""

    why: str


class Estimate(NamedTuple):
    """A number with its confidence limits, in the unit of its column."""

    value: float
    low: float
    high: float


Cell = str | int | float | Estimate | Gap | None

#: What a column holds. ``count``: whole numbers; ``percent``: 1.81 means 1.81 %; ``number``: a
#: plain number such as kappa; ``p``: a p- or q-value; ``text``: words; ``label``: the name that
#: the row is about, shown as a row heading.
Kind = Literal["label", "text", "count", "percent", "number", "p"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: ``key`` names it in files, ``title`` heads it for people.

    ``sign`` is "+" or "-" where people expect it before every value (Table A.1's "+1.81%"); files
    get the bare number. ``digits`` are decimals. ``interval`` says that the cells are `Estimate`s
    (or gaps): files then always have three columns, ``key``, ``key_low`` and ``key_high``.
    """

    key: str
    title: str
    kind: Kind
    digits: int = 2
    sign: Literal["", "+", "-"] = ""
    interval: bool = False

    @property
    def is_text(self) -> bool:
        """Whether the cells are words, to be read from the left."""
        return self.kind in ("label", "text")


@dataclass(frozen=True, slots=True)
class Table:
    """An immutable table: its name in files, its heading, columns, rows and footnotes.

    ``best`` and ``second`` hold (row, key) of cells to be set bold and underlined. Raises
    ``UsageError`` for a cell that its column cannot hold, NaN and infinity among them: what has no
    number is a `Gap`.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    best: frozenset[tuple[int, str]] = frozenset()
    second: frozenset[tuple[int, str]] = frozenset()

    def __post_init__(self) -> None:
        if len({column.key for column in self.columns}) < len(self.columns):
            raise UsageError(f"table {self.name!r}: two columns have the same key")
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise UsageError(
                    f"table {self.name!r}: row {number} has {len(row)} cells for "
                    f"{len(self.columns)} columns"
                )
            for column, cell in zip(self.columns, row, strict=True):
                if problem := _problem(column, cell):
                    raise UsageError(
                        f"table {self.name!r}, row {number}, column {column.key!r}: {problem}"
                    )

    def column(self, key: str) -> Iterator[Cell]:
        """The cells of one column.

        >>> table = Table("t", "T", (Column("n", "N", "count"),), ((3,), (4,)))
        >>> list(table.column("n"))
        [3, 4]
        """
        at = [column.key for column in self.columns].index(key)
        return (row[at] for row in self.rows)


def _problem(column: Column, cell: Cell) -> str:
    """What is wrong with a cell, or nothing."""
    if cell is None or isinstance(cell, Gap):
        return ""
    if column.is_text:
        return "" if isinstance(cell, str) else f"{type(cell).__name__} in a column of text"
    if isinstance(cell, str):
        return "text in a column of numbers"
    numbers = cell if isinstance(cell, Estimate) else (cell,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return f"{type(number).__name__} in a column of numbers"
        if not isfinite(number):
            return f"{number} is no number. Next step: give Gap('not estimable')."
    if column.interval != isinstance(cell, Estimate):
        return f"interval={column.interval}, but the cell is {type(cell).__name__}"
    if column.kind == "count" and not all(number == int(number) for number in numbers):
        return f"{cell} is no count"
    if column.sign == "-" and min(numbers) < 0:
        return f"{cell} is below 0, and the column writes a minus before every value"
    return ""
