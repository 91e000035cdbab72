"""The one table value that every stage hands over to be shown: typed cells, no text made yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
    get the bare number. ``digits`` are decimals.
    """

    key: str
    title: str
    kind: Kind
    digits: int = 2
    sign: Literal["", "+", "-"] = ""


@dataclass(frozen=True, slots=True)
class Table:
    """An immutable table: its name in files, its heading, columns, rows and footnotes."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise UsageError(
                    f"table {self.name!r}: row {number} has {len(row)} cells for "
                    f"{len(self.columns)} columns"
                )

    def column(self, key: str) -> Iterator[Cell]:
        """The cells of one column.

        >>> table = Table("t", "T", (Column("n", "N", "count"),), ((3,), (4,)))
        >>> list(table.column("n"))
        [3, 4]
        """
        at = [column.key for column in self.columns].index(key)
        return (row[at] for row in self.rows)
