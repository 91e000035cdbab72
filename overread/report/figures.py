"""The figures of a disagreement report, drawn with matplotlib's objects and no global state."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, degrees, log, nan, radians, sin
from typing import TYPE_CHECKING, Final, NamedTuple

from overread.report.canvas import (
    LETTER,
    NORMAL,
    SMALL,
    WIDTH,
    axes_in,
    beside,
    drawing_of,
    longest,
    rows_of,
    short,
    ticks,
)
from overread.report.cells import plain, shown
from overread.report.figure import Figure
from overread.report.palette import ADDED, INK, MUTED, REMOVED, RULE, SHADES
from overread.report.table import Column, Estimate, Gap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

#: Of fewer ECGs a percent would claim more than the count tells.
_PERCENT_FROM: Final = 20
#: Bars end here, broken, with their value written: at 100 % the machine's count doubled.
_LONGEST_BAR: Final = 100.0
_PANELS: Final = 3
_DARK_FROM: Final = 20
#: White text reads better than dark on shades from here on (equal contrast by WCAG).
_DARK_SHARE: Final = 0.66
_WIDEST_CELL: Final = 0.55
_LONGEST_HEAD: Final = 26
_LONGEST_TEXT: Final = 34
_SLANT: Final = radians(40)

_ADDED: Final = Column("added", "Added", "percent", digits=1, sign="+")
_REMOVED: Final = Column("removed", "Removed", "percent", digits=1, sign="-")
_RATE: Final = Column("rate", "Rate", "percent")
_COUNT: Final = Column("n", "N", "count")


class Change(NamedTuple):
    """One label: ECGs that the machine gave it, and in how many the expert changed that."""

    label: str
    machine: int | Gap
    added: int | Gap
    removed: int | Gap


class Point(NamedTuple):
    """One period of a trend: percent added and removed of the ``machine`` ECGs with the label."""

    period: str
    machine: int | Gap
    added: float | Gap
    removed: float | Gap


def added_removed(changes: Sequence[Change], *, name: str, title: str, caption: str = "") -> Figure:
    """Bars to the right for labels that experts added, to the left for those they removed.

    Bars are percent of the machine's count and end at 100 %, broken, where the value is larger;
    the values stand beside them. Where no label has 20 ECGs, bars are ECGs; a label with fewer
    than 20 among larger ones has its counts written and no bar.
    """
    relative = any(_is_enough(change.machine) for change in changes)

    def length(change: Change, count: int | Gap) -> float:
        if isinstance(count, Gap):
            return 0.0
        if not relative:
            return count
        if isinstance(change.machine, Gap) or not _is_enough(change.machine):
            return 0.0
        return min(100 * count / change.machine, _LONGEST_BAR)

    def words(change: Change, count: int | Gap, column: Column) -> str:
        text = shown(_COUNT, count)
        if isinstance(count, Gap) or not relative:
            return text
        if isinstance(change.machine, Gap) or not _is_enough(change.machine):
            return f"{text} {'ECG' if count == 1 else 'ECGs'}"
        return f"{shown(column, 100 * count / change.machine)} ({text})"

    def draw() -> Drawing:
        drawing, axes = rows_of(
            [change.label for change in changes], left=1.9, right=1.2, top=0.5, bottom=0.45
        )
        furthest_left = max([length(change, change.removed) for change in changes], default=0.0)
        furthest_right = max([length(change, change.added) for change in changes], default=0.0)
        room = max(furthest_left, furthest_right, 1.0) / 50
        axes.set_xlim(-furthest_left - room, furthest_right + room)
        for row, change in enumerate(changes):
            beside(axes, row, -1.2, shown(_COUNT, change.machine), colour=MUTED, ha="right")
            for count, column, way, colour in (
                (change.added, _ADDED, 1, ADDED),
                (change.removed, _REMOVED, -1, REMOVED),
            ):
                end = way * length(change, count)
                axes.barh(row, end, height=0.64, color=colour, linewidth=0)
                if relative and abs(end) == _LONGEST_BAR:
                    _break(axes, row, end)
                axes.annotate(
                    words(change, count, column),
                    (end, row),
                    (4 * way, 0),
                    textcoords="offset points",
                    ha="left" if way > 0 else "right",
                    va="center",
                    fontsize=SMALL,
                    color=MUTED if isinstance(count, Gap) else colour,
                )
        axes.axvline(0, color=INK, linewidth=0.8)
        beside(axes, -1.1, -1.2, "Machine", colour=MUTED, ha="right")
        _head(axes, "Removed by expert", -1, REMOVED)
        _head(axes, "Added by expert", 1, ADDED)
        axes.set_xlabel(
            "percent of the machine's count" if relative else "ECGs", fontsize=SMALL, color=MUTED
        )
        ticks(axes, "x", _RATE if relative else _COUNT, mirrored=True)
        return drawing

    said = "; ".join(
        f"{change.label}: {words(change, change.added, _ADDED)} added, "
        f"{words(change, change.removed, _REMOVED)} removed"
        for change in changes
    )
    return Figure(name, title, caption, f"Bars of ECGs changed by the expert. {said}.", draw)


def estimates(
    rows: Sequence[tuple[str, Estimate | Gap]],
    column: Column,
    *,
    name: str,
    title: str,
    caption: str = "",
    zero: bool = True,
) -> Figure:
    """A dot with its interval per label, the numbers beside it; a gap says why there is none.

    ``column`` gives title, unit and decimals. The axis holds 0, and 1 for plain numbers; without
    ``zero`` no more than the intervals.
    """
    known = [value for _, value in rows if isinstance(value, Estimate)]
    ends = [0.0, 1.0 if column.kind == "number" else 0.0] if zero or not known else []
    lowest = min([*ends, *(value.low for value in known)])
    highest = max([*ends, *(value.high for value in known)])

    def draw() -> Drawing:
        texts = [shown(column, value) for _, value in rows]
        right = 0.2 + longest(texts, _LONGEST_TEXT) * LETTER * SMALL
        labels = [label for label, _ in rows]
        drawing, axes = rows_of(labels, left=0.2, right=right, top=0.3, bottom=0.25)
        room = (highest - lowest or 1) / 50
        axes.set_xlim(lowest - room, highest + room)
        for row, (_, value) in enumerate(rows):
            colour = MUTED if isinstance(value, Gap) else INK
            beside(axes, row, 0.1, short(texts[row], _LONGEST_TEXT), colour=colour, edge=1)
            if not isinstance(value, Gap):
                axes.plot((value.low, value.high), (row, row), color=ADDED, linewidth=1.6)
                axes.plot(value.value, row, "o", color=ADDED, markersize=5)
        if zero:
            axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_title(plain(column.title), fontsize=NORMAL, color=MUTED, loc="left")
        ticks(axes, "x", column)
        return drawing

    said = "; ".join(f"{label}: {shown(column, value)}" for label, value in rows)
    return Figure(name, title, caption, f"Dots with intervals, {column.title}. {said}.", draw)


def flow_matrix(
    removed: Sequence[str],
    added: Sequence[str],
    counts: Sequence[Sequence[int | Gap | None]],
    *,
    name: str,
    title: str,
    caption: str = "",
) -> Figure:
    """Counts of ECGs by the label that was removed (rows) and the one added (columns).

    ``counts[r][a]`` belongs to ``removed[r]`` and ``added[a]``; None and 0 stay blank. Darker means
    more, on a logarithmic scale.
    """
    known = [
        (count, row, place)
        for row, line in enumerate(counts)
        for place, count in enumerate(line)
        if count and not isinstance(count, Gap)
    ]
    # Among few ECGs one more makes no cell dark.
    most = max([_DARK_FROM, *(count for count, _, _ in known)])

    def draw() -> Drawing:
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.patches import Rectangle

        shade = LinearSegmentedColormap.from_list("counts", SHADES)
        letters = longest(added, _LONGEST_HEAD) * LETTER * SMALL
        top, right = 0.35 + letters * sin(_SLANT), 0.1 + letters * cos(_SLANT) * 0.8
        drawing, axes = rows_of(removed, left=0.1, right=right, top=top, bottom=0.1)
        frame = axes.get_position()
        frame.x1 = min(frame.x1, frame.x0 + _WIDEST_CELL / WIDTH * max(len(added), 1))
        axes.set_position(frame)
        axes.set_xlim(-0.5, max(len(added), 1) - 0.5)
        axes.set_xticks([])
        for count, row, place in known:
            share = log(count) / log(most)
            axes.add_patch(Rectangle((place - 0.5, row - 0.5), 1, 1, color=shade(share), lw=0))
            colour = "white" if share > _DARK_SHARE else INK
            _inside(axes, row, place, shown(_COUNT, count), len(added), colour)
        for row, line in enumerate(counts):
            for place, gap in enumerate(line):
                if isinstance(gap, Gap):
                    _inside(axes, row, place, plain(gap.why), len(added), MUTED)
        for place, label in enumerate(added):
            axes.annotate(
                short(label, _LONGEST_HEAD),
                (place, -0.5),
                (2, 4),
                textcoords="offset points",
                rotation=degrees(_SLANT),
                rotation_mode="anchor",
                fontsize=SMALL,
                color=INK,
            )
        axes.hlines([row + 0.5 for row in range(-1, len(removed))], *axes.get_xlim(), RULE, lw=0.6)
        axes.vlines([row + 0.5 for row in range(-1, len(added))], *axes.get_ylim(), RULE, lw=0.6)
        for text, left, height, colour in (
            ("Removed by expert", 0.0, top - 0.1, REMOVED),
            ("Added by expert", frame.x0 * WIDTH, 0.12, ADDED),
        ):
            at = (left / WIDTH, 1 - height / drawing.get_figheight())
            drawing.text(*at, text, va="center", fontsize=NORMAL, color=colour)
        return drawing

    said = "; ".join(
        f"{removed[row]} to {added[place]}: {count:,}"
        for count, row, place in sorted(known, key=lambda one: -one[0])[:3]
    )
    alt = f"Matrix of counts, removed by added label. Most frequent: {said or 'none'}."
    return Figure(name, title, caption, alt, draw)


def trends(
    series: Sequence[tuple[str, Sequence[Point]]],
    *,
    name: str,
    title: str,
    caption: str = "",
    sure_from: int = 100,
) -> Figure:
    """One small panel per label: percent added and removed by period, each panel on its own scale.

    Periods with fewer than ``sure_from`` ECGs of the machine are pale and hollow, and an arrow head
    at the top where they lie outside the scale of the others. A gap breaks the line.
    """
    periods = list(dict.fromkeys(point.period for _, points in series for point in points))

    def draw() -> Drawing:
        down = ceil(len(series) / _PANELS)
        drawing = drawing_of(0.35 + 1.5 * max(down, 1))
        for index, (label, points) in enumerate(series):
            row, column = divmod(index, _PANELS)
            axes = axes_in(drawing, 0.45 + 2.45 * column, 0.65 + 1.5 * row, 2.0, 0.9)
            axes.set_title(short(label, 30), fontsize=NORMAL, color=INK, loc="left", pad=5)
            _panel(axes, points, periods, sure_from)
        _key(drawing, sure_from)
        return drawing

    span = f"{len(series)} labels, {periods[0]} to {periods[-1]}" if periods else "no periods"
    return Figure(name, title, caption, f"Lines of percent added and removed: {span}.", draw)


def _panel(axes: Axes, points: Sequence[Point], periods: Sequence[str], sure_from: int) -> None:
    """The two lines of one label."""
    sure = [not isinstance(p.machine, Gap) and p.machine >= sure_from for p in points]
    sides = [[point.added for point in points], [point.removed for point in points]]
    rates = [
        (rate, is_sure)
        for side in sides
        for rate, is_sure in zip(side, sure, strict=True)
        if not isinstance(rate, Gap)
    ]
    # What few ECGs say must not press the others flat.
    top = max([rate for rate, is_sure in rates if is_sure] or [rate for rate, _ in rates] or [0.0])
    top = 1.15 * top or 1.0
    for side, colour in zip(sides, (ADDED, REMOVED), strict=True):
        lines = {True: [nan] * len(periods), False: [nan] * len(periods)}
        dots: dict[tuple[bool, bool], list[tuple[int, float]]] = {}
        for point, rate, is_sure in zip(points, side, sure, strict=True):
            if isinstance(rate, Gap):
                continue
            x, is_off = periods.index(point.period), rate > top
            dots.setdefault((is_sure, is_off), []).append((x, min(rate, top)))
            if not is_off:
                lines[False][x] = rate
                if is_sure:
                    lines[True][x] = rate
        # The pale line goes through all periods, the full one between neighbours that are sure.
        axes.plot(lines[False], color=colour, linewidth=1.2, alpha=0.35)
        axes.plot(lines[True], color=colour, linewidth=1.2)
        for (is_sure, is_off), spots in dots.items():
            axes.plot(
                *zip(*spots, strict=True),
                "^" if is_off else "o",
                color=colour,
                markersize=3.2,
                markerfacecolor=colour if is_sure else "white",
                alpha=1.0 if is_sure else 0.6,
                clip_on=False,
            )
    axes.set_xlim(-0.4, max(len(periods), 1) - 0.6)
    axes.set_ylim(0, top)
    step = max(1, ceil(len(periods) / 5))
    places = range(0, len(periods), step)
    axes.set_xticks(places, [short(periods[place], 10) for place in places])
    ticks(axes, "y", _RATE)


def _key(drawing: Drawing, sure_from: int) -> None:
    """What the signs of a trend mean, in one line on top."""
    from matplotlib.lines import Line2D

    height = 1 - 0.15 / drawing.get_figheight()
    for inches, words, colour, face in (
        (0.5, "Added by expert", ADDED, ADDED),
        (1.9, "Removed by expert", REMOVED, REMOVED),
        (3.45, f"Hollow: fewer than {sure_from:,} ECGs (arrow: off the scale)", MUTED, "white"),
    ):
        left = inches / WIDTH
        dot = Line2D([left], [height], marker="o", markersize=4, color=colour, mfc=face)
        drawing.add_artist(dot)
        drawing.text(left + 0.1 / WIDTH, height, words, va="center", color=colour, fontsize=NORMAL)


def _is_enough(machine: int | Gap) -> bool:
    return not isinstance(machine, Gap) and machine >= _PERCENT_FROM


def _break(axes: Axes, row: int, end: float) -> None:
    """Two slanted white strokes near the end of a bar: it is longer than drawn."""
    for share in (0.93, 0.955):
        axes.plot((end * share, end * (share + 0.015)), (row + 0.4, row - 0.4), color="white", lw=1)


def _head(axes: Axes, text: str, way: int, colour: str) -> None:
    axes.annotate(
        text,
        (0, -0.5),
        (4 * way, 10),
        textcoords="offset points",
        ha="left" if way > 0 else "right",
        va="center",
        fontsize=NORMAL,
        color=colour,
    )


def _inside(axes: Axes, row: int, place: int, text: str, columns: int, colour: str) -> None:
    """A text in a cell of a matrix, smaller where the columns are many."""
    size = min(SMALL, 84 / columns)
    axes.text(place, row, text, ha="center", va="center", fontsize=size, color=colour)
