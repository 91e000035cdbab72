"""Which recordings are kept out. The rules are the paper's; the faults are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overread.signals.quality import Reason, has_constant_lead, reject_reason


@pytest.fixture
def ecg():
    return np.random.default_rng(1).normal(0, 0.3, (12, 5000)).astype(np.float32)


def test_a_good_recording_has_no_reason(ecg):
    assert reject_reason(ecg, 500) is None
    assert reject_reason(ecg[:, :2500], 250) is None


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_w19_one_missing_sample_drops_the_recording(ecg, missing):
    ecg[11, 4999] = missing
    assert reject_reason(ecg, 500) is Reason.NAN
    ecg[11] = missing
    assert reject_reason(ecg, 500) is Reason.NAN


@pytest.mark.parametrize("level", [0.0, -0.25, 3.2767])
def test_w19_a_lead_that_never_changes_drops_the_recording(ecg, level):
    ecg[4] = level
    assert reject_reason(ecg, 500) is Reason.CONSTANT_LEAD


def test_w19_all_zero(ecg):
    assert reject_reason(np.zeros_like(ecg), 500) is Reason.CONSTANT_LEAD


def test_a_lead_with_one_step_is_not_constant(ecg):
    ecg[4] = 0
    ecg[4, 2500:] = 0.001
    assert reject_reason(ecg, 500) is None


@pytest.mark.parametrize("fs_hz", [100, 249.9, 0, -500, float("nan")])
def test_rates_under_250_hz(ecg, fs_hz):
    assert reject_reason(ecg, fs_hz) is Reason.LOW_RATE


@pytest.mark.parametrize(("samples", "fs_hz"), [(4999, 500), (2499, 250), (0, 500), (5000, 500.1)])
def test_shorter_than_ten_seconds(ecg, samples, fs_hz):
    assert reject_reason(ecg[:, :samples], fs_hz) is Reason.TOO_SHORT


@pytest.mark.parametrize("level", [1000.1, -1e6, 3e38])
def test_more_than_a_volt(ecg, level):
    ecg[0, 17] = level
    assert reject_reason(ecg, 500) is Reason.OUT_OF_RANGE


def test_both_ends_of_float32_are_a_number_out_of_range(ecg):
    ecg[0, :2] = np.finfo(np.float32).max, np.finfo(np.float32).min
    assert reject_reason(ecg, 500) is Reason.OUT_OF_RANGE


def test_the_first_rule_that_is_broken_counts(ecg):
    ecg[0] = np.nan
    ecg[1] = 0
    assert reject_reason(ecg, 500) is Reason.NAN
    assert reject_reason(ecg[:, :100], 500) is Reason.TOO_SHORT
    assert reject_reason(ecg[:, :100], 100) is Reason.LOW_RATE


def test_constant_leads_window_by_window(ecg):
    windows = np.stack([ecg[:, :2500], ecg[:, 2500:]])
    windows[1, 6] = 0.5
    assert has_constant_lead(windows).tolist() == [False, True]
