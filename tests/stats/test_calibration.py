"""Calibration by hand counts, and at the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest

from overread.errors import UsageError
from overread.stats.calibration import brier, net_benefit, reliability_bins


def test_brier_score_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    assert brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]) == pytest.approx(0.0375)  # its own example
    random = np.random.default_rng(0)
    truth, p = random.integers(0, 2, 300), random.random(300)
    assert brier(truth, p) == pytest.approx(metrics.brier_score_loss(truth, p), abs=1e-14)
    assert np.isnan(brier([], []))


def test_s11_bins_tell_their_number_and_stay_empty():
    truth, p = [0, 0, 1, 1, 1, 0], [0.0, 0.1, 0.25, 0.99, 1.0, 0.5]
    edges, n, predicted, observed = reliability_bins(truth, p, bins=4)
    assert edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert n.tolist() == [2, 1, 1, 2]
    assert predicted.tolist() == pytest.approx([0.05, 0.25, 0.5, 0.995])
    assert observed.tolist() == [0, 1, 0, 1]
    empty = reliability_bins([1], [1.0], bins=3)
    assert empty.n.tolist() == [0, 0, 1]
    assert np.isnan(empty.observed[:2]).all()
    assert reliability_bins([], [], bins=2).n.tolist() == [0, 0]


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
        brier([0, 1, 1], [-0.2, 0.5, 3])
    with pytest.raises(UsageError, match="1 of 2 scores are not finite"):
        brier([0, 1], [0.5, float("nan")])
    with pytest.raises(UsageError, match="1 itself has no odds"):
        net_benefit([0, 1], [0.5, 0.5], [1.0])
    with pytest.raises(UsageError, match="bins is 0"):
        reliability_bins([0], [0.5], bins=0)
