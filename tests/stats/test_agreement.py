"""Agreement against published tables and statsmodels, and where it cannot be estimated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.stats import agreement as of

# irrCAC's data set cont3x3abstractors (CRAN): 100 records rated by two abstractors.
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]

# Both, one, other, neither; kappa, AC1 and PABAK to the digits that the source prints.
TWO_BY_TWO = [
    ((20, 5, 10, 15), 0.4, None, None),  # Cohen's worked example
    ((45, 15, 25, 15), 0.13043, None, None),  # the same agreement, other margins
    ((25, 35, 5, 35), 0.25926, None, None),
    ((118, 5, 2, 0), -0.02339, 0.94078, 0.888),  # Gwet's kappa paradox
    ((40, 9, 6, 45), 0.69952, 0.70075, 0.70),  # Feinstein and Cicchetti 1990
    ((80, 10, 5, 5), 0.31818, 0.808, 0.70),
]

cells = st.lists(st.integers(0, 2_000_000), min_size=4, max_size=4)


@pytest.mark.parametrize(("counts", "kappa", "ac1", "adjusted"), TWO_BY_TWO)
def test_published_tables_of_one_label(counts, kappa, ac1, adjusted):
    assert of.cohen_kappa(*counts) == pytest.approx(kappa, abs=5e-6)
    if ac1 is not None:
        assert of.gwet_ac1(*counts) == pytest.approx(ac1, abs=5e-6)
        assert of.pabak(*counts) == pytest.approx(adjusted)


def test_published_table_of_three_categories():
    kappa = of.kappa_estimate(ABSTRACTORS)
    assert kappa.value == pytest.approx(0.7964094, abs=5e-8)
    assert kappa.se == pytest.approx(0.0589107, abs=5e-7)
    assert (kappa.low, kappa.high) == pytest.approx((0.6809, 0.9119), abs=5e-5)
    assert of.ac1_estimate(ABSTRACTORS).value == pytest.approx(0.84933, abs=5e-6)
    assert of.scott_pi_estimate(ABSTRACTORS).value == pytest.approx(0.7962397, abs=5e-8)
    assert of.observed_agreement(ABSTRACTORS) == pytest.approx(89 / 100)


def test_kappa_and_its_error_are_those_of_statsmodels():
    cohens_kappa = pytest.importorskip("statsmodels.stats.inter_rater").cohens_kappa
    tables = np.random.default_rng(4).integers(1, 60, (6, 4, 4))
    found = of.kappa_estimate(tables, level=0.95)
    for i, table in enumerate(tables):
        expected = cohens_kappa(table)
        assert found.value[i] == pytest.approx(expected.kappa, abs=1e-12)
        assert found.se[i] == pytest.approx(expected.std_kappa, abs=1e-12)
        assert found.low[i] == pytest.approx(expected.kappa_low, abs=1e-12)
        assert found.high[i] == pytest.approx(expected.kappa_upp, abs=1e-12)


@pytest.mark.parametrize("estimate", [of.kappa_estimate, of.ac1_estimate, of.scott_pi_estimate])
def test_errors_are_those_of_resampled_tables(estimate):
    counts = np.array([[30, 6, 2], [4, 80, 9], [3, 5, 61]])
    drawn = np.random.default_rng(2).multinomial(200, counts.ravel() / 200, 20_000)
    assert np.std(estimate(drawn.reshape(-1, 3, 3)).value) == pytest.approx(
        float(estimate(counts).se), rel=0.03
    )


@given(cells)
def test_one_label_is_the_square_table_with_two_categories(counts):
    table = np.reshape(counts, (2, 2))
    for square, direct in ((of.kappa_estimate, of.cohen_kappa), (of.ac1_estimate, of.gwet_ac1)):
        assert float(square(table).value) == pytest.approx(
            float(direct(*counts)), abs=1e-9, nan_ok=True
        )
    assert 2 * of.observed_agreement(table) - 1 == pytest.approx(
        float(of.pabak(*counts)), abs=1e-12, nan_ok=True
    )


@given(cells)
def test_values_stay_on_their_scales_and_swapping_the_readings_changes_only_signs(counts):
    a, b, c, d = counts
    for value in (of.cohen_kappa(*counts), of.gwet_ac1(*counts), of.pabak(*counts)):
        assert np.isnan(value) or -1 <= value <= 1
    for value in (of.sensitivity(a, c), of.ppv(a, b), of.positive_agreement(a, b, c)):
        assert np.isnan(value) or 0 <= value <= 1
    assert of.sensitivity(a, c) == pytest.approx(float(of.ppv(a, c)), nan_ok=True)
    assert of.cohen_kappa(*counts) == pytest.approx(float(of.cohen_kappa(a, c, b, d)), nan_ok=True)
    assert of.prevalence_difference(*counts) == pytest.approx(
        -float(of.prevalence_difference(a, c, b, d)), nan_ok=True
    )


def test_bae_2012_sensitivity_and_ppv():
    # 840 ECGs with atrial fibrillation or flutter read right, 98 over-read, 119 missed.
    assert of.sensitivity(840, 119) == pytest.approx(0.8759, abs=5e-5)
    assert of.ppv(840, 98) == pytest.approx(0.8955, abs=5e-5)


def test_specific_agreement_is_that_of_the_published_example():
    # Cicchetti and Feinstein: 2a / (2a + b + c) and 2d / (2d + b + c), by hand for 80, 10, 5, 5.
    assert of.positive_agreement(80, 10, 5) == pytest.approx(160 / 175)
    assert of.negative_agreement(10, 5, 5) == pytest.approx(10 / 25)


def test_many_resamples_of_many_labels_are_one_call():
    drawn = np.random.default_rng(0).integers(1, 100, (50, 13, 4))
    found = of.cohen_kappa(*np.moveaxis(drawn, -1, 0))
    assert found.shape == (50, 13)
    assert found.dtype == np.float64
    assert found[7, 3] == of.cohen_kappa(*drawn[7, 3])


def test_s03_one_category_only_is_not_estimable_and_warns_not():
    for counts in ((0, 0, 0, 500), (500, 0, 0, 0)):
        assert np.isnan(of.cohen_kappa(*counts))
        assert np.isnan(of.kappa_estimate(np.reshape(counts, (2, 2)))).all()
        assert of.pabak(*counts) == 1
        assert of.gwet_ac1(*counts) == 1
    assert np.isnan(of.sensitivity(0, 0))
    assert np.isnan(of.ppv(0, 0))
    assert np.isnan(of.positive_agreement(0, 0, 0))
    assert np.isnan(of.negative_agreement(0, 0, 0))


def test_nothing_at_all_is_not_estimable():
    for function in (of.cohen_kappa, of.pabak, of.gwet_ac1, of.prevalence_difference):
        assert np.isnan(function(0, 0, 0, 0))
    for estimate in (of.kappa_estimate, of.ac1_estimate, of.scott_pi_estimate):
        assert np.isnan(estimate(np.zeros((3, 3)))).all()


def test_s12_kappa_without_the_number_of_ecgs_is_refused():
    for function in (of.cohen_kappa, of.pabak, of.gwet_ac1, of.prevalence_difference):
        for unknown in (None, float("nan"), [5, float("nan")], -1):
            with pytest.raises(UsageError, match="Next step: count all ECGs"):
                function(1_792_000, 10_733, 33_115, unknown)
    # What needs no N is given without it.
    assert of.positive_agreement(90, 10, 10) == 0.9


@pytest.mark.parametrize("table", [[1, 2], [[1, 2, 3], [4, 5, 6]], [[7]]])
def test_tables_that_are_not_square_are_refused(table):
    with pytest.raises(UsageError, match=r"has shape \(..., k, k\)"):
        of.kappa_estimate(table)
    with pytest.raises(UsageError, match="level is 95"):
        of.kappa_estimate([[1, 2], [3, 4]], level=95)
