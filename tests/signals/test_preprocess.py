"""Resampling, cutting and what `preprocess` says of a recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.errors import UsageError
from overread.signals.preprocess import (
    Rejected,
    cut,
    filter_windows,
    preprocess,
    resampled,
)
from overread.signals.quality import Reason
from overread.sources.recording import Recording


def recording(signal, fs_hz):
    return Recording("a", None, fs_hz, signal)


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, (12, samples)).astype(np.float32)


def tone(hz, fs_hz, seconds=10):
    """1 mV at one frequency in all leads, from a phase that hides nothing at the samples."""
    wave = np.sin(2 * np.pi * hz * np.arange(round(seconds * fs_hz)) / fs_hz + 0.3)
    return np.tile(wave, (12, 1)).astype(np.float32)


def level_at(hz, signal):
    """Amplitude in mV at one frequency in the middle 8 s of 10 s at 250 Hz (a DFT by hand)."""
    middle = signal[0, 250:2250].astype(float)
    return abs(np.sum(middle * np.exp(-2j * np.pi * hz * np.arange(2000) / 250))) / 1000


# Resampling.


@pytest.mark.parametrize(("fs_hz", "step"), [(250, 1), (500, 2), (1000, 4), (2000, 8)])
def test_from_a_multiple_of_250_hz_it_takes_every_nth_sample(fs_hz, step):
    signal = noise(10 * fs_hz)
    assert np.array_equal(resampled(signal, fs_hz), signal[:, ::step])


@pytest.mark.parametrize("fs_hz", [257, 360, 400, 333.3, 977])
def test_at_other_rates_it_is_the_line_between_two_samples(fs_hz):
    signal = noise(int(10.2 * fs_hz))
    found = resampled(signal, fs_hz)
    for k in range(found.shape[1]):
        left = int(k * fs_hz / 250)
        share = k * fs_hz / 250 - left
        right = min(left + 1, signal.shape[1] - 1)
        expected = (1 - share) * signal[:, left].astype(float) + share * signal[:, right]
        assert np.allclose(found[:, k], expected, rtol=0, atol=1e-6)
    # The grid goes on as long as there are samples to stand between.
    assert found.shape[1] * fs_hz / 250 > signal.shape[1] - 1


@given(st.integers(250, 2000), st.integers(1, 3))
def test_so_many_seconds_give_so_many_windows(fs_hz, windows):
    signal = np.tile(np.arange(10 * windows * fs_hz, dtype=np.float32) % 7, (12, 1))
    assert cut(recording(signal, fs_hz)).samples.shape == (windows, 12, 2500)


def test_plain_decimation_folds_the_third_harmonic_of_mains_and_fir_does_not():
    harmonic = tone(180, 500)
    assert level_at(70, resampled(harmonic, 500, "linear")) == pytest.approx(1, abs=0.01)
    assert level_at(70, resampled(harmonic, 500, "fir")) < 10 ** (-70 / 20)


@pytest.mark.parametrize("fs_hz", [257, 360, 400, 499.5, 500, 1000])
@pytest.mark.parametrize("hz", [1, 40, 99])
def test_fir_leaves_what_an_ecg_is_made_of(fs_hz, hz):
    found = resampled(tone(hz, fs_hz), fs_hz, "fir")[:, :2500]
    expected = tone(hz, 250)
    assert found.shape == expected.shape
    assert np.abs(found - expected)[:, 250:2250].max() < 2e-3


def test_fir_keeps_offset_and_drift_to_the_very_ends():
    ramp = np.tile(np.linspace(-5, 20, 5000, dtype=np.float32), (12, 1))
    assert np.allclose(resampled(ramp, 500, "fir"), ramp[:, ::2], rtol=0, atol=1e-4)


def test_fir_at_250_hz_changes_nothing():
    signal = noise(2500)
    assert np.array_equal(resampled(signal, 250, "fir"), signal)


# Cutting.


def test_38_4_seconds_are_three_windows():
    signal = noise(38_400)
    windows = cut(recording(signal, 1000))
    assert windows.number.tolist() == [0, 1, 2]
    assert np.array_equal(windows.samples[2], signal[:, 20_000:30_000:4])


def test_one_sample_more_or_less_at_ten_seconds():
    assert len(cut(recording(noise(10_000), 500)).samples) == 2
    assert len(cut(recording(noise(9_999), 500)).samples) == 1
    assert cut(recording(noise(4_999), 500)) == Rejected(Reason.TOO_SHORT)


def test_w19_a_window_with_a_constant_lead_is_left_out_and_counted():
    signal = noise(15_000)
    signal[8, 5000:10_000] = 0.1
    windows = cut(recording(signal, 500))
    assert (windows.number.tolist(), windows.left_out) == ([0, 2], 1)
    assert np.array_equal(windows.samples[1], signal[:, 10_000::2])


def test_w19_a_lead_constant_in_every_window_drops_the_recording():
    signal = noise(10_000)
    signal[3, :5000] = 0
    signal[3, 5000:] = 1
    assert preprocess(recording(signal, 500)) == Rejected(Reason.CONSTANT_LEAD)


def test_filtering_knows_no_other_window():
    signal = noise(15_000)
    alone = preprocess(recording(signal[:, 5000:10_000], 500)).filtered
    together = preprocess(recording(signal, 500)).filtered
    assert np.array_equal(alone.signals[0], together.signals[1])
    assert np.array_equal(alone.norm[0], together.norm[1])


# Wrong calls.


@pytest.mark.parametrize("shape", [(8, 5000), (5000, 12), (5000,), (1, 12, 5000)])
def test_a_signal_that_is_not_12_leads(shape):
    with pytest.raises(UsageError, match="12 leads x samples"):
        preprocess(recording(np.ones(shape, np.float32), 500))


def test_a_resampling_that_does_not_exist():
    with pytest.raises(UsageError, match="linear, fir"):
        preprocess(recording(noise(5000), 500), resample="cubic")


def test_windows_of_another_length():
    with pytest.raises(UsageError, match="2500 samples"):
        filter_windows(np.ones((3, 12, 5000), np.float32))


def test_windows_that_nobody_checked():
    windows = noise(2500)[None].copy()
    windows[0, 3, 100] = np.nan
    with pytest.raises(UsageError, match="not finite"):
        filter_windows(windows)
