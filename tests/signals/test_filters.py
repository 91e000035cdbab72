"""The filters: the definition against a derivation by hand, both kernels against the definition."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, iirnotch, lfilter, lfilter_zi

import overread
from overread.signals.preprocess import cut, filter_windows, reference
from overread.sources.recording import Recording

#: How far a kernel may be from the definition, millivolts: a quarter of the least stored step.
TOLERANCE_MV = 2.5e-4

torch = pytest.importorskip("torch")
pytest.importorskip("numba")


def on_torch(windows, dtype=torch.float32):
    from overread.signals import filter_torch

    tensor = torch.tensor(windows, dtype=dtype)
    signals, norm, clipped = filter_torch.filter_windows(tensor)
    return signals.numpy(), norm.numpy(), clipped.numpy()


KERNELS = pytest.mark.parametrize("kernel", [filter_windows, on_torch], ids=["numba", "torch"])


def random_windows(count=3, seed=0):
    """Noise on a wandering baseline of several millivolts, with its own offset in each lead."""
    random = np.random.default_rng(seed)
    wander = random.normal(0, 0.05, (count, 12, 2500)).cumsum(-1)
    return (wander + random.normal(0, 0.2, wander.shape) + random.normal(0, 3, (12, 1))).astype(
        np.float32
    )


def stage_by_hand(filters, x):
    """Odd extension of 1000, forward, backward, each filter in turn from its steady state."""
    left = [2 * x[0] - x[i] for i in range(1000, 0, -1)]
    right = [2 * x[-1] - x[-1 - i] for i in range(1, 1001)]
    y = np.concatenate([left, x, right])
    for _ in range(2):
        for b, a in filters:
            y, _ = lfilter(b, a, y, zi=lfilter_zi(b, a) * y[0])
        y = y[::-1]
    return y[1000:-1000]


def by_hand(window):
    """Filtered mV, mean and sd of one lead's window, from direct-form filters and the formulas."""
    high = stage_by_hand([butter(2, 0.5, "highpass", fs=250)], window.astype(float))
    low = stage_by_hand([iirnotch(50, 30, fs=250), iirnotch(60, 30, fs=250)], high)
    mean = sum(high) / len(high)
    return low, mean, (sum((high - mean) ** 2) / len(high)) ** 0.5


def assert_as_defined(filtered, windows):
    """Stored integers within 1 of the definition, norms within the tolerance, clipping told."""
    signals, norm, clipped = filtered
    millivolts, mean, sd = reference(windows)
    wanted = np.rint(millivolts * 1000)
    assert signals.dtype == np.int16
    assert np.abs(signals - wanted.clip(-32767, 32767)).max() <= 1
    assert np.abs(norm[..., 0] - mean).max() < TOLERANCE_MV
    assert np.abs(norm[..., 1] - sd).max() < TOLERANCE_MV
    assert np.array_equal(clipped, (np.abs(wanted) > 32767).any((1, 2)))


# The definition.


def test_the_definition_is_the_method_by_hand():
    windows = random_windows(1)[0]
    millivolts, mean, sd = reference(windows)
    for lead in range(12):
        expected, expected_mean, expected_sd = by_hand(windows[lead])
        assert np.abs(millivolts[lead] - expected).max() < 1e-9
        assert mean[lead] == pytest.approx(expected_mean, abs=1e-9)
        assert sd[lead] == pytest.approx(expected_sd, abs=1e-9)


@pytest.mark.parametrize(
    ("hz", "gain"),
    # Forward and backward squares the gain: half at the cut-off, 1/(1 + (0.5/f)^4) above it.
    [(0.5, 0.5), (1, 16 / 17), (5, 1.0), (25, 1.0), (50, 0.0), (60, 0.0), (100, 1.0)],
)
def test_what_passes(hz, gain):
    wave = np.sin(2 * np.pi * hz * np.arange(2500) / 250)
    middle, _, _ = reference(wave)
    found = 2 * np.mean(middle[500:2000] * wave[500:2000])
    assert found == pytest.approx(gain, abs=0.01)


def test_mean_and_standard_deviation_are_of_the_signal_before_the_notch():
    mains = np.tile(np.sin(2 * np.pi * 60 * np.arange(2500) / 250), (1, 12, 1)).astype(np.float32)
    filtered = filter_windows(mains)
    assert filtered.norm[0, :, 1] == pytest.approx(0.5**0.5, abs=0.02)
    assert np.abs(filtered.signals[0, :, 500:-500]).max() < 10


# The kernels.


@KERNELS
def test_invented_windows(kernel):
    windows = random_windows(5)
    assert_as_defined(kernel(windows), windows)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_any_number_of_windows(count):
    windows = random_windows(3)
    some, all_three = filter_windows(windows[:count]), filter_windows(windows)
    assert np.array_equal(some.signals, all_three.signals[:count])
    assert np.array_equal(some.norm, all_three.norm[:count])


def real_windows(shared, source):
    """All 10 s windows of one source, read by other packages than ours."""
    wfdb = pytest.importorskip("wfdb")
    pytest.importorskip("soundfile")
    headers = sorted((shared / "data" / source).rglob("*.hea"))[:25]
    windows = []
    for header in headers:
        record = wfdb.rdrecord(str(header.with_suffix("")))
        signal = np.ascontiguousarray(record.p_signal[:, :12].T, np.float32)
        found = cut(Recording(header.stem, None, record.fs, signal))
        if hasattr(found, "samples"):
            windows.append(found.samples)
    return np.concatenate(windows)


@KERNELS
@pytest.mark.parametrize(
    ("source", "least"),
    [
        ("norwegian-athlete-ecg", 14),
        ("ptb-xl/records500", 25),
        ("ptb-xl-500", 25),
        ("challenge-2021", 23),  # JS20004 and JS20008 have flat leads
        ("ludb", 1),
        ("ptbdb", 3),
    ],
)
def test_real_windows(shared, source, least, kernel):
    windows = real_windows(shared, source)
    assert len(windows) >= least
    assert_as_defined(kernel(windows), windows)


def test_training_with_reduced_products_does_not_reduce_the_filters(shared):
    windows = real_windows(shared, "ludb")
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert_as_defined(on_torch(windows), windows)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_torch_in_float64_is_the_definition():
    windows = random_windows(1)
    _, norm, _ = on_torch(windows, torch.float64)
    _, mean, sd = reference(windows)
    assert norm.dtype == np.float64
    assert np.allclose(norm[..., 0], mean, rtol=0, atol=1e-9)
    assert np.allclose(norm[..., 1], sd, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), level=st.floats(-300, 300, width=32))
def test_an_offset_is_no_signal(seed, level):
    windows = (random_windows(1, seed) * 1024).round() / 1024  # so that the sum is exact
    level = round(level * 1024) / 1024
    there, here = filter_windows(windows + np.float32(level)), filter_windows(windows)
    assert np.abs(there.signals.astype(int) - here.signals).max() <= 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_the_filters_are_linear(seed, a, b):
    x, y = random_windows(1, seed), random_windows(1, seed + 100)
    both = filter_windows((a * x + b * y).astype(np.float32)).signals
    apart = a * filter_windows(x).signals + b * filter_windows(y).signals.astype(float)
    free = np.abs(apart) < 32000  # nothing clipped
    # Three roundings to whole microvolts.
    assert np.abs(both - apart)[free].max() <= 0.6 + 0.5 * (abs(a) + abs(b))


@KERNELS
def test_turned_round_in_time_is_turned_round_when_filtered(kernel):
    """Both directions treat both ends alike, but for the order of the two passes."""
    windows = random_windows(2)
    turned = kernel(np.ascontiguousarray(windows[:, :, ::-1]))[0][:, :, ::-1]
    assert np.abs(turned.astype(int) - kernel(windows)[0])[:, :, 1000:-1000].max() <= 3


@KERNELS
def test_what_does_not_fit_an_int16_is_clipped_and_told(kernel):
    windows = random_windows(3)
    windows[1, 5, 1200:1210] = 900
    windows[1, 6, 1200:1210] = -900
    filtered = kernel(windows)
    assert_as_defined(filtered, windows)
    assert filtered[2].tolist() == [False, True, False]
    assert (filtered[0].max(), filtered[0].min()) == (32767, -32767)


@KERNELS
@pytest.mark.parametrize("level", [0.0, 1e-30, -1000.0])
def test_a_flat_window_is_zero(kernel, level):
    signals, norm, clipped = kernel(np.full((1, 12, 2500), level, np.float32))
    assert not signals.any()
    assert not clipped.any()
    assert np.abs(norm).max() < 1e-9


def test_the_samples_may_lie_in_memory_as_they_like():
    windows = random_windows(2)
    expected = filter_windows(windows).signals
    at_500 = np.repeat(windows, 2, axis=2)
    assert np.array_equal(filter_windows(at_500[:, :, ::2]).signals, expected)
    across = np.ascontiguousarray(windows.transpose(2, 1, 0)).transpose(2, 1, 0)
    assert np.array_equal(filter_windows(across).signals, expected)
    shifted = np.frombuffer(b"\0" + windows.tobytes(), np.float32, offset=1).reshape(windows.shape)
    assert np.array_equal(filter_windows(shifted).signals, expected)
    windows.flags.writeable = False
    assert np.array_equal(filter_windows(windows).signals, expected)


@pytest.mark.slow
def test_no_folder_for_compiled_code(tmp_path):
    """The package may not be written to, and neither may the home folder."""
    package = Path(overread.__file__).parent
    shutil.copytree(package, tmp_path / "overread", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "overread" / "signals" / "__pycache__").write_text("a file in the folder's place")
    program = (
        "import numpy as np\n"
        "from overread.signals.preprocess import __file__, filter_windows\n"
        "print(__file__, filter_windows(np.ones((1, 12, 2500), np.float32)).signals.max())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "overread/signals/preprocess.py"), "0"]
