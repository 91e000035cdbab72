"""Intervals of proportions against published values, and what samples can and cannot tell."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from overread.errors import UsageError
from overread.stats.proportions import (
    Limits,
    clopper_pearson,
    effective_n,
    share_limits,
    wilson,
)
from overread.stats.sampling import allocate, draw, inclusion

# Newcombe RG. Stat Med 1998;17:857-872, table I; to the four digits that he prints.
NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("successes", "n", "score", "exact"), NEWCOMBE)
def test_newcombe_table(successes, n, score, exact):
    assert wilson(successes, n) == pytest.approx(score, abs=5e-5)
    assert clopper_pearson(successes, n) == pytest.approx(exact, abs=5e-5)


@pytest.mark.parametrize(("successes", "n", "score", "exact"), NEWCOMBE)
def test_failures_mirror_successes(successes, n, score, exact):
    for method, expected in ((wilson, score), (clopper_pearson, exact)):
        low, high = method(n - successes, n)
        assert (1 - high, 1 - low) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
def test_s04_nothing_seen_gives_no_interval_and_the_ends_are_exact(method):
    assert method(0, 0) is None
    for n in (1, 2, 10, 1_000_000):
        assert method(0, n).low == 0.0
        assert method(n, n).high == 1.0
        for successes in (0, n // 2, n):
            low, high = method(successes, n)
            assert 0 <= low <= successes / n <= high <= 1


def test_clopper_pearson_solves_the_binomial_tails():
    binom = pytest.importorskip("scipy.stats").binom
    low, high = clopper_pearson(7, 31, level=0.9)
    assert binom.sf(6, 31, low) == pytest.approx(0.05, abs=1e-12)
    assert binom.cdf(7, 31, high) == pytest.approx(0.05, abs=1e-12)


def test_wilson_solves_the_score_equation_for_parts_of_cases_too():
    z = 1.6448536269514722  # of the normal distribution at 95%, from tables
    for successes, n in ((3.5, 12.25), (0.5, 4.0)):
        for limit in wilson(successes, n, level=0.9):
            share = successes / n
            assert abs(share - limit) == pytest.approx(z * sqrt(limit * (1 - limit) / n))


@pytest.mark.parametrize("bad", [(-1, 4), (5, 4), (float("nan"), 4), (1, float("inf"))])
def test_impossible_counts_are_refused(bad):
    with pytest.raises(UsageError, match="is no proportion"):
        wilson(*bad)
    with pytest.raises(UsageError, match="level is 95"):
        wilson(1, 2, level=95)


def test_effective_n_of_equal_weights_is_their_number():
    hits = np.array([True, False, True, True, False])
    assert effective_n(np.full(5, 7.0), hits) == pytest.approx(5)
    assert effective_n(np.zeros(0), np.zeros(0, bool)) == 0


def test_effective_n_falls_where_the_hits_are_heavy():
    weights = np.array([10.0, *[1.0] * 30])
    kish = 40**2 / 130
    light, heavy = np.zeros(31, bool), np.zeros(31, bool)
    light[1:10], heavy[0] = True, True
    assert effective_n(weights, light) == pytest.approx(kish)
    # p (1 - p) W^2 / sum w^2 (y - p)^2 with p = 1/4, W = 40
    assert effective_n(weights, heavy) == pytest.approx(
        0.1875 * 1600 / (100 * 0.5625 + 30 * 0.0625)
    )


def test_share_limits_are_those_of_the_published_ratio_formula():
    part, rest = Limits(90, 80, 95), Limits(10, 5, 20)
    # Donner and Zou 2012, equations for the ratio t1 / t2 with limits l, u of each.
    t1, l1, u1 = rest
    t2, l2, u2 = part
    top, bottom = t1 * t2, (u2 * (2 * t2 - u2), l2 * (2 * t2 - l2))
    low = (top - sqrt(top**2 - l1 * (2 * t1 - l1) * bottom[0])) / bottom[0]
    high = (top + sqrt(top**2 - u1 * (2 * t1 - u1) * bottom[1])) / bottom[1]
    assert share_limits(part, rest) == pytest.approx((0.9, 1 / (1 + high), 1 / (1 + low)))


def test_share_limits_at_the_ends():
    assert share_limits(Limits(0, 0, 0), Limits(0, 0, 0)) is None
    assert share_limits(Limits(5, 5, 5), Limits(0, 0, 0)) == (1, 1, 1)
    assert share_limits(Limits(0, 0, 0), Limits(5, 5, 5)) == (0, 0, 0)
    # Nothing missed among few texts read: much may have been missed.
    assert share_limits(Limits(10, 10, 10), Limits(0, 0, 90)) == pytest.approx((1, 0.1, 1))


def test_rows_are_shared_out_half_equally_and_half_by_mass():
    # 40 rows: 10 each for two strata, then 20 in proportion 3:1
    mass = np.array([3000.0, 1000.0])
    assert allocate(mass, np.array([3000, 1000]), 40).tolist() == [25, 15]


def test_no_stratum_is_left_out_or_asked_for_more_than_it_has():
    units = np.array([5000, 0, 2, 1, 300])
    for rows in (4, 10, 200, 5303, 9000):
        shares = allocate(units.astype(float), units, rows)
        assert shares.sum() == min(rows, 5303)
        assert (shares <= units).all()
        assert (shares[units > 0] > 0).all()


def test_draws_keep_the_chances_that_are_told():
    size = np.array([60.0, 20, 10, 5, 3, 1, 1])
    chance = inclusion(size, 3)
    # 60 of 100 is more than 1 of 3; of the rest, 2 of 40: 20/20 is certain, then 1 of 20.
    assert chance.tolist() == pytest.approx([1, 1, 0.5, 0.25, 0.15, 0.05, 0.05])
    random = np.random.default_rng(1)
    draws = [draw(chance, random) for _ in range(20_000)]
    assert all(len(set(one.tolist())) == 3 for one in draws)
    seen = np.bincount(np.concatenate(draws), minlength=7) / len(draws)
    assert seen == pytest.approx(chance, abs=0.012)
