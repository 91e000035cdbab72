"""Curves at fixed places against scikit-learn's, which has all their corners."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from overread.errors import UsageError
from overread.stats.curves import RATES, RECALLS, curves, precision_at, sensitivity_at
from overread.stats.ranking import Ranking


def cases(seed: int, n: int = 200, steps: int = 12):
    """Truth with both kinds, and scores with many ties."""
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.3
    truth[:2] = True, False
    return truth.astype(np.int8), np.round((random.random(n) + 0.6 * truth) * steps) / steps


@pytest.mark.parametrize("seed", range(5))
def test_roc_curve_has_scikit_learns_corners_and_lines_between(seed):
    truth, scores = cases(seed)
    rates, hits, _ = roc_curve(truth, scores, drop_intermediate=False)
    ranking = Ranking(truth, scores)
    highest = [hits[rates == rate].max() for rate in rates]
    assert sensitivity_at(ranking, rates) == pytest.approx(highest, abs=1e-14)
    new = np.flatnonzero(np.diff(rates) > 0)
    middles = (rates[new] + rates[new + 1]) / 2
    assert sensitivity_at(ranking, middles) == pytest.approx(
        (hits[new] + hits[new + 1]) / 2, abs=1e-14
    )


@pytest.mark.parametrize("seed", range(5))
def test_precision_is_that_of_the_highest_threshold_that_reaches_the_recall(seed):
    truth, scores = cases(seed)
    precision, recall, _ = precision_recall_curve(truth, scores)  # the highest threshold last
    places = np.linspace(0.01, 1, 57)
    slow = [precision[np.flatnonzero(recall >= place - 1e-12).max()] for place in places]
    # Its last point, at recall 0, is none that a threshold gives.
    assert precision_at(Ranking(truth, scores), places) == pytest.approx(slow, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_areas_under_the_curves_are_auroc_and_average_precision(seed):
    truth, scores = cases(seed, n=400, steps=9)
    ranking = Ranking(truth, scores)
    positives = int(truth.sum())
    each = precision_at(ranking, np.arange(1, positives + 1) / positives)
    assert each.mean() == pytest.approx(average_precision_score(truth, scores), abs=1e-13)
    fine = np.linspace(0, 1, 200_001)
    area = auc(fine, sensitivity_at(ranking, fine))
    assert area == pytest.approx(roc_auc_score(truth, scores), abs=1e-5)


@given(
    truth=arrays(np.int8, 12, elements=st.integers(0, 1)),
    scores=arrays(np.float64, 12, elements=st.integers(-2, 2).map(float)),
    weights=arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_weights_are_repeated_cases(truth, scores, weights):
    places = np.linspace(0, 1, 9)
    repeated = Ranking(np.repeat(truth, weights), np.repeat(scores, weights))
    for read in (sensitivity_at, precision_at):
        np.testing.assert_allclose(
            read(Ranking(truth, scores), places, weights), read(repeated, places), atol=1e-14
        )


def test_r16_a_label_without_positives_leaves_the_mean():
    truth, scores = cases(0)
    both = np.stack([truth, np.zeros_like(truth)], 1)
    patient = np.arange(len(truth))
    roc, pr = curves(both, np.stack([scores, scores], 1), patient, replicates=20)
    for found in (roc, pr):
        assert np.isnan(found.each.value[1]).all()
        np.testing.assert_array_equal(found.macro.value, found.each.value[0])
    none, _ = curves(both[:, 1:], scores[:, None], patient, replicates=20)
    assert np.isnan(none.macro.value).all()


def test_unknown_labels_are_left_out():
    truth, scores = cases(1)
    unknown = np.append(truth, np.full(50, -1, np.int8))[:, None]
    many = np.append(scores, np.full(50, 9.0))[:, None]
    roc, pr = curves(unknown, many, np.arange(250), replicates=5)
    np.testing.assert_array_equal(roc.macro.value, sensitivity_at(Ranking(truth, scores), RATES))
    np.testing.assert_array_equal(pr.macro.value, precision_at(Ranking(truth, scores), RECALLS))


def test_the_macro_curve_is_the_mean_and_bands_hold_it():
    random = np.random.default_rng(0)
    truth = (random.random((300, 3)) < 0.3).astype(np.int8)
    scores = truth + random.standard_normal((300, 3))
    roc, pr = curves(truth, scores, np.arange(300) // 2, replicates=60)
    for found in (roc, pr):
        np.testing.assert_allclose(found.macro.value, found.each.value.mean(0), atol=1e-14)
        for band in found:
            known = ~np.isnan(band.low)
            assert known.mean() > 0.9
            assert (band.low <= band.value + 1e-12)[known].all()
            assert (band.high >= band.value - 1e-12)[known].all()
    assert (np.diff(roc.each.low, axis=1)[~np.isnan(roc.each.low[:, :-1])] >= 0).all()


def test_where_nothing_varies_there_is_no_band_and_a_sensitivity_of_1_keeps_its_limit():
    truth = np.repeat([1, 0], 50).astype(np.int8)[:, None]
    scores = np.concatenate([np.linspace(1, 3, 50), np.linspace(0, 1.5, 50)])[:, None]
    roc, pr = curves(truth, scores, np.arange(100), replicates=50)
    assert pr.macro.value[10] == 1
    assert np.isnan(pr.macro.low[10])
    assert roc.macro.value[100] == roc.macro.high[100] == 1
    assert roc.macro.low[100] == np.nanmax(roc.macro.low) < 1


def test_d03_any_number_of_workers_gives_the_same_bytes():
    truth, scores = cases(3)
    patient = np.arange(len(truth)) // 3
    one, two = (
        curves(truth[:, None], scores[:, None], patient, replicates=40, seed=5, workers=workers)
        for workers in (1, 2)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(np.array(a.each), np.array(b.each))


def test_s10_scores_that_are_not_finite_are_refused():
    truth, scores = cases(0)
    scores[3] = np.nan
    with pytest.raises(UsageError, match="1 of 200 scores are not finite"):
        curves(truth[:, None], scores[:, None], np.arange(200))
    with pytest.raises(UsageError, match="199 patients"):
        curves(truth[:, None], truth[:, None], np.arange(199))


@pytest.mark.slow
def test_s06_bands_cover_the_true_curve_where_patients_have_several_ecgs():
    """Binormal scores, whose true curves are known; labels and scores alike within a patient."""
    normal, rare, apart, labels = NormalDist(), 0.1, 1.5, 3
    rates, recalls = [10, 20, 30, 50], [20, 40, 60, 80]
    sensitivity = [normal.cdf(apart + normal.inv_cdf(RATES[at])) for at in rates]
    precision = []
    for at in recalls:
        alarms = 1 - normal.cdf(apart - normal.inv_cdf(RECALLS[at]))
        precision.append(rare * RECALLS[at] / (rare * RECALLS[at] + (1 - rare) * alarms))
    covered = []
    for seed in range(400):
        random = np.random.default_rng([seed, 7])
        patient = np.repeat(np.arange(300), np.minimum(random.geometric(0.4, 300), 12))

        def latent(random=random, patient=patient):
            own = random.standard_normal((300, labels))[patient]
            return np.sqrt(0.5) * (own + random.standard_normal((len(patient), labels)))

        truth = latent() > normal.inv_cdf(1 - rare)
        roc, pr = curves(
            truth.astype(np.int8), apart * truth + latent(), patient, replicates=200, seed=seed
        )
        covered.append([
            *((roc.macro.low[rates] <= sensitivity) & (sensitivity <= roc.macro.high[rates])),
            *((pr.macro.low[recalls] <= precision) & (precision <= pr.macro.high[recalls])),
        ])  # fmt: skip
    # Three standard errors of 400 simulations around 93 to 97 %.
    assert ((np.mean(covered, 0) >= 0.90) & (np.mean(covered, 0) <= 0.995)).all()
