"""What the figures share: axes with named rows, texts beside them, ticks in a column's unit.

Sizes are inches, those of texts points; every figure is 7.5 inches wide, which an A4 page holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from overread.report.cells import number, plain
from overread.report.palette import INK, MUTED, RULE
from overread.report.table import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

WIDTH: Final = 7.5
POINTS: Final = 72.0  # to the inch
SMALL: Final = 7.0
#: Width of a letter, in inches for each point of its size.
LETTER: Final = 0.6 / POINTS
NORMAL: Final = 8.0
_ROW: Final = 0.27
_LONGEST_LABEL: Final = 34
_FINEST: Final = 6


def drawing_of(height: float) -> Drawing:
    """An empty drawing."""
    from matplotlib.figure import Figure as Drawing

    return Drawing(figsize=(WIDTH, height))


def axes_in(drawing: Drawing, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a distance from the drawing's left and upper edge, without frame and tick marks."""
    whole = drawing.get_figheight()
    axes = drawing.add_axes(
        (left / WIDTH, 1 - (top + height) / whole, width / WIDTH, height / whole)
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
    axes.set_axisbelow(True)
    return axes


def rows_of(
    labels: Sequence[str], *, left: float, right: float, top: float, bottom: float
) -> tuple[Drawing, Axes]:
    """A drawing with one row per label, named at its left edge, and room round the axes.

    ``left`` is the room between names and axes, the others that to the edge of the drawing.
    """
    inner = _ROW * max(len(labels), 1)
    left += 0.1 + LETTER * NORMAL * longest(labels, _LONGEST_LABEL)
    drawing = drawing_of(top + inner + bottom)
    axes = axes_in(drawing, left, top, WIDTH - left - right, inner)
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.set_yticks([])
    for row, label in enumerate(labels):
        beside(axes, row, -left, short(label, _LONGEST_LABEL), size=NORMAL)
    return drawing, axes


def beside(
    axes: Axes,
    row: float,
    inches: float,
    text: str,
    *,
    colour: str = INK,
    ha: Literal["left", "right"] = "left",
    edge: float = 0.0,
    size: float = SMALL,
) -> None:
    """Text in a row, so many inches from the axes' left (``edge`` 0) or right (1) edge."""
    axes.annotate(
        text,
        (edge, row),
        (inches * POINTS, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        ha=ha,
        va="center",
        fontsize=size,
        color=colour,
    )


def ticks(axes: Axes, axis: Literal["x", "y"], column: Column, *, mirrored: bool = False) -> None:
    """A few ticks with hairlines, in the column's unit; ``mirrored``: lengths both ways from 0."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    locator = MaxNLocator(
        6 if axis == "x" else 3, steps=[1, 2, 2.5, 5, 10], integer=column.kind == "count"
    )
    found = (round(float(place), _FINEST) for place in locator.tick_values(low, high))
    places = [place for place in found if low <= place <= high]
    # As many decimals as the ticks need, all of them the same.
    digits = next(d for d in range(_FINEST + 1) if all(round(p, d) == p for p in places))
    unit = replace(column, digits=digits)
    texts = [number(unit, abs(place) if mirrored else place) for place in places]
    if axis == "x":
        axes.set_xticks(places, texts)
    else:
        axes.set_yticks(places, texts)
    axes.grid(axis=axis, color=RULE, linewidth=0.6)


def longest(labels: Sequence[str], limit: int) -> int:
    """Letters of the longest label, once each is cut to the limit."""
    return max((len(short(label, limit)) for label in labels), default=0)


def short(text: str, limit: int) -> str:
    """The text, cut where it is too long for its place.

    >>> short("Right superior axis deviation", 15)
    'Right superior…'
    """
    text = plain(text)
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
