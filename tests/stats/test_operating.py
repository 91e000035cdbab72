"""Thresholds and decisions by hand counts and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from overread.errors import UsageError
from overread.stats.operating import operating, threshold
from overread.stats.proportions import clopper_pearson
from overread.stats.shares import clustered_shares


def test_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(50):
        truth = rng.random(30) < 0.3
        scores = rng.integers(0, 8, 30).astype(np.float32) / 8
        if not truth.any():
            continue
        best = max(f1_score(truth, scores >= at) for at in set(scores.tolist()))
        assert f1_score(truth, scores >= threshold(truth, scores)) == pytest.approx(best)


def test_r16_no_threshold_without_positives_or_negatives():
    scores = np.array([0.1, 0.9])
    assert threshold(np.array([False, False]), scores) is None
    assert threshold(np.array([True, True]), scores) is None
    assert threshold(np.zeros(0, bool), np.zeros(0)) is None


def test_counts_by_hand():
    # Two labels of six ECGs: 3 TP, 1 FP, 1 FN, 1 TN; and one ECG unknown, no positive, one alarm.
    truth = np.array([[1, 0], [1, 0], [1, 0], [0, 0], [1, 0], [0, -1]], np.int8)
    called = np.array([[1, 1], [1, 0], [1, 0], [1, 0], [0, 0], [0, 1]], bool)
    found = operating(truth, called, np.arange(6), replicates=50)
    assert found.counts.tolist() == [[3, 1, 1, 1], [0, 1, 0, 4]]
    assert found.sensitivity.value.tolist() == pytest.approx([0.75, np.nan], nan_ok=True)
    assert found.specificity.value.tolist() == [0.5, 0.8]
    assert found.ppv.value.tolist() == [0.75, 0]
    assert found.f1.value.tolist() == pytest.approx([0.75, 0])
    # So few ECGs have exact limits.
    assert (found.sensitivity.low[0], found.sensitivity.high[0]) == clopper_pearson(3, 4)
    assert np.isnan(found.sensitivity.low[1])


def test_shares_are_scikit_learns():
    random = np.random.default_rng(1)
    truth, called = random.random((400, 3)) < 0.4, random.random((400, 3)) < 0.5
    found = operating(truth.astype(np.int8), called, np.arange(400), replicates=50)
    for share, score in (
        (found.sensitivity, recall_score), (found.ppv, precision_score), (found.f1, f1_score),
    ):  # fmt: skip
        expected = [score(truth[:, at], called[:, at]) for at in range(3)]
        assert share.value == pytest.approx(expected, abs=1e-14)
    swapped = [recall_score(~truth[:, at], ~called[:, at]) for at in range(3)]
    assert found.specificity.value == pytest.approx(swapped, abs=1e-14)


def test_s06_copies_of_an_ecg_tell_no_more_than_one():
    random = np.random.default_rng(2)
    truth = (random.random((300, 2)) < 0.5).astype(np.int8)
    called = np.where(random.random((300, 2)) < 0.8, truth, 1 - truth).astype(bool)
    once = operating(truth, called, np.arange(300), seed=3)
    often = operating(truth.repeat(4, 0), called.repeat(4, 0), np.arange(300).repeat(4), seed=3)
    for one, four in zip(once.shares, often.shares, strict=True):
        np.testing.assert_allclose(np.array(one), np.array(four), atol=1e-12)
    naive = operating(truth.repeat(4, 0), called.repeat(4, 0), np.arange(1200), seed=3)
    width = (often.f1.high - often.f1.low) / (naive.f1.high - naive.f1.low)
    assert width == pytest.approx([2, 2], rel=0.15)  # the square root of 4


def test_labels_share_their_resamples():
    """A second reader who copies the first has the same F1 in every resample."""
    random = np.random.default_rng(5)
    truth = (random.random((200, 1)) < 0.4).astype(np.int8)
    called = np.where(random.random((200, 1)) < 0.8, truth, 1 - truth).astype(bool)
    found = operating(truth.repeat(2, 1), called.repeat(2, 1), np.arange(200), replicates=100)
    assert found.f1_drawn.shape == (100, 2)
    assert (found.f1_drawn[:, 0] == found.f1_drawn[:, 1]).all()
    alone = operating(truth, called, np.arange(200), replicates=100)
    assert alone.f1_drawn.std() == pytest.approx(found.f1_drawn[:, 0].std(), rel=0.3)
    assert found.of(slice(1, 2)).counts.tolist() == alone.counts.tolist()


def test_f1_limits_are_those_of_its_own_resamples():
    """By the slow way: F1 of each resample of ECGs."""
    random = np.random.default_rng(4)
    truth = random.random(500) < 0.3
    called = np.where(random.random(500) < 0.85, truth, ~truth)
    found = operating(truth[:, None].astype(np.int8), called[:, None], np.arange(500), seed=1)
    drawn = random.integers(0, 500, (1500, 500))
    hits = (truth & called)[drawn].sum(1)
    sd = np.std(2 * hits / (truth[drawn].sum(1) + called[drawn].sum(1)))
    f1 = found.f1.value[0]
    half = 1.96 * sd / (f1 * (1 - f1))
    odds = np.log(f1 / (1 - f1))
    limits = [1 / (1 + np.exp(-(odds + way * half))) for way in (-1, 1)]
    assert [found.f1.low[0], found.f1.high[0]] == pytest.approx(limits, abs=0.01)


def test_s04_all_and_none_have_limits_for_the_number_of_patients():
    hits, others = np.array([[[1, 0]]]), np.array([40])
    all_of = clustered_shares(hits, others, np.full((20, 1, 2), [40, 0]))
    assert (all_of.low[0], all_of.high[0]) == clopper_pearson(40, 40)
    # 40 ECGs of one patient are one patient's.
    one = clustered_shares(np.array([[[40, 0]]]), np.array([1]), np.full((20, 1, 2), [40, 0]))
    assert (one.low[0], one.high[0]) == clopper_pearson(1, 1)


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(UsageError, match=r"2 patients"):
        operating(np.zeros((3, 1), np.int8), np.zeros((3, 1), bool), np.arange(2))
    with pytest.raises(UsageError, match="do not match"):
        clustered_shares(np.zeros((1, 2, 2), np.int64), np.ones(1, np.int64), np.zeros((5, 1, 2)))
