"""AUROC, AUPRC and DeLong against scikit-learn, published ratings and slow pairwise counts."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.stats.bootstrap import resampling_counts
from overread.stats.ranking import (
    Ranking,
    auroc,
    average_precision,
    delong,
    delong_estimate,
    delong_test,
)

# Few distinct scores, so that ties are frequent; truth with both kinds.
cases = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 3)), min_size=2, max_size=40
).filter(lambda rows: len({y for y, _, w in rows if w}) == 2)


@given(cases)
@settings(deadline=None)  # the first case imports the other library
def test_values_and_weights_are_those_of_scikit_learn(rows):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    for how in (None, weights):
        ranking = Ranking(truth, scores)
        assert ranking.auroc(how) == pytest.approx(
            metrics.roc_auc_score(truth, scores, sample_weight=how), abs=1e-12
        )
        assert ranking.average_precision(how) == pytest.approx(
            metrics.average_precision_score(truth, scores, sample_weight=how), abs=1e-12
        )


def test_continuous_scores_of_many_cases():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    truth = random.random(20_000) < 0.03
    scores = random.normal(truth).astype(np.float32)
    assert auroc(truth, scores) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
    assert average_precision(truth, scores) == pytest.approx(
        metrics.average_precision_score(truth, scores), abs=1e-12
    )


@given(cases)
@settings(deadline=None)
def test_influence_is_the_slope_of_both_areas_by_a_patients_weight(rows):
    truth, scores, patient = (np.array(column) for column in zip(*rows, strict=True))
    ranking = Ranking(truth, scores, patient)
    found = ranking.influence(6)
    step = 1e-5 * np.eye(6)
    slope = [np.subtract(ranking.areas(1 + one), ranking.areas(1 - one)) / 2e-5 for one in step]
    assert found == pytest.approx(np.array(slope), abs=1e-7, nan_ok=True)


def test_s09_squared_influences_add_up_to_delongs_variance():
    random = np.random.default_rng(4)
    truth = random.random(3000) < 0.3
    scores = random.normal(truth).round(1)
    _, covariance = delong(truth, scores)
    influence = Ranking(truth, scores, np.arange(3000)).influence(3000)
    assert influence.sum(0) == pytest.approx(0, abs=1e-12)
    assert (influence[:, 0] ** 2).sum() == pytest.approx(covariance[0, 0], rel=0.002)


def test_a_resample_of_patients_equals_its_repeated_rows():
    random = np.random.default_rng(1)
    patient = random.integers(0, 40, 100)
    truth, scores = random.integers(0, 2, 100), random.integers(0, 9, 100)
    ranking = Ranking(truth, scores)
    for counts in resampling_counts(40, replicates=5):
        weights = counts[patient]
        rows = np.repeat(np.arange(100), weights)
        assert ranking.auroc(weights) == auroc(truth[rows], scores[rows])
        assert ranking.average_precision(weights) == pytest.approx(
            average_precision(truth[rows], scores[rows]), abs=1e-14
        )


def test_weights_of_patients_are_those_of_their_cases():
    random = np.random.default_rng(2)
    patient = random.integers(0, 40, 100)
    truth, scores = random.integers(0, 2, 100), random.integers(0, 9, 100)
    ranking, shared = Ranking(truth, scores), Ranking(truth, scores, patient)
    for counts in resampling_counts(40, replicates=5):
        assert shared.areas(counts) == ranking.areas(counts[patient])
    assert shared.areas() == ranking.areas()
    with pytest.raises(UsageError, match="39 weights are given for 40"):
        shared.auroc(np.ones(39))
    with pytest.raises(UsageError, match="2 patients are given for 3 cases"):
        Ranking([0, 1, 0], [1, 2, 3], [0, 1])


def test_weights_need_not_be_whole():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(3)
    truth, scores, weights = random.integers(0, 2, 50), random.integers(0, 9, 50), random.random(50)
    area, precision = Ranking(truth, scores).areas(weights)
    assert area == pytest.approx(metrics.roc_auc_score(truth, scores, sample_weight=weights))
    assert precision == pytest.approx(
        metrics.average_precision_score(truth, scores, sample_weight=weights)
    )


def test_s10_constant_scores_rank_nothing():
    assert auroc([0, 1, 1], [0.3, 0.3, 0.3]) == 0.5
    assert average_precision([0, 1, 1], [0.3, 0.3, 0.3]) == pytest.approx(2 / 3)


def test_s10_scores_that_are_not_finite_are_refused_and_counted():
    scores = [0.1, float("nan"), float("inf"), 0.2]
    for function in (auroc, average_precision, delong):
        with pytest.raises(UsageError, match="2 of 4 scores are not finite"):
            function([0, 1, 0, 1], scores)
    with pytest.raises(UsageError, match="2 of 4 scores are not finite"):
        delong_test([0, 1, 0, 1], [1, 2, 3, 4], scores)


def test_labels_that_are_not_known_are_refused_and_counted():
    with pytest.raises(UsageError, match="1 of 3 true labels are neither 0 nor 1"):
        auroc([0, 1, -1], [1, 2, 3])
    with pytest.raises(UsageError, match="1 of 3 true labels"):
        auroc([0, 1, float("nan")], [1, 2, 3])
    with pytest.raises(UsageError, match=r"shape \(2,\) and scores \(3,\)"):
        auroc([0, 1], [1, 2, 3])
    with pytest.raises(UsageError, match="3 weights are given for 2 cases"):
        Ranking([0, 1], [1, 2]).auroc(np.ones(3))


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1], []])
def test_r16_without_positives_or_negatives_nothing_is_estimable(truth):
    scores = np.arange(len(truth))
    assert np.isnan(auroc(truth, scores))
    assert np.isnan(average_precision(truth, scores))
    assert np.isnan(delong_estimate(truth, scores)).all()
    assert np.isnan(delong_test(truth, scores, scores)).all()


def test_r16_a_resample_without_positives_is_not_estimable():
    ranking = Ranking([0, 1, 0], [1, 2, 3])
    assert np.isnan(ranking.auroc(np.array([1, 0, 2])))
    assert np.isnan(ranking.average_precision(np.array([1, 0, 2])))


def pairwise(truth, rows):
    """DeLong, DeLong and Clarke-Pearson's equations as they stand, pair by pair."""
    positive = [i for i, y in enumerate(truth) if y]
    negative = [i for i, y in enumerate(truth) if not y]
    psi = np.array(
        [[[(s[i] > s[j]) + 0.5 * (s[i] == s[j]) for j in negative] for i in positive] for s in rows]
    )
    v10, v01 = psi.mean(2), psi.mean(1)
    return psi.mean((1, 2)), np.cov(v10) / len(positive) + np.cov(v01) / len(negative)


@pytest.mark.parametrize("levels", [4, 1000])
def test_s09_delong_is_that_of_the_pairs(levels):
    random = np.random.default_rng(levels)
    truth = random.permutation(np.arange(80) < 23)
    rows = random.integers(0, levels, (3, 80)) + levels // 3 * truth
    areas, covariance = delong(truth, rows)
    slow_areas, slow_covariance = pairwise(truth, rows)
    assert areas == pytest.approx(slow_areas, abs=1e-14)
    assert covariance == pytest.approx(slow_covariance, abs=1e-14)

    difference, z, p = delong_test(truth, rows[0], rows[2])
    contrast = np.array([1, 0, -1])
    expected = difference / sqrt(contrast @ slow_covariance @ contrast)
    assert difference == pytest.approx(slow_areas[0] - slow_areas[2])
    assert z == pytest.approx(expected)
    assert p == pytest.approx(erfc(abs(expected) / sqrt(2)))


def test_s09_delongs_error_is_near_the_bootstraps():
    random = np.random.default_rng(6)
    truth = random.random(400) < 0.3
    scores = random.normal(truth)
    ranking = Ranking(truth, scores)
    drawn = [ranking.auroc(counts) for counts in resampling_counts(400)]
    value, se, low, high = delong_estimate(truth, scores)
    assert np.std(drawn) == pytest.approx(se[0], abs=0.003)
    assert np.quantile(drawn, (0.025, 0.975)) == pytest.approx((low[0], high[0]), abs=0.01)
    assert value[0] == pytest.approx(ranking.auroc(), abs=1e-14)


def test_hanley_and_mcneil_ratings():
    # Radiology 1982;143:29-36, table I: 58 normal and 51 abnormal scans rated 1 to 5.
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    truth = np.repeat([0, 1], [58, 51])
    scores = np.concatenate([np.repeat(range(5), normal), np.repeat(range(5), abnormal)])
    estimate = delong_estimate(truth, scores)
    assert estimate.value[0] == pytest.approx(0.893171, abs=5e-7)
    assert estimate.se[0] == pytest.approx(0.030724, abs=5e-7)


def test_scores_that_rank_alike_do_not_differ():
    random = np.random.default_rng(9)
    truth, scores = random.integers(0, 2, 500), random.normal(size=500)
    assert delong_test(truth, scores, np.exp(scores)) == (0, 0, 1)


def test_a_difference_that_cannot_vary_has_no_test():
    difference, z, p = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 1, 1, 1])
    assert difference == 0.5
    assert np.isnan([z, p]).all()
