"""Calibration by hand counts, scikit-learn and statsmodels, and at the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from overread.errors import UsageError
from overread.stats.calibration import (
    brier,
    calibration_line,
    fit_logistic,
    log_odds,
    net_benefit,
    reliability,
)
from overread.stats.proportions import clopper_pearson


def clustered(seed: int, patients: int = 300, slope: float = 1.0):
    """Truth, probabilities whose log odds are off by a slope, and patients with several ECGs."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), np.minimum(random.geometric(0.4, patients), 12))
    own, noise = random.standard_normal(patients)[patient], random.standard_normal(len(patient))
    z = own + noise - 1
    truth = random.random(len(z)) < 1 / (1 + np.exp(-z))
    return truth.astype(int), 1 / (1 + np.exp(-z / slope)), patient


def test_brier_score_is_scikit_learns():
    assert brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3], np.arange(4)).value == pytest.approx(0.0375)
    truth, p, patient = clustered(0)
    found = brier(truth, p, patient)
    assert found.value == pytest.approx(brier_score_loss(truth, p), abs=1e-14)
    assert found.low < found.value < found.high
    assert np.isnan(brier([], [], np.zeros(0, int))).all()
    perfect = brier([0, 1], [0.0, 1.0], np.arange(2))
    assert perfect.value == 0
    assert np.isnan(perfect.low)


def test_brier_error_is_that_of_resampled_patients():
    truth, p, patient = clustered(1)
    random = np.random.default_rng(0)
    rows = [np.flatnonzero(patient == one) for one in range(300)]
    drawn = []
    for _ in range(600):
        at = np.concatenate([rows[one] for one in random.integers(0, 300, 300)])
        drawn.append(brier_score_loss(truth[at], p[at]))
    assert brier(truth, p, patient).se == pytest.approx(np.std(drawn), rel=0.1)


@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_fit_is_scikit_learns_logistic_regression(shift):
    random = np.random.default_rng(3)
    scores = random.standard_normal(400) * 0.05 + 0.2  # similarities have a narrow range
    truth = random.random(400) < 1 / (1 + np.exp(-(scores - 0.2) * 40 - shift))
    n1, n0 = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    # A target between 0 and 1 is a case of either kind, weighted by it.
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    model.fit(
        np.tile(20 * scores, 2)[:, None],
        np.repeat([1, 0], 400),
        np.concatenate([target, 1 - target]),
    )
    fit = fit_logistic(truth, scores)
    assert fit.intercept == pytest.approx(model.intercept_[0], rel=1e-4)
    assert fit.slope == pytest.approx(20 * model.coef_[0, 0], rel=1e-4)
    np.testing.assert_allclose(
        fit.probability(scores), model.predict_proba(20 * scores[:, None])[:, 1], atol=1e-5
    )


def test_scores_that_set_labels_wholly_apart_have_a_finite_fit():
    fit = fit_logistic([0, 0, 0, 1, 1], [-2.0, -1, 0, 1, 2])
    assert 0 < fit.slope < 10
    low, high = fit.probability([0, 1])
    # At the optimum the probabilities add up to Platt's targets: 3 of 1/5 and 2 of 3/4.
    assert fit.probability([-2.0, -1, 0, 1, 2]).sum() == pytest.approx(3 / 5 + 2 * 3 / 4)
    assert low < 0.5 < high


def test_r16_nothing_is_fitted_without_both_kinds():
    assert fit_logistic([0, 0], [0.1, 0.2]) is None
    assert fit_logistic([1, 1], [0.1, 0.2]) is None
    assert fit_logistic([], []) is None
    assert fit_logistic([0, 1], [0.3, 0.3]) is None
    for truth, p in (([0, 0], [0.1, 0.2]), ([1], [0.5]), ([], [])):
        line = calibration_line(truth, p, np.arange(len(truth)))
        assert np.isnan(np.array(line)).all()


@given(
    truth=arrays(np.int8, 10, elements=st.integers(0, 1)),
    p=arrays(np.float32, 10, elements=st.sampled_from([0.0, 1e-30, 0.1, 0.5, 0.75, 1.0])),
)
def test_s11_zero_and_one_are_no_error(truth, p):
    fit = fit_logistic(truth, log_odds(p))
    if fit is not None:
        fitted = fit.probability(log_odds(p))
        assert ((fitted >= 0) & (fitted <= 1)).all()
    line = calibration_line(truth, p, np.arange(10))
    estimable = 0 < truth.sum() < 10
    assert np.isfinite(line.in_the_large.value) == estimable
    assert estimable or np.isnan(line.slope.value)


@pytest.mark.parametrize("slope", [1.0, 0.6, 1.5])
def test_calibration_line_is_statsmodels_with_errors_clustered_by_patient(slope):
    import statsmodels.api as sm

    truth, p, patient = clustered(5, slope=slope)
    x = np.log(p / (1 - p))
    options = {"cov_type": "cluster", "cov_kwds": {"groups": patient, "use_correction": False}}
    line = calibration_line(truth, p, patient)
    free = sm.GLM(truth, sm.add_constant(x), sm.families.Binomial()).fit(**options)
    held = sm.GLM(truth, np.ones(len(x)), sm.families.Binomial(), offset=x).fit(**options)
    for found, model, at in ((line.slope, free, 1), (line.in_the_large, held, 0)):
        expected = [model.params[at], model.bse[at], *model.conf_int()[at]]
        assert [float(part) for part in found] == pytest.approx(expected, rel=1e-6)


def test_scores_calibrated_on_validation_are_calibrated_on_others():
    truth, p, _ = clustered(6, patients=4000, slope=0.4)
    again, others, patient = clustered(7, patients=4000, slope=0.4)
    before = calibration_line(again, others, patient)
    assert before.slope.high < 0.6  # far too extreme
    fit = fit_logistic(truth, log_odds(p))
    assert fit.slope == pytest.approx(0.4, abs=0.03)
    after = calibration_line(again, fit.probability(log_odds(others)), patient)
    assert after.slope.low < 1 < after.slope.high
    assert after.in_the_large.low < 0 < after.in_the_large.high


def test_a_slope_of_separated_labels_is_not_estimable():
    line = calibration_line([0, 0, 1], [0.1, 0.2, 0.9], np.arange(3))
    assert np.isnan(np.array(line.slope)).all()
    assert np.isfinite(line.in_the_large.value)


def test_bins_are_scikit_learns():
    truth, p, patient = clustered(2)
    found = reliability(truth, p, patient, replicates=50)
    observed, predicted = calibration_curve(truth, p, n_bins=10)
    held = found.n > 0
    assert found.predicted[held] == pytest.approx(predicted, abs=1e-14)
    assert found.observed.value[held] == pytest.approx(observed, abs=1e-14)
    assert found.n.sum() == len(truth)
    assert (found.observed.low[held] <= found.observed.value[held]).all()
    assert (found.observed.high[held] >= found.observed.value[held]).all()


def test_s11_bins_tell_their_number_and_stay_empty():
    truth, p = [0, 0, 1, 1, 1, 0], [0.0, 0.1, 0.25, 0.99, 1.0, 0.5]
    edges, n, predicted, observed = reliability(truth, p, np.arange(6), bins=4, replicates=20)
    assert edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert n.tolist() == [2, 1, 1, 2]
    assert predicted.tolist() == pytest.approx([0.05, 0.25, 0.5, 0.995])
    assert observed.value.tolist() == [0, 1, 0, 1]
    # One case says next to nothing, and the interval shows it.
    assert (observed.low[1], observed.high[1]) == clopper_pearson(1, 1)
    empty = reliability([1], [1.0], np.zeros(1, int), bins=3, replicates=20)
    assert empty.n.tolist() == [0, 0, 1]
    assert np.isnan(np.array(empty.observed)[:, :2]).all()
    assert reliability([], [], np.zeros(0, int), bins=2).n.tolist() == [0, 0]
    assert np.isnan(reliability(truth, p, bins=4).observed.low).all()


def test_net_benefit_by_hand():
    # 20 cases, 4 of them positive; a test that is right in 3 of the 4 and alarms in 2 others.
    truth = np.repeat([1, 1, 0, 0], [3, 1, 2, 14])
    p = np.repeat([0.9, 0.1, 0.9, 0.1], [3, 1, 2, 14])
    found = net_benefit(truth, p, [0.0, 0.05, 0.2, 0.5, 0.95])
    # At 0 and .05 all are called: 4/20 less 16/20 at the odds; at .95 none is.
    assert found.tolist() == pytest.approx(
        [0.2, 0.2 - 0.8 / 19, 0.15 - 0.1 / 4, 0.15 - 0.1, 0], abs=1e-15
    )


def test_what_is_no_probability_is_refused():
    with pytest.raises(UsageError, match="2 of 3 values lie outside 0 to 1"):
        brier([0, 1, 1], [-0.2, 0.5, 3], np.arange(3))
    with pytest.raises(UsageError, match="1 of 2 scores are not finite"):
        brier([0, 1], [0.5, float("nan")], np.arange(2))
    with pytest.raises(UsageError, match="1 itself has no odds"):
        net_benefit([0, 1], [0.5, 0.5], [1.0])
    with pytest.raises(UsageError, match="bins is 0"):
        reliability([0], [0.5], bins=0)


@pytest.mark.slow
def test_s06_limits_cover_where_patients_have_several_ecgs():
    """A calibrated model: the true line is 0 and 1, the true Brier score the mean of p (1 - p)."""
    _, many, _ = clustered(99, patients=400_000)
    true_brier = float(np.mean(many * (1 - many)))
    covered = []
    for seed in range(1000):
        truth, p, patient = clustered(seed)
        line, score = calibration_line(truth, p, patient), brier(truth, p, patient)
        covered.append([
            part.low <= value <= part.high
            for part, value in ((line.in_the_large, 0), (line.slope, 1), (score, true_brier))
        ])  # fmt: skip
    assert ((np.mean(covered, 0) >= 0.93) & (np.mean(covered, 0) <= 0.97)).all(), covered
