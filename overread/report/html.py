"""A table as an HTML fragment; the page around it is made in `overread.report.page`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from overread.report.cells import plain, shown
from overread.report.table import Gap, Table

if TYPE_CHECKING:
    from jinja2 import Environment

#: Letters, gaps between columns among them, that fit across a page of paper and a screen.
_PAPER: Final = 90
_SCREEN: Final = 110
#: Beyond this, intervals stand below their numbers.
_STACKED: Final = 150
_LONG_TEXT: Final = 40
_MANY_COLUMNS: Final = 9
#: So many rows are not torn apart on paper.
_SHORT: Final = 15


@cache
def templates() -> Environment:
    """The package's templates: everything put in is escaped, a missing name is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("overread.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Text of any origin loses its control characters on the way in.
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters["layout"] = layout
    environment.filters["is_gap"] = lambda cell: isinstance(cell, Gap)
    environment.filters["shown"] = lambda cell, column: shown(column, cell)
    return environment


def layout(table: Table) -> str:
    """Classes for the style sheet: small on paper, on screen too, intervals below their numbers,
    upright headings, one piece.
    """
    cells = zip(*table.rows, strict=True) if table.rows else ()
    letters = sum(
        3 + min(max(len(shown(column, cell)) for cell in column_cells), _LONG_TEXT)
        for column, column_cells in zip(table.columns, cells, strict=False)
    )
    classes = {
        "small": letters > _PAPER,
        "wide": letters > _SCREEN,
        "stacked": letters > _STACKED,
        "upright": len(table.columns) > _MANY_COLUMNS,
        "whole": len(table.rows) <= _SHORT,
    }
    return " ".join(["table", *(name for name, holds in classes.items() if holds)])
