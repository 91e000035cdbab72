"""The figures of an evaluation: ROC and precision-recall curves, and reliability diagrams."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isnan
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from overread.report.canvas import LETTER, NORMAL, POINTS, SMALL, WIDTH, axes_in, drawing_of, short
from overread.report.cells import plain
from overread.report.figure import Figure
from overread.report.palette import ADDED, INK, MUTED, RULE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

#: A share of fewer ECGs is drawn hollow.
_SURE_FROM: Final = 20
_LONGEST_NAME: Final = 40
_SOLID: Final = "-"
#: So that models differ without colours too.
_DASHES: Final[tuple[Any, ...]] = (_SOLID, (0, (5, 1.5)), (0, (1.2, 1)), (0, (6, 1.5, 1.2, 1.5)))
_FINE: Final[Any] = (0, (2, 2))

# Inches.
_LEFT: Final = 0.5
_HEAD: Final = 0.36
_FOOT: Final = 0.42
_LINE: Final = 0.16
_SAMPLE: Final = 0.26
_STRIP: Final = 0.3
_GAP: Final = 0.2
_Y_TITLE: Final = 0.36


class Curve(NamedTuple):
    """One model's curve: places, heights and limits, all of one length, NaN where there is none.

    ``words`` stand beside its name. A curve of one place is a dot, as of decisions.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    words: str = ""


class Panel(NamedTuple):
    """Curves in a square from 0 to 1.

    ``chance`` (y at x = 0, y at x = 1) is the line of a model that knows nothing. ``detail`` stands
    below the title, ``why`` in a panel without curves.
    """

    title: str
    detail: str
    x_title: str
    y_title: str
    chance: tuple[float, float]
    curves: Sequence[Curve]
    why: str = ""


class Bin(NamedTuple):
    """ECGs of like probability, within a tenth: its mean, the share with the label, how many."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


class Diagram(NamedTuple):
    """One label: the bins that hold ECGs, and (predicted, observed) of those before calibration.

    ``detail`` stands below the title, ``why`` in a diagram without bins.
    """

    title: str
    detail: str
    bins: Sequence[Bin]
    before: Sequence[tuple[float, float]] = ()
    why: str = ""


def curves(panels: Sequence[Panel], *, name: str, title: str, caption: str = "") -> Figure:
    """Curves with light bands, all of a model in its colour; the key stands above the panels.

    Where curves have words, each panel has a key of its own with them.
    """
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    dots = {curve.name for panel in panels for curve in panel.curves if len(curve.x) == 1}
    has_words = any(curve.words for panel in panels for curve in panel.curves)

    def draw() -> Drawing:
        key = [] if has_words else _key(names)
        own = _LINE * len(names) if has_words else 0.0
        drawing, places = _grid(len(panels), _HEAD + own, len(key))
        entries = ((line, left) for line, places in enumerate(key) for left in places)
        for at, (line, left) in enumerate(entries):
            words = short(names[at], _LONGEST_NAME)
            _entry(drawing, left, 0.08 + _LINE * line, words, at, names[at] in dots)
        for panel, (left, top, side, is_first, is_last) in zip(panels, places, strict=True):
            axes = _square(drawing, left, top, side)
            _titled(drawing, left, top - own, panel.title, panel.detail, side)
            if panel.curves:
                axes.plot((0, 1), panel.chance, color=MUTED, linewidth=0.7, linestyle=_FINE)
            else:
                _why(axes, panel.why, side)
            for curve in panel.curves:
                at = names.index(curve.name)
                _drawn(axes, curve, at)
                if has_words:
                    room = int((side - _SAMPLE) / (LETTER * SMALL)) - len(curve.words)
                    words = f"{short(curve.name, room)}  {curve.words}"
                    down = top - own + _LINE * (at + 0.25)
                    _entry(drawing, left, down, words, at, len(curve.x) == 1)
            _outside(axes, axes, panel.x_title, panel.y_title, is_first, is_last)
        return drawing

    said = "; ".join(
        f"{panel.title}: {curve.name} {curve.words}"
        for panel in panels
        for curve in panel.curves
        if curve.words
    )
    alt = f"Curves of {', '.join(names) or 'no model'}, {len(panels)} panels. {said}"
    return Figure(name, title, caption, plain(alt).strip(), draw)


def reliability_diagrams(
    diagrams: Sequence[Diagram], *, name: str, title: str, caption: str = ""
) -> Figure:
    """Per label the share that has it by predicted probability, and how many ECGs that rests on.

    Dots have intervals, and are hollow where fewer than 20 ECGs tell; the pale line is that before
    calibration. The bars below are counts on a logarithmic scale, one for all labels.
    """
    most = max([_SURE_FROM, *(each.n for diagram in diagrams for each in diagram.bins)])

    def draw() -> Drawing:
        drawing, places = _grid(len(diagrams), _HEAD, 1, below=_STRIP + 0.1)
        _reliability_key(drawing, any(diagram.before for diagram in diagrams))
        for diagram, (left, top, side, is_first, is_last) in zip(diagrams, places, strict=True):
            axes = _square(drawing, left, top, side)
            strip = axes_in(drawing, left, top + side + 0.05, side, _STRIP)
            _titled(drawing, left, top, diagram.title, diagram.detail, side)
            if diagram.bins:
                axes.plot((0, 1), (0, 1), color=MUTED, linewidth=0.7, linestyle=_FINE)
            else:
                _why(axes, diagram.why, side)
            if diagram.before:
                axes.plot(*zip(*diagram.before, strict=True), color=MUTED, lw=1.6, alpha=0.45)
            for each in diagram.bins:
                _bin(axes, each)
            _counts(strip, diagram.bins, most, side, is_first)
            _outside(axes, strip, "Predicted probability", "Observed share", is_first, is_last)
        return drawing

    said = "; ".join(f"{each.title}: {each.why or each.detail}" for each in diagrams)
    return Figure(name, title, caption, plain(f"Reliability diagrams. {said}."), draw)


class _Place(NamedTuple):
    left: float
    top: float
    side: float
    is_first: bool  # of its row
    is_last: bool  # of its column


def _grid(
    panels: int, head: float, key_lines: int, below: float = 0.0
) -> tuple[Drawing, list[_Place]]:
    """A drawing for so many squares with room above and below each, and where they go."""
    across = 2 if panels <= 2 else 3 if panels <= 6 else 4 if panels <= 8 else 5
    gap = _GAP if panels > 2 else _LEFT + _GAP  # two panels have scales of their own
    side = (WIDTH - _LEFT - 0.1 - gap * (across - 1)) / across
    row = head + side + below
    key = _LINE * key_lines
    places = [
        _Place(
            _LEFT + (side + gap) * (at % across),
            key + row * (at // across) + head,
            side,
            panels <= 2 or at % across == 0,
            at + across >= panels,
        )
        for at in range(panels)
    ]
    return drawing_of(key + row * max(ceil(panels / across), 1) + _FOOT), places


def _square(drawing: Drawing, left: float, top: float, side: float) -> Axes:
    """Axes from 0 to 1 both ways, with hairlines."""
    axes = axes_in(drawing, left, top, side, side)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    places = [0, 0.5, 1] if side < 2 else [0, 0.2, 0.4, 0.6, 0.8, 1]
    axes.set_xticks(places, [])
    axes.set_yticks(places, [])
    axes.grid(color=RULE, linewidth=0.6)
    return axes


def _outside(
    axes: Axes, lowest: Axes, x_title: str, y_title: str, is_first: bool, is_last: bool
) -> None:
    """Titles and numbers of the scales, at the left of a row and below a column."""
    places = axes.get_yticks()
    texts = [f"{place:g}" for place in places]
    if is_first:
        axes.set_yticks(places, texts)
        _y_title(axes, y_title)
    if is_last:
        lowest.set_xticks(places, texts)
        lowest.set_xlabel(plain(x_title), fontsize=SMALL, color=MUTED, labelpad=2)


def _titled(
    drawing: Drawing, left: float, top: float, title: str, detail: str, side: float
) -> None:
    """Title and detail of a panel above its upper edge."""
    for up, text, size, colour in ((0.24, title, NORMAL, INK), (0.1, detail, SMALL, MUTED)):
        limit = int((side + _GAP) / (LETTER * size))
        _text(drawing, left, top - up, short(text, limit), size, colour)


def _drawn(axes: Axes, curve: Curve, at: int) -> None:
    """A curve with its band, or a dot with its interval."""
    colour, dash = _sign(at)
    if len(curve.x) == 1:
        ends = (curve.low[0], curve.high[0])
        axes.plot((curve.x[0],) * 2, ends, color=colour, linewidth=1.1, clip_on=False, zorder=3)
        axes.plot(curve.x, curve.y, "o", color=colour, markersize=4.5, clip_on=False, zorder=3)
        return
    axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.13, linewidth=0)
    axes.plot(curve.x, curve.y, color=colour, linestyle=dash, linewidth=1.3)


def _bin(axes: Axes, each: Bin) -> None:
    if not isnan(each.low):
        axes.plot((each.predicted,) * 2, (each.low, each.high), color=ADDED, linewidth=1.1)
    face = ADDED if each.n >= _SURE_FROM else "white"
    axes.plot(
        each.predicted, each.observed, "o", color=ADDED, mfc=face, ms=3.6, clip_on=False, zorder=3
    )


def _counts(strip: Axes, bins: Sequence[Bin], most: int, side: float, is_first: bool) -> None:
    """How many ECGs each bin holds, as bars from 1 up on a logarithmic scale."""
    strip.set_xlim(0, 1)
    strip.set_xticks([])
    strip.set_yscale("log")
    strip.set_ylim(0.7, most * 1.5)
    middles = [(min(int(10 * each.predicted + 1e-9), 9) + 0.5) / 10 for each in bins]
    width = 0.084 * side * POINTS
    strip.vlines(middles, 0.7, [each.n for each in bins], color=ADDED, alpha=0.45, linewidth=width)
    digits = len(str(most)) - 1
    strip.set_yticks([1, 10**digits], [])
    strip.minorticks_off()
    strip.grid(axis="y", color=RULE, linewidth=0.6)
    if is_first:
        most_words = f"{10 ** (digits % 3)}{('', 'k', 'M')[digits // 3]}"
        strip.set_yticks([1, 10**digits], ["1", most_words])
        _y_title(strip, "ECGs")


def _y_title(axes: Axes, text: str) -> None:
    """The title of a vertical scale, at the same distance whatever its numbers."""
    axes.annotate(
        plain(text),
        (0, 0.5),
        (-_Y_TITLE * POINTS, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        rotation=90,
        ha="center",
        va="center",
        fontsize=SMALL,
        color=MUTED,
    )


def _why(axes: Axes, why: str, side: float) -> None:
    """Why there is nothing to see."""
    axes.text(
        0.5,
        0.5,
        fill(plain(why), int(side / (LETTER * SMALL))),
        ha="center",
        va="center",
        fontsize=SMALL,
        color=MUTED,
        bbox={"facecolor": "white", "linewidth": 0, "pad": 2},
    )


def _reliability_key(drawing: Drawing, has_before: bool) -> None:
    from matplotlib.lines import Line2D

    height = 1 - 0.08 / drawing.get_figheight()
    dot: dict[str, Any] = {"marker": "o", "markevery": [1], "ms": 3.6, "color": ADDED, "lw": 1.1}
    signs: list[tuple[str, dict[str, Any]]] = [
        ("share with 95% interval", dot),
        (f"of fewer than {_SURE_FROM} ECGs", dot | {"mfc": "white"}),
        ("perfect calibration", {"color": MUTED, "lw": 0.7, "ls": _FINE}),
    ]
    if has_before:
        signs.append(("before calibration", {"color": MUTED, "lw": 1.6, "alpha": 0.45}))
    left = _LEFT
    for words, look in signs:
        ends = [left / WIDTH, (left + _SAMPLE / 2) / WIDTH, (left + _SAMPLE) / WIDTH]
        drawing.add_artist(Line2D(ends, [height] * 3, **look))
        _text(drawing, left + _SAMPLE + 0.06, 0.08, words, SMALL, MUTED)
        left += _SAMPLE + 0.2 + LETTER * SMALL * len(words)


def _key(names: Sequence[str]) -> list[list[float]]:
    """Lines of the key: for each name in turn how far from the left it stands, as many as fit."""
    lines: list[list[float]] = []
    left = WIDTH
    for name in names:
        width = _SAMPLE + 0.25 + LETTER * SMALL * len(short(name, _LONGEST_NAME))
        if left + width > WIDTH:
            left = _LEFT
            lines.append([])
        lines[-1].append(left)
        left += width
    return lines


def _entry(drawing: Drawing, left: float, down: float, words: str, at: int, is_dot: bool) -> None:
    """A sample of a model's line or dot, and words beside it."""
    from matplotlib.lines import Line2D

    colour, dash = _sign(at)
    height = 1 - down / drawing.get_figheight()
    look: dict[str, Any] = {"marker": "o", "ms": 4.5} if is_dot else {"ls": dash, "lw": 1.3}
    ends = [(left + _SAMPLE / 2) / WIDTH] if is_dot else [left / WIDTH, (left + _SAMPLE) / WIDTH]
    drawing.add_artist(Line2D(ends, [height] * len(ends), color=colour, **look))
    _text(drawing, left + _SAMPLE + 0.06, down, words, SMALL, colour)


def _text(drawing: Drawing, left: float, down: float, text: str, size: float, colour: str) -> None:
    at = left / WIDTH, 1 - down / drawing.get_figheight()
    drawing.text(*at, plain(text), fontsize=size, color=colour, va="center")


def _sign(at: int) -> tuple[str, Any]:
    """Colour and dashes of the model in this place; no two of the first 24 have both the same."""
    return SERIES[at % len(SERIES)], _DASHES[(at + at // len(SERIES)) % len(_DASHES)]
