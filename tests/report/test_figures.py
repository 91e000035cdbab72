"""Figures show the numbers given to them, take any words, and carry nothing of who drew them."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from overread.report.cells import plain
from overread.report.figures import (
    Change,
    Point,
    added_removed,
    estimates,
    flow_matrix,
    trends,
)
from overread.report.palette import ADDED, MUTED, REMOVED
from overread.report.table import Column, Estimate, Gap
from tests.report.conftest import HOSTILE, TABLE_A1, figures_of

KAPPA = Column("kappa", "Kappa", "number", interval=True)
SVG = "{http://www.w3.org/2000/svg}"


def texts(figure) -> list[str]:
    return [element.text for element in ElementTree.fromstring(figure.svg()).iter(f"{SVG}text")]


def axes_of(figure):
    import matplotlib

    with matplotlib.rc_context():
        return figure.draw().axes


def bars(figure) -> list[float]:
    return [round(bar.get_width(), 2) for bar in axes_of(figure)[0].patches if bar.get_height() < 1]


@pytest.mark.parametrize("number", range(4))
def test_e05_words_are_drawn_as_they_are(number):
    figure = figures_of(HOSTILE)[number]
    words = " ".join(texts(figure))
    assert plain(HOSTILE[3]) in words
    assert r"$\frac{1}{0$" in words
    assert "<script>alert(1)</script>" in words
    assert "script" not in re.findall(r"<(\w+)", figure.svg())
    assert figure.png(40).startswith(b"\x89PNG")


@pytest.mark.parametrize("number", range(4))
def test_e11_no_file_says_who_drew_it_when_or_where(number):
    figure = figures_of(("a", "b"))[number]
    for content in (figure.svg().encode(), figure.png(), figure.pdf()):
        for trace in (
            b"matplotlib", b"Matplotlib", b"metadata", b"CreationDate", b"/Producer", b"/Creator",
            b"Software", b"dc:date", str(Path.home()).encode() + b"/", str(Path.cwd()).encode(),
        ):  # fmt: skip
            assert trace not in content
        if len(getpass.getuser()) > 4:
            assert getpass.getuser().encode() not in content


@pytest.mark.parametrize("number", range(4))
def test_d02_the_same_numbers_give_the_same_bytes(number):
    one, two = figures_of(("a", "b"))[number], figures_of(("a", "b"))[number]
    assert (one.svg(), one.png(), one.pdf()) == (two.svg(), two.png(), two.pdf())


def test_drawing_leaves_the_callers_settings_alone():
    import matplotlib

    with matplotlib.rc_context({"font.size": 31.0}):
        figures_of(("a",))[0].svg()
        assert matplotlib.rcParams["font.size"] == 31.0


def test_bars_are_percent_of_the_machine_count_and_end_broken_at_100():
    changes = [Change(label, m, added, removed) for label, m, _, added, removed in TABLE_A1]
    figure = added_removed(changes, name="f", title="T")
    assert bars(figure) == [1.81, -0.59, 85.45, -16.98, 100.0, -30.0]
    words = texts(figure)
    # As the paper's table has them, to one decimal.
    for text in ("+1.8% (33,115)", "−0.6% (10,733)", "+332.5% (23,880)", "−30.0% (2,155)"):
        assert text in words
    assert "Posterior MI: +332.5% (23,880) added, −30.0% (2,155) removed" in figure.alt


def test_s02_few_ecgs_are_counts_and_no_machine_reading_is_no_percent():
    few = [Change("AF", 9, 1, 2), Change("RVH", 0, 3, 0), Change("LVH", 14, Gap("<11"), 0)]
    figure = added_removed(few, name="f", title="T")
    assert bars(figure) == [1, -2, 3, 0, 0, 0]
    assert not [text for text in texts(figure) if "%" in text]
    mixed = added_removed([*few, Change("Sinus", 1000, 10, 20)], name="f", title="T")
    assert bars(mixed) == [0, 0, 0, 0, 0, 0, 1.0, -2.0]
    assert {"3 ECGs", "1 ECG", "<11", "+1.0% (10)"} <= set(texts(mixed))


def test_estimates_say_their_numbers_and_why_there_is_none():
    rows = [("AF", Estimate(0.79, 0.68, 0.91)), ("RVH", Gap("not estimable"))]
    figure = estimates(rows, KAPPA, name="f", title="T")
    assert {"0.79 [0.68, 0.91]", "not estimable", "AF", "RVH"} <= set(texts(figure))
    (axes,) = axes_of(figure)
    spans = [line.get_xdata() for line in axes.lines]
    assert [list(map(float, span)) for span in spans[:2]] == [[0.68, 0.91], [0.79]]
    low, high = axes.get_xlim()
    assert low < 0 < 1 < high
    negative = estimates([("AF", Estimate(-0.2, -0.5, 0.1))], KAPPA, name="f", title="T")
    assert axes_of(negative)[0].get_xlim()[0] < -0.5


def test_flow_matrix_leaves_empty_cells_blank():
    figure = flow_matrix(
        ("AF", "Flutter"),
        ("AF", "Flutter", "nothing"),
        ((None, 21847, 0), (Gap("<11"), None, 5)),
        name="f",
        title="T",
    )
    inside = [t for t in texts(figure) if re.fullmatch(r"[\d,<]+", t)]
    assert inside == ["21,847", "5", "<11"]
    assert "AF to Flutter: 21,847; Flutter to nothing: 5" in figure.alt


def test_trend_points_of_few_ecgs_are_hollow_and_do_not_set_the_scale():
    points = [
        Point("2018", 5000, 10.0, 2.0),
        Point("2019", 4, 400.0, 3.0),
        Point("2020", 6000, 12.0, Gap("<11")),
    ]
    (axes,) = axes_of(trends([("AF", points)], name="f", title="T"))
    assert axes.get_ylim() == (0, pytest.approx(12 * 1.15))
    dots = {
        (line.get_marker(), line.get_color(), line.get_markerfacecolor()): list(line.get_xdata())
        for line in axes.lines
        if line.get_marker() != "None"
    }
    assert dots == {
        ("o", ADDED, ADDED): [0, 2],
        ("^", ADDED, "white"): [1],
        ("o", REMOVED, REMOVED): [0],
        ("o", REMOVED, "white"): [1],
    }


@pytest.mark.parametrize(
    "figure",
    [
        added_removed([], name="f", title="T"),
        estimates([], KAPPA, name="f", title="T"),
        flow_matrix([], [], [], name="f", title="T"),
        flow_matrix(["a"], ["b"], [[None]], name="f", title="T"),
        trends([], name="f", title="T"),
        trends([("a", [Point("2020", 0, Gap("n/a"), Gap("n/a"))])], name="f", title="T"),
        added_removed([Change("a", Gap("<11"), Gap("<11"), Gap("<11"))], name="f", title="T"),
        added_removed([Change("a", 0, 0, 0)], name="f", title="T"),
    ],
)
def test_a_figure_of_nothing_is_drawn(figure):
    assert ElementTree.fromstring(figure.svg()).tag == f"{SVG}svg"


@pytest.mark.parametrize("colour", [ADDED, REMOVED, MUTED])
def test_small_text_can_be_read_on_white(colour):
    """WCAG 2.2, success criterion 1.4.3: a contrast of at least 4.5 to 1."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5


def test_the_page_has_the_colours_of_the_figures():
    css = Path("overread/report/templates/page.css")
    text = (Path(__file__).resolve().parents[2] / css).read_text().upper()
    assert f"--ADDED: {ADDED}" in text
    assert f"--REMOVED: {REMOVED}" in text
    assert f"--MUTED: {MUTED}".upper() in text
