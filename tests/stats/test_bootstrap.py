"""The bootstrap over patients against slow, obvious ones, and its promises of equal bytes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.stats.agreement import cohen_kappa, sensitivity
from overread.stats.bootstrap import (
    cluster_cells,
    effective_patients,
    logit_interval,
    percentile_interval,
    resampled,
    resampled_cells,
    resampling_counts,
)

ecgs = st.lists(
    st.tuples(st.integers(0, 5), st.lists(st.integers(0, 300), min_size=3, max_size=3)), min_size=1
)


def invented(patients, seed=0):
    """Cells (ECGs, 8) of two labels, of which some are missing, and patients of 1 to 6 ECGs."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), random.integers(1, 7, patients))
    lean = random.random(patients)[patient]
    cells = np.zeros((len(patient), 8), np.uint8)
    for label in (0, 4):
        kind = np.minimum((4 * (lean + random.random(len(patient))) / 2).astype(int), 3)
        seen = np.flatnonzero(random.random(len(patient)) > 0.1)
        cells[seen, label + kind[seen]] = 1
    return cells, patient


@given(ecgs)
@settings(deadline=None)  # the first case imports scipy
def test_sums_per_patient_are_those_of_a_plain_loop(rows):
    sums = {}
    for patient, cells in rows:
        sums[patient] = [a + b for a, b in zip(sums.get(patient, [0] * 3), cells, strict=True)]
    expected = Counter(map(tuple, sums.values()))
    codes, cells = np.array([p for p, _ in rows]), np.array([c for _, c in rows])
    for kind in (np.int64, np.uint64, np.uint16):
        patterns, multiplicity = cluster_cells(cells.astype(kind), 1000 * codes)
        found = dict(zip(map(tuple, patterns.tolist()), multiplicity.tolist(), strict=True))
        assert found == expected


def test_the_order_of_ecgs_and_the_names_of_patients_do_not_matter():
    cells, patient = invented(200)
    random = np.random.default_rng(1)
    order = random.permutation(len(cells))
    renamed = random.permutation(200)[patient]
    for first, second in zip(
        cluster_cells(cells, patient), cluster_cells(cells[order], renamed[order]), strict=True
    ):
        assert first.tobytes() == second.tobytes()


def test_d03_one_and_two_workers_give_the_same_bytes():
    grouped = cluster_cells(*invented(3000))
    one = resampled_cells(*grouped, replicates=60, seed=5, workers=1)
    two = resampled_cells(*grouped, replicates=60, seed=5, workers=2)
    assert one.tobytes() == two.tobytes()
    # A replicate depends on its number only, not on how many there are.
    assert resampled_cells(*grouped, replicates=20, seed=5).tobytes() == one[:20].tobytes()
    assert (resampled_cells(*grouped, replicates=20, seed=6) != one[:20]).any()


def test_d03_shared_counts_are_the_same_each_time():
    first, again = (list(resampling_counts(500, replicates=4, seed=2)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first[0].dtype == np.uint16
    assert (np.sum(first, axis=1) == 500).all()
    assert len({counts.tobytes() for counts in first}) == 4


def test_s06_with_one_ecg_each_it_is_the_bootstrap_of_ecgs():
    cells, _ = invented(300)
    apart = np.random.default_rng(0).permutation(len(cells))
    assert (
        resampled_cells(*cluster_cells(cells, apart), replicates=50).tobytes()
        == resampled_cells(*cluster_cells(cells), replicates=50).tobytes()
    )
    # Drawing rows with replacement makes each count binomial.
    drawn = resampled_cells(*cluster_cells(cells), replicates=4000)
    n, share = len(cells), cells.mean(0)
    assert drawn.mean(0) == pytest.approx(n * share, abs=5 * np.sqrt(n / 4 / 4000))
    assert drawn.var(0) == pytest.approx(n * share * (1 - share), rel=0.12)


def test_s06_copies_of_each_patients_ecg_tell_nothing_new():
    cells, _ = invented(150)
    patient = np.arange(len(cells))
    once = resampled_cells(*cluster_cells(cells, patient), replicates=200)
    thrice = resampled_cells(
        *cluster_cells(np.tile(cells, (3, 1)), np.tile(patient, 3)), replicates=200
    )
    assert (thrice == 3 * once).all()
    assert np.array_equal(cohen_kappa(*once.T[:4]), cohen_kappa(*thrice.T[:4]))


def test_s06_spread_is_that_of_drawing_patients_one_by_one():
    # Ten common kinds of patient and many rare ones, so that both ways of drawing are in use.
    cells, patient = invented(400, seed=3)
    cells = np.concatenate([cells, np.tile(np.eye(8, dtype=np.uint8), (40, 1))])
    patient = np.concatenate([patient, 400 + np.arange(320)])
    fast = resampled_cells(*cluster_cells(cells, patient), replicates=4000)
    random = np.random.default_rng(0)
    rows = [cells[patient == each].sum(0) for each in range(720)]
    slow = np.array([np.take(rows, random.integers(0, 720, 720), 0).sum(0) for _ in range(4000)])
    assert fast.mean(0) == pytest.approx(slow.mean(0), rel=0.01)
    assert np.cov(fast.T).ravel() == pytest.approx(np.cov(slow.T).ravel(), abs=40)
    assert fast.std(0) == pytest.approx(slow.std(0), rel=0.05)


def test_shared_counts_are_multinomial():
    drawn = np.array(list(resampling_counts(30, replicates=5000)), float)
    assert drawn.mean(0) == pytest.approx(1, abs=0.07)
    assert drawn.var(0) == pytest.approx(29 / 30, abs=0.1)


def test_percentiles_are_numpys_without_the_replicates_that_are_not_estimable():
    samples = np.random.default_rng(0).normal(size=(200, 3, 2))
    samples[:15, 1, 0] = np.nan
    low, high, estimable = percentile_interval(samples, level=0.9)
    assert estimable.tolist() == [[200, 200], [185, 200], [200, 200]]
    assert low == pytest.approx(np.nanquantile(samples, 0.05, axis=0), abs=1e-12)
    assert high == pytest.approx(np.nanquantile(samples, 0.95, axis=0), abs=1e-12)


def test_logit_limits_are_the_normal_ones_of_the_log_odds():
    special = pytest.importorskip("scipy.special")
    random = np.random.default_rng(1)
    value = np.array([0.03, 0.5, 0.97])
    samples = value + 0.01 * random.normal(size=(400, 3))
    samples[3, 1] = np.nan
    for lowest, highest in ((0, 1), (-1, 1)):
        low, high, estimable = logit_interval(samples, value, lowest=lowest, highest=highest)
        share = (value - lowest) / (highest - lowest)
        sd = np.nanstd(samples, axis=0, ddof=1) / (highest - lowest)
        half = 1.959963984540054 * sd / (share * (1 - share))
        expected = special.expit([special.logit(share) - half, special.logit(share) + half])
        assert low == pytest.approx(lowest + (highest - lowest) * expected[0], abs=1e-12)
        assert high == pytest.approx(lowest + (highest - lowest) * expected[1], abs=1e-12)
        assert estimable.tolist() == [400, 399, 400]


def test_logit_limits_mirror_and_stay_inside():
    samples = np.random.default_rng(2).beta(0.2, 8, 500)
    low, high, _ = logit_interval(samples, 0.0001)
    mirror = logit_interval(1 - samples, 0.9999)
    assert 0 <= low < 0.0001 < high <= 1
    assert (float(mirror.low), float(mirror.high)) == pytest.approx((1 - high, 1 - low))


def test_s03_limits_need_nine_in_ten_replicates():
    samples = np.linspace(0.4, 0.6, 100)
    samples[:11] = np.nan
    assert np.isnan(percentile_interval(samples)[:2]).all()
    assert np.isnan(logit_interval(samples, 0.5)[:2]).all()
    samples[10] = 0.5
    assert not np.isnan(percentile_interval(samples)[:2]).any()
    assert not np.isnan(logit_interval(samples, 0.5)[:2]).any()
    nothing = np.full((20, 2), np.nan)
    assert percentile_interval(nothing).estimable.tolist() == [0, 0]
    assert np.isnan(percentile_interval(nothing).low).all()
    assert np.isnan(logit_interval(nothing, [np.nan, 0.5]).low).all()


def test_s03_resamples_that_are_all_the_same_have_no_logit_limits():
    assert np.isnan(logit_interval(np.ones(50), 1.0)[:2]).all()
    for value in (0.0, 0.1):
        assert np.isnan(logit_interval(np.full(50, value), value, lowest=-1)[:2]).all()


def test_a_label_without_expert_positives_is_not_estimable_in_any_resample():
    cells = np.tile(np.eye(8, dtype=np.uint8)[[1, 3, 4]], (20, 1))
    drawn = resampled_cells(*cluster_cells(cells), replicates=40).reshape(-1, 2, 4)
    samples = sensitivity(drawn[..., 0], drawn[..., 2])
    assert percentile_interval(samples).estimable.tolist() == [0, 40]


def test_what_cannot_be_resampled_is_refused():
    cells = np.eye(4, dtype=np.int64)
    with pytest.raises(UsageError, match="3 patients are given for 4 ECGs"):
        cluster_cells(cells, np.arange(3))
    with pytest.raises(UsageError, match="patient's code is below 0"):
        cluster_cells(cells, np.array([0, -1, 1, 2]))
    for bad in (-cells, cells / 2, cells[0]):
        with pytest.raises(UsageError, match="whole counts from 0 up"):
            cluster_cells(bad)
    empty = cluster_cells(np.zeros((0, 4), np.uint8))
    assert [part.shape for part in empty] == [(0, 4), (0,)]
    with pytest.raises(UsageError, match="no patient to resample"):
        resampled_cells(*empty)
    with pytest.raises(UsageError, match="no patient to resample"):
        next(resampling_counts(0))
    with pytest.raises(UsageError, match="no replicates"):
        percentile_interval([])
    with pytest.raises(UsageError, match="level is 95"):
        percentile_interval([1, 2], level=95)


def test_d03_any_statistic_of_shared_counts_is_the_same_for_all_workers():
    random = np.random.default_rng(0)
    values = random.normal(size=(300, 2, 3))

    def means(counts):
        return np.tensordot(counts, values, 1) / counts.sum()

    one, two = (resampled(means, 300, replicates=50, seed=1, workers=n) for n in (1, 2))
    assert one.shape == (50, 2, 3)
    assert one.tobytes() == two.tobytes()
    expected = [means(counts) for counts in resampling_counts(300, replicates=50, seed=1)]
    assert one == pytest.approx(np.array(expected), abs=1e-14)
    with pytest.raises(UsageError, match="no patient to resample"):
        resampled(means, 0)


def test_effective_patients_of_a_mean_are_those_who_have_the_label():
    random = np.random.default_rng(0)
    for few in (8, 40):
        # What each of them moves a mean by; 500 other patients move nothing.
        moved = np.zeros((few + 500, 4000))
        moved[:few] = random.normal(size=(few, 4000))
        moved[:few] -= moved[:few].mean(0)
        found = effective_patients(moved)
        # The mean kurtosis of n normal values is 3 (n - 1) / (n + 1).
        assert (1 / (found + 2)).mean() == pytest.approx((few - 1) / few / (few + 1), rel=0.02)
        assert effective_patients(0.01 * moved) == pytest.approx(found)


def test_effective_patients_are_fewer_where_one_moves_more_than_others():
    moved = np.random.default_rng(0).normal(size=100)
    counts = []
    for times in (1, 5, 20, 1000):
        moved[0] = times
        counts.append(float(effective_patients(moved)))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 80
    assert counts[-1] == 2
    assert effective_patients(np.zeros((9, 2))).tolist() == [0, 0]
    assert effective_patients(np.full(9, np.nan)) == 0


def test_few_patients_widen_an_interval_as_students_t_does():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(0)
    samples = random.normal(0.5, 0.01, 2000)
    widths = []
    for patients in (None, 1e9, 12, 2):
        low, high, _ = logit_interval(samples, 0.5, patients=patients)
        widths.append(float(high - low))
    assert widths[1] == pytest.approx(widths[0], rel=1e-6)
    for patients, width in ((12, widths[2]), (2, widths[3])):
        factor = stats.t.ppf(0.975, patients - 1) / 1.959964 * np.sqrt(patients / (patients - 1))
        assert width / widths[0] == pytest.approx(factor, rel=0.05)
    assert np.isnan(logit_interval(samples, 0.5, patients=1.5).low)


def test_few_patients_widen_the_mean_to_students_own_interval():
    """A bootstrap of a mean has the standard deviation s sqrt((n - 1) / n) / sqrt(n)."""
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).normal(0.5, 0.001, 10)
    samples = resampled(lambda counts: counts @ values / 10, 10, replicates=20_000)
    low, high, _ = logit_interval(samples, values.mean(), patients=10)
    expected = stats.t.interval(0.95, 9, values.mean(), stats.sem(values))
    assert (float(low), float(high)) == pytest.approx(expected, abs=2e-5)
