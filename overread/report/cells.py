"""A cell as people read it: the one place where numbers become words. No locale has a say."""

from __future__ import annotations

import re
from typing import Final

from overread.report.table import Cell, Column, Estimate, Gap

MINUS: Final = "\N{MINUS SIGN}"
# Control characters, and the marks that turn the reading direction round: a cell that holds them
# shows something else than it is.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Text in one line, without characters that no one sees but a terminal or browser obeys.

    >>> plain("LVH\x1b[31m\n")
    'LVH [31m '
    """
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _UNSEEN.sub(" ", text))


def shown(column: Column, cell: Cell) -> str:
    """The cell for people: thousands apart, the column's decimals and sign, a real minus.

    A gap shows its reason, an estimate its interval, None nothing.

    >>> shown(Column("n", "N", "count"), 1826249)
    '1,826,249'
    >>> shown(Column("added", "Added", "percent", sign="+"), 1.8133)
    '+1.81%'
    >>> shown(Column("kappa", "Kappa", "number", interval=True), Estimate(0.79, 0.684, 0.91))
    '0.79 [0.68, 0.91]'
    >>> shown(Column("p", "p", "p", digits=3), 2e-9)
    '<\N{NO-BREAK SPACE}0.001'
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        return plain(cell)
    if isinstance(cell, Gap):
        return plain(cell.why)
    if isinstance(cell, Estimate):
        value, low, high = (number(column, limit) for limit in cell)
        return f"{value} [{low.rstrip('%')}, {high.rstrip('%')}]"
    return number(column, cell)


def number(column: Column, value: float) -> str:
    """One number in the way of its column.

    >>> number(Column("removed", "Removed", "percent", sign="-"), 0.5877)
    '−0.59%'
    """
    digits = 0 if column.kind == "count" else column.digits
    text = f"{abs(value):,.{digits}f}"
    is_zero = not float(text.replace(",", ""))
    if column.kind == "p" and is_zero:  # also where it was too small for a float
        return f"<\N{NO-BREAK SPACE}{10.0**-digits:.{digits}f}"
    if is_zero:  # of either sign, or rounded to it
        sign = ""
    elif value < 0 or column.sign == "-":
        sign = MINUS
    else:
        sign = column.sign
    return f"{sign}{text}{'%' if column.kind == 'percent' else ''}"
