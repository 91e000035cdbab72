"""Curves of runs: the figures agree with the table, and decisions are dots."""

from __future__ import annotations

import numpy as np
import pytest

from overread.evaluate.curves import section
from overread.evaluate.measure import measure
from tests.evaluate.invented import evaluated
from tests.report.test_figures import axes_of, texts


def measures(**runs):
    return measure(evaluated(1, **runs), replicates=50)


def test_the_key_tells_the_areas_of_the_table():
    found = measures(net="probability", clip="similarity")
    macro, roc, pr = section(found).items
    assert [item.name for item in (macro, roc, pr)] == ["curves_macro", "curves_roc", "curves_pr"]
    row = found.row(0)
    area, low, high = (getattr(found.bounds(row), part)[-1, 0] for part in ("value", "low", "high"))
    assert f"net  AUROC {100 * area:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in texts(macro)
    assert {"Atrial Fibrillation", "LBBB", "RVH"} <= set(texts(roc))
    # net and clip rank alike, for one is a function of the other.
    first, second = (axes_of(pr)[0].lines[at].get_ydata() for at in (1, 2))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_the_area_under_the_mean_curve_is_the_macro_mean():
    found = measures(net="score")
    drawn = axes_of(section(found).items[0])[0].lines[1]
    area = np.trapezoid(drawn.get_ydata(), drawn.get_xdata())
    assert abs(area - found.values[found.row(0), -1, 0]) < 0.003


@pytest.mark.parametrize("kind", ["score", "decision"])
def test_the_mean_curve_is_over_the_labels_of_the_macro_mean(kind):
    ecgs = evaluated(1, net=kind)
    ecgs.truth["expert"][:, 2] = ecgs.patient < 2  # too few patients for the mean
    found = measure(ecgs, replicates=20)
    macro = section(found).items[0]
    assert "mean of 2 of 3 labels" in texts(macro)
    lines = axes_of(macro)[0].lines[1:]
    line = next((one for one in lines if one.get_marker() == "o"), lines[0])
    x, y = (np.concatenate([[0], part, [1]]) for part in (line.get_xdata(), line.get_ydata()))
    assert abs(np.trapezoid(y, x) - found.values[found.row(0), -1, 0]) < 0.005


def test_decisions_are_dots_at_their_sensitivity():
    found = measures(net="score", reader="decision")
    macro, roc, pr = section(found).items
    truth, called = found.evaluated.truth["expert"], found.evaluated.models[1].values == 1
    for figure, axes in ((roc, 0), (pr, 0)):
        (dot,) = [line for line in axes_of(figure)[axes].lines if line.get_marker() == "o"]
        sensitivity = (called & (truth == 1))[:, 0].sum() / (truth[:, 0] == 1).sum()
        other = dot.get_ydata()[0] if figure is roc else dot.get_xdata()[0]
        assert abs(other - sensitivity) < 1e-12
    assert [line.get_marker() for line in axes_of(macro)[0].lines].count("o") == 1


def test_decisions_alone_have_no_curves_by_label():
    assert [item.name for item in section(measures(reader="decision")).items] == ["curves_macro"]


def test_r16_a_label_without_positives_says_so_and_the_mean_counts_it_out():
    ecgs = evaluated(1, rvh=0.0, net="score")
    macro, roc, _ = section(measure(ecgs, replicates=20)).items
    assert "mean of 2 of 3 labels" in texts(macro)
    assert "n/a (0 positive)" in texts(roc)


def test_s10_an_unknown_label_is_no_curve():
    ecgs = evaluated(1, net="score")
    ecgs.truth["expert"][:] = -1
    macro, roc, _ = section(measure(ecgs, replicates=20)).items
    assert "no label" in texts(macro)
    assert texts(roc).count("n/a (no ECG)") == 3
