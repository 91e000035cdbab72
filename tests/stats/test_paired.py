"""Paired tests against published p-values, statsmodels, Table A.1 and simulation."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.stats.paired import clustered_mcnemar, mcnemar, paired_difference

counts = st.integers(0, 60)


def test_fagerland_table_1():
    # Airway hyper-responsiveness before and after transplantation: 1, 1, 7, 12.
    expected = {"asymptotic": 0.0339, "corrected": 0.0771, "exact": 0.0703, "mid-p": 0.0391}
    for method, p in expected.items():
        assert mcnemar(1, 7, method=method).p == pytest.approx(p, abs=5e-5)


def test_table_a1_inferior_infarction():
    z, p = mcnemar(27_182, 27_360, method="asymptotic")
    assert z**2 == pytest.approx(0.5809, abs=5e-5)
    assert p == pytest.approx(0.446, abs=5e-4)


def test_s05_p_of_sinus_rhythm_underflows_and_z_tells_the_size():
    for method in ("asymptotic", "corrected", "exact", "mid-p"):
        z, p = mcnemar(10_733, 33_115, method=method)
        assert p == 0
    z, _ = mcnemar(10_733, 33_115)
    assert z**2 == pytest.approx(11424.78, abs=5e-3)
    value, _, low, high = paired_difference(10_733, 33_115, 2_000_000)
    assert low < value < high
    # The limits of the rate difference, from the plain variance (b + c - (c - b)^2 / n) / n^2.
    half = 1.959964 * (43_848 - 22_382**2 / 2_000_000) ** 0.5 / 2_000_000
    assert (low, high) == pytest.approx((0.011191 - half, 0.011191 + half), rel=1e-3)


def test_s05_nothing_discordant():
    for method in ("asymptotic", "corrected", "exact", "mid-p"):
        assert mcnemar(0, 0, method=method) == (0, 1)
    assert clustered_mcnemar(np.zeros(5)) == (0, 1)
    value, _, low, high = paired_difference(0, 0, 100)
    assert value == 0
    assert low == -high < 0


@given(counts, counts)
def test_exact_and_mid_p_are_sums_of_binomial_chances(removed, added):
    n, fewer = removed + added, min(removed, added)
    chance = [comb(n, k) / 2**n for k in range(n + 1)]
    exact = min(1.0, 2 * sum(chance[: fewer + 1]))
    # Twice the tail with half of the observed count's chance; 1 by symmetry at equal counts.
    middle = 2 * sum(chance[:fewer]) + chance[fewer]
    assert mcnemar(removed, added, method="exact").p == pytest.approx(exact, rel=1e-12)
    assert mcnemar(removed, added, method="mid-p").p == pytest.approx(middle, rel=1e-12)


@given(counts, counts)
@settings(deadline=None)  # the first case imports the other library
def test_p_values_are_those_of_statsmodels(removed, added):
    reference = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    if removed == added:
        return  # statsmodels divides 0 by 0, and corrects a difference of 0 upwards
    table = [[5, removed], [added, 5]]
    for method, options in (
        ("exact", {"exact": True}),
        ("corrected", {"exact": False, "correction": True}),
        ("asymptotic", {"exact": False, "correction": False}),
    ):
        expected = reference(table, **options).pvalue
        assert mcnemar(removed, added, method=method).p == pytest.approx(expected, rel=1e-9)


def test_the_sign_is_the_experts_and_labels_go_together():
    z, p = mcnemar([3, 9, 0], [9, 3, 0])
    assert z.tolist() == pytest.approx([3**0.5, -(3**0.5), 0])
    assert p[0] == p[1]
    assert p[2] == 1


def test_s06_clustered_test_is_mcnemars_with_one_ecg_per_patient():
    difference = np.array([1] * 33 + [-1] * 11 + [0] * 200)
    single = mcnemar(11, 33, method="asymptotic")
    merged = clustered_mcnemar([1, -1, 0], multiplicity=[33, 11, 200])
    for z, p in (clustered_mcnemar(difference), merged):
        assert z == pytest.approx(float(single.z))
        assert p == pytest.approx(float(single.p))


def test_s06_copies_of_each_patients_ecg_tell_nothing_new():
    difference = np.array([[1, 0], [1, -1], [-1, 1], [1, 1], [0, -1]])
    once, thrice = clustered_mcnemar(difference), clustered_mcnemar(3 * difference)
    assert once.z.tolist() == pytest.approx(thrice.z.tolist())
    assert once.z.tolist() == pytest.approx([2 / 4**0.5, 0])


def test_s06_clustered_test_keeps_its_level_where_mcnemars_does_not():
    random = np.random.default_rng(3)
    trials, patients, ecgs = 2000, 150, 6
    # Each patient leans to added or removed; over patients the two are equally likely.
    lean = random.beta(0.5, 0.5, (trials, patients))
    added = random.binomial(ecgs, 0.5 * lean)
    removed = random.binomial(ecgs - added, np.clip(0.5 * (1 - lean) / (1 - 0.5 * lean), 0, 1))
    clustered = clustered_mcnemar((added - removed).T).p
    naive = mcnemar(removed.sum(1), added.sum(1)).p
    assert 0.035 < np.mean(clustered < 0.05) < 0.065
    assert np.mean(naive < 0.05) > 0.15


def test_bonett_price_limits_of_the_airway_example():
    # (7 - 1) / 23 -+ 1.959964 sqrt((2/23 + 8/23 - (6/23)^2) / 23), by hand.
    value, _, low, high = paired_difference(1, 7, 21)
    assert value == pytest.approx(6 / 21)
    assert (low, high) == pytest.approx((0.0134, 0.5084), abs=5e-5)


def test_limits_of_a_difference_cover_and_stay_on_the_scale():
    random = np.random.default_rng(8)
    for n, removed, added in ((60, 0.02, 0.08), (1000, 0.01, 0.015)):
        drawn = random.multinomial(n, [removed, added, 1 - removed - added], 20_000)
        _, _, low, high = paired_difference(drawn[:, 0], drawn[:, 1], n)
        covered = np.mean((low <= added - removed) & (added - removed <= high))
        assert 0.935 < covered < 0.975
    assert paired_difference(0, 3, 3).high == 1
    assert np.isnan(paired_difference(0, 0, 0)).all()


def test_impossible_counts_are_refused():
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="count of ECGs is missing or below 0"):
            mcnemar(bad, 3)
    with pytest.raises(UsageError, match="n counts fewer ECGs"):
        paired_difference(4, 4, 7)
    with pytest.raises(UsageError, match="no McNemar test 'midp'"):
        mcnemar(1, 2, method="midp")
