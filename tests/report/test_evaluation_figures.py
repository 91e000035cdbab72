"""Curves and reliability diagrams show what they are given, and say where there is nothing."""

from __future__ import annotations

from itertools import combinations
from math import nan
from xml.etree import ElementTree

import numpy as np
import pytest

from overread.report.cells import plain
from overread.report.evaluation_figures import (
    Bin,
    Curve,
    Diagram,
    Panel,
    curves,
    reliability_diagrams,
)
from overread.report.palette import SERIES
from tests.report.conftest import HOSTILE
from tests.report.test_figures import SVG, axes_of, texts

LINE = ([0, 0.5, 1], [0, 0.8, 1], [0, 0.7, nan], [0, 0.9, nan])
DOT = ([0.1], [0.9], [0.8], [0.95])


def panel(title="ROC", drawn=(), why="", words=""):
    found = [Curve(name, *places, words) for name, places in drawn]
    return Panel(title, "5 of 9 ECGs", "1 − specificity", "Sensitivity", (0, 1), found, why)


def lines(axes, *, style=None):
    return [line for line in axes.lines if style is None or line.get_marker() == style]


def test_curves_keep_their_colour_in_every_panel():
    one = panel(drawn=[("a", LINE), ("b", LINE), ("c", DOT)])
    two = panel(drawn=[("c", DOT), ("b", LINE)])
    first, second = axes_of(curves([one, two], name="f", title="T"))
    # The chance line, a, b, and c's interval and dot.
    assert [line.get_color() for line in lines(first)[1:]] == [*SERIES[:2], SERIES[2], SERIES[2]]
    assert [line.get_color() for line in lines(second)[1:]] == [SERIES[2], SERIES[2], SERIES[1]]
    (dot,) = lines(first, style="o")
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([0.1], [0.9])
    assert list(lines(first)[1].get_ydata()) == [0, 0.8, 1]
    assert first.get_xlim() == first.get_ylim() == (0, 1)


def test_words_stand_in_the_key_and_in_the_alternative_text():
    figure = curves(
        [panel("ROC", [("net", LINE)], words="AUROC 91.2"), panel("PR", [("net", LINE)])],
        name="f", title="T",
    )  # fmt: skip
    assert {"net  AUROC 91.2", "ROC", "5 of 9 ECGs", "Sensitivity"} <= set(texts(figure))
    assert "ROC: net AUROC 91.2" in figure.alt


def test_an_empty_panel_says_why():
    figure = curves(
        [panel("AF", [("net", LINE)]), panel("RVH", why="n/a (0 positive)")], name="f", title="T"
    )
    assert "n/a (0 positive)" in texts(figure)
    assert not lines(axes_of(figure)[1])


@pytest.mark.parametrize("many", [1, 2, 3, 6, 7, 8, 13, 26])
def test_panels_stand_inside_the_page_and_apart(many):
    figure = curves([panel(f"L{n}", [("net", LINE)]) for n in range(many)], name="f", title="T")
    frames = [axes.get_position() for axes in axes_of(figure)]
    assert len(frames) == many
    assert all(0 < f.x0 < f.x1 < 1 and 0 < f.y0 < f.y1 < 1 for f in frames)
    assert not any(one.overlaps(other) for one, other in combinations(frames, 2))


def test_many_models_wrap_the_key_onto_lines():
    models = [(f"a model with quite a long name {n}", LINE) for n in range(8)]
    figure = curves([panel(drawn=models) for _ in range(3)], name="f", title="T")
    root = ElementTree.fromstring(figure.svg())
    at = {
        element.text: element.get("transform", element.get("y"))
        for element in root.iter(f"{SVG}text")
    }
    assert {name for name, _ in models} <= set(at)
    assert len({at[name] for name, _ in models}) == 8


def test_s11_bins_of_few_ecgs_are_hollow_and_counts_stand_below():
    bins = [Bin(0.04, 0.05, 0.02, 0.1, 4000), Bin(0.55, 1.0, 0.025, 1.0, 1)]
    figure = reliability_diagrams(
        [Diagram("AF", "d", bins, [(0.1, 0.0), (0.9, 0.4)])], name="f", title="T"
    )
    square, strip = axes_of(figure)
    sure, few = lines(square, style="o")
    assert sure.get_markerfacecolor() == sure.get_color()
    assert few.get_markerfacecolor() == "white"
    spans = [list(map(float, line.get_ydata())) for line in lines(square, style="None")]
    assert [0.025, 1.0] in spans
    assert [0.0, 0.4] in spans  # before calibration
    (bars,) = strip.collections
    tops = [tuple(map(float, ends[1])) for ends in bars.get_segments()]
    assert tops == [(0.05, 4000), (0.55, 1)]
    assert "before calibration" in texts(figure)


def test_a_diagram_without_bins_says_why():
    figure = reliability_diagrams([Diagram("RVH", "d", (), why="n/a")], name="f", title="T")
    assert "n/a" in texts(figure)
    assert "RVH: n/a" in figure.alt
    assert "before calibration" not in texts(figure)


def both(words: str):
    return (
        curves(
            [Panel(words, words, words, words, (0, 1), [Curve(words, *LINE, words)], words)],
            name="f", title=words,
        ),
        reliability_diagrams(
            [
                Diagram(words, words, [Bin(0.5, 0.5, 0.1, 0.9, 30)]),
                Diagram(words, words, (), (), words),
            ],
            name="g", title=words,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("words", HOSTILE)
def test_e05_words_are_drawn_as_they_are(kind, words):
    figure = both(words)[kind]
    text = figure.svg()
    assert "<script" not in text
    drawn = texts(figure)
    assert any(line and plain(words)[:8].strip() in line for line in drawn)


def test_d02_the_same_numbers_give_the_same_bytes():
    for one, two in zip(both("a"), both("a"), strict=True):
        assert (one.svg(), one.pdf()) == (two.svg(), two.pdf())


def test_nothing_at_all_is_drawn():
    for figure in (curves([], name="f", title="T"), reliability_diagrams([], name="f", title="T")):
        assert ElementTree.fromstring(figure.svg()).tag == f"{SVG}svg"


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("colour", SERIES)
def test_names_of_models_can_be_read_on_white(colour):
    """WCAG 2.2, success criterion 1.4.3: a contrast of at least 4.5 to 1."""
    assert 1.05 / (linear(colour) @ (0.2126, 0.7152, 0.0722) + 0.05) >= 4.5


#: What people see who lack a cone, and who do not (Machado, Oliveira, Fernandes 2009).
SEEN = {
    "trichromat": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "protanope": (
        0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998,
    ),
    "deuteranope": (
        0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881,
    ),
    "tritanope": (
        1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900,
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", SEEN)
def test_models_differ_for_all_kinds_of_colour_vision(who):
    """By distance in CIELAB."""

    def lab(colour: str) -> np.ndarray:
        rgb = np.clip(np.array(SEEN[who]).reshape(3, 3) @ linear(colour), 0, 1)
        to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        xyz = np.array(to_xyz) @ rgb / (0.9505, 1, 1.089)
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    apart = [np.linalg.norm(lab(one) - lab(other)) for one, other in combinations(SERIES, 2)]
    assert min(apart) >= 13
