"""Calibration of runs: fitted on validation, judged on the test ECGs."""

from __future__ import annotations

import numpy as np
import pytest

from overread.evaluate.calibrated import section
from overread.report.table import Gap
from overread.stats.calibration import brier, fit_logistic, log_odds
from tests.evaluate.invented import splits
from tests.evaluate.test_decisions import rows_of


def test_each_run_has_a_table_and_diagrams():
    found = section(splits(net="probability", clip="similarity", reader="decision"))
    assert [item.name for item in found.items] == [
        "calibration_0", "calibration_0_diagrams", "calibration_1", "calibration_1_diagrams",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["probability", "similarity"])
def test_scores_become_probabilities_by_the_validation_ecgs(kind):
    both = splits(net=kind)
    table, diagrams = section(both).items
    rows = rows_of(table)
    scale = log_odds if kind == "probability" else np.asarray
    for at, row in enumerate(rows.values()):
        chosen, truth = (one.truth["expert"][:, at] for one in (both.validation, both.test))
        fit = fit_logistic(
            chosen[chosen >= 0], scale(both.validation.models[0].values[chosen >= 0, at])
        )
        assert (row["intercept"], row["fitted_slope"]) == fit
        known = truth >= 0
        p = fit.probability(scale(both.test.models[0].values[known, at]))
        assert row["brier"].value == brier(truth[known], p, both.test.patient[known]).value
        # Both splits were invented alike, so what was fitted on one holds for the other.
        assert row["in_the_large"].low - 0.3 < 0 < row["in_the_large"].high + 0.3
        assert row["slope"].value == pytest.approx(1, abs=0.4)
        assert (row["ecgs"], row["positive"]) == (known.sum(), (truth == 1).sum())
    said = diagrams.svg()
    assert ("before calibration" in said) == (kind == "probability")
    assert "Atrial Fibrillation" in said


def test_a_net_that_weighs_positives_up_is_far_off_before_and_not_after():
    given = rows_of(section(splits(validation=False, net="probability")).items[0])
    fitted = rows_of(section(splits(net="probability")).items[0])
    assert "intercept" not in given["LBBB"]
    assert given["LBBB"]["in_the_large"].high < -0.5  # too high on the whole
    assert given["LBBB"]["brier"].value > fitted["LBBB"]["brier"].value


def test_r16_a_label_without_positives_in_validation_says_so():
    table, diagrams = section(splits(rvh=0.0, net="similarity")).items
    row = rows_of(table)["RVH"]
    assert row["intercept"] == row["brier"] == row["slope"] == Gap("n/a")
    assert "No fit: RVH (0 positive in validation)." in table.notes
    assert "n/a (0 positive in validation)" in diagrams.alt


def test_r16_a_label_without_positives_among_the_test_ecgs_has_a_brier_score_alone():
    both = splits(net="probability")
    both.test.truth["expert"][:, 2] = 0
    row = rows_of(section(both).items[0])["RVH"]
    assert row["positive"] == 0
    assert row["brier"].value > 0
    assert row["in_the_large"] == row["slope"] == Gap("n/a (0 positive)")


def test_labels_that_no_test_ecg_has_known_are_drawn_empty():
    both = splits(net="probability")
    both.test.truth["expert"][:, 2] = -1
    table, diagrams = section(both).items
    assert rows_of(table)["RVH"]["brier"] == Gap("n/a (no ECG)")
    assert "n/a (no ECG)" in diagrams.alt


def test_decisions_and_scores_without_validation_have_nothing_to_judge():
    assert section(splits(validation=False, clip="similarity", reader="decision")) is None
    assert section(splits(reader="decision")) is None
