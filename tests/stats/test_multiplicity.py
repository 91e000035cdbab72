"""Adjusted p-values against the published example and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.stats.multiplicity import benjamini_hochberg, bonferroni

# Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300, section 4.
PUBLISHED = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240),
    *(0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]


def test_s07_the_1995_example_rejects_four_and_bonferroni_three():
    assert np.count_nonzero(benjamini_hochberg(PUBLISHED) <= 0.05) == 4
    assert np.count_nonzero(bonferroni(PUBLISHED) <= 0.05) == 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(deadline=None)  # the first case imports the other library
def test_s07_values_are_those_of_statsmodels(p):
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    assert benjamini_hochberg(p).tolist() == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert bonferroni(p).tolist() == pytest.approx(multipletests(p, method="bonferroni")[1])


def test_tests_that_were_not_made_do_not_count():
    with_gaps = np.full((2, 15), np.nan)
    with_gaps[:, 3] = 0.01, 0.04
    assert benjamini_hochberg(with_gaps)[:, 3].tolist() == [0.02, 0.04]
    assert bonferroni(with_gaps)[:, 3].tolist() == [0.02, 0.08]
    assert np.isnan(benjamini_hochberg(with_gaps)[:, 4]).all()
    assert benjamini_hochberg([]).tolist() == []


def test_p_values_that_underflow_stay_in_front():
    assert benjamini_hochberg([0.0, 0.5, 0.0]).tolist() == [0, 0.5, 0]


@pytest.mark.parametrize("p", [[-0.1], [0.5, 1.1]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(UsageError, match="outside 0 to 1"):
        benjamini_hochberg(p)
