"""From a recording to filtered 10 s windows at 250 Hz: resample, cut, high-pass, notch.

The order and the filters are the paper's (Beyond Machine Interpretation, MIDL 2026, section 4.1);
what it leaves open is fixed here, so that every sample is defined:

    stage 1  Butterworth high-pass of order 2 at 0.5 Hz
    stage 2  notches at 50 and 60 Hz, Q = 30, as one cascade

Each stage runs forward and backward over the 10 s window, in float64, with an odd extension of
1,000 samples at both ends (SciPy's default of 21 leaves up to 0.04 mV at the edges). The paper
z-scores between the stages. A notch leaves the mean alone and is linear, so the mean and standard
deviation of the high-passed signal are kept beside the filtered one, and a batch is z-scored when
it is read.

`reference` is the slow and obvious way; `filter_windows` and ``filter_torch`` give the same within
0.00025 mV.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError
from overread.signals.quality import SECONDS, Reason, has_constant_lead, reject_reason
from overread.signals.store import SAMPLES
from overread.sources.recording import Recording
from overread.tables import LEADS

FS_HZ: Final = SAMPLES // SECONDS  # 250
HIGH_PASS_HZ: Final = 0.5
MAINS_HZ: Final = (50, 60)
MAINS_Q: Final = 30
PADDING: Final = 1000  # samples at each end, in each stage
MICROVOLTS: Final = 1000  # in one millivolt
FULL_SCALE: Final = 32767  # microvolts that an int16 holds in both directions

# The anti-aliasing filter of ``resample="fir"``: everything to 100 Hz passes, everything that would
# fold below 100 Hz (from 150 Hz) is lowered by 70 dB.
_PASS_HZ: Final = 100
_STOP_HZ: Final = 150
_STOP_DB: Final = 70

Resampling = Literal["linear", "fir"]
Samples = npt.NDArray[np.floating[Any]]


class Stage(NamedTuple):
    """One stage's second-order sections (float64, n x 6) and their state at rest (n x 2)."""

    sections: npt.NDArray[np.float64]
    rest: npt.NDArray[np.float64]


class Filtered(NamedTuple):
    """Windows as the store keeps them.

    ``signals`` int16 microvolts, n x 12 x 2500. ``norm`` float32 millivolts, n x 12 x 2: mean and
    population standard deviation of the high-passed signal before the notch; the standard deviation
    of a nearly flat lead is nearly 0, so who divides by it has to guard. ``clipped`` bool, n:
    somewhere the filtered signal left what int16 can hold, 32.767 mV either way.
    """

    signals: npt.NDArray[np.int16]
    norm: npt.NDArray[np.float32]
    clipped: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Windows:
    """The 10 s windows of one recording, not filtered: float32 millivolts, n x 12 x 2500.

    ``number`` says which 10 s each one is, from 0; windows with a constant lead are left out.
    """

    samples: npt.NDArray[np.float32]
    number: npt.NDArray[np.int64]
    left_out: int


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """One recording ready for the store; ``number`` and ``left_out`` as in `Windows`."""

    filtered: Filtered
    number: npt.NDArray[np.int64]
    left_out: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A recording that is not used."""

    reason: Reason


def preprocess(recording: Recording, *, resample: Resampling = "linear") -> Preprocessed | Rejected:
    """One recording through all steps; an import filters many recordings' windows at once instead.

    >>> noise = np.random.default_rng(0).normal(size=(12, 19_200)).astype(np.float32)
    >>> done = preprocess(Recording("a", None, 500, noise))
    >>> done.filtered.signals.shape, done.number.tolist()
    ((3, 12, 2500), [0, 1, 2])
    >>> preprocess(Recording("b", None, 100, noise))
    Rejected(reason=<Reason.LOW_RATE: 'low_rate'>)
    """
    windows = cut(recording, resample=resample)
    if isinstance(windows, Rejected):
        return windows
    return Preprocessed(filter_windows(windows.samples), windows.number, windows.left_out)


def cut(recording: Recording, *, resample: Resampling = "linear") -> Windows | Rejected:
    """A recording's whole 10 s windows at 250 Hz, one after the other; a shorter rest is left out.

    Rejected where `quality.reject_reason` has one for the recording, or where a lead is constant in
    each of its windows. Raises ``UsageError`` for a signal that is not 12 leads.
    """
    signal, fs_hz = recording.signal, recording.fs_hz
    if signal.ndim != 2 or len(signal) != len(LEADS):
        raise UsageError(f"a signal of shape {signal.shape}; give {len(LEADS)} leads x samples")
    if (reason := reject_reason(signal, fs_hz)) is not None:
        return Rejected(reason)
    count = int(signal.shape[1] // (SECONDS * fs_hz))
    at_250 = resampled(signal, fs_hz, resample)[:, : count * SAMPLES]
    samples = at_250.reshape(len(LEADS), count, SAMPLES).swapaxes(0, 1)
    keep = ~has_constant_lead(samples)
    if not keep.any():
        return Rejected(Reason.CONSTANT_LEAD)
    number = np.flatnonzero(keep)
    return Windows(samples if keep.all() else samples[keep], number, count - len(number))


def resampled(
    signal: npt.NDArray[np.float32], fs_hz: float, method: Resampling = "linear"
) -> npt.NDArray[np.float32]:
    """The signal (leads x samples, at least 250 Hz) on the grid of 250 Hz, from its first sample.

    ``linear`` interpolates, as the paper does: from 500 Hz that is every other sample, and the
    third harmonic of American mains, 180 Hz, comes back as 70 Hz. ``fir`` filters first (Kaiser
    window, polyphase, no delay): flat to 100 Hz, and 70 dB down for all that would fold below it.

    >>> resampled(np.arange(8, dtype=np.float32)[None], 500)
    array([[0., 2., 4., 6.]], dtype=float32)
    >>> resampled(np.arange(5, dtype=np.float32)[None], 400)
    array([[0. , 1.6, 3.2]], dtype=float32)
    """
    if method not in get_args(Resampling):
        raise UsageError(f"resampling {method!r}; give one of {', '.join(get_args(Resampling))}")
    if method == "fir" and fs_hz != FS_HZ:
        return _polyphase(signal, fs_hz)
    if fs_hz % FS_HZ == 0:
        return signal[:, :: int(fs_hz // FS_HZ)]
    last = signal.shape[1] - 1
    grid = np.arange(int(last * FS_HZ / fs_hz) + 1) * fs_hz / FS_HZ
    old = np.arange(last + 1)
    return np.stack([np.interp(grid, old, lead) for lead in signal]).astype(np.float32)


def _polyphase(signal: npt.NDArray[np.float32], fs_hz: float) -> npt.NDArray[np.float32]:
    from scipy.signal import firwin, kaiserord, resample_poly

    ratio = FS_HZ / Fraction(fs_hz).limit_denominator(1000)
    between = fs_hz * ratio.numerator  # the rate at which the polyphase filter is designed
    taps, beta = kaiserord(_STOP_DB, (_STOP_HZ - _PASS_HZ) / (between / 2))
    # An odd number of taps has its delay on a sample, where resample_poly takes it out.
    window = firwin(taps | 1, (_PASS_HZ + _STOP_HZ) / 2, window=("kaiser", beta), fs=between)
    # The straight line from the first to the last sample is set aside, so that offset and drift do
    # not ring at the ends.
    at_250 = resample_poly(
        signal.astype(np.float64), ratio.numerator, ratio.denominator, 1, window, padtype="line"
    )
    return np.asarray(at_250, np.float32)


def filter_windows(windows: npt.NDArray[np.float32]) -> Filtered:
    """Windows (float32 millivolts, n x 12 x 2500, any strides) filtered by the compiled kernel.

    Raises ``UsageError`` for another shape, for samples that are not finite, and where numba is
    missing.

    >>> flat = np.full((1, 12, 2500), 0.4, np.float32)
    >>> int(abs(filter_windows(flat).signals).max())
    0
    """
    if windows.shape[1:] != (len(LEADS), SAMPLES):
        raise UsageError(
            f"windows of shape {windows.shape}; give n x {len(LEADS)} leads x {SAMPLES} samples"
        )
    try:
        from overread.signals.filter_numba import filter_rows
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise UsageError(
            "Filtering signals needs numba. Next step: python3 -m pip install 'overread[signals]'"
        ) from None
    count = len(windows)
    rows = np.require(windows, np.float32, "A").reshape(-1, SAMPLES)
    signals, norm, clipped = filter_rows(rows, high_pass(), notch(), PADDING)
    if not np.isfinite(norm).all():
        raise UsageError("windows hold samples that are not finite; leave those recordings out")
    return Filtered(
        signals.reshape(count, len(LEADS), SAMPLES),
        norm.reshape(count, len(LEADS), 2),
        np.any(clipped.reshape(count, len(LEADS)), axis=1),
    )


def reference(
    windows: Samples,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The definition: filtered millivolts, and mean and standard deviation before the notch.

    ``windows`` is ... x 2500 millivolts. What the store keeps is this, rounded.

    >>> mains = 2 + np.sin(2 * np.pi * 50 * np.arange(2500) / 250)  # 1 mV on 2 mV of offset
    >>> millivolts, mean, sd = reference(mains)
    >>> f"{abs(millivolts[500:-500]).max():.2f} {sd:.2f}"
    '0.00 0.72'
    """
    high_passed = both_ways(high_pass(), windows)
    return both_ways(notch(), high_passed), high_passed.mean(-1), high_passed.std(-1)


def both_ways(stage: Stage, x: Samples) -> npt.NDArray[np.float64]:
    """One stage forward and backward along the last axis."""
    from scipy.signal import sosfiltfilt

    filtered: npt.NDArray[np.float64] = sosfiltfilt(
        stage.sections, x.astype(np.float64), padtype="odd", padlen=PADDING
    )
    return filtered


@cache
def high_pass() -> Stage:
    """Stage 1, against the wandering baseline."""
    from scipy.signal import butter

    return _stage(butter(2, HIGH_PASS_HZ, "highpass", fs=FS_HZ, output="sos"))


@cache
def notch() -> Stage:
    """Stage 2, against the mains of either continent."""
    from scipy.signal import iirnotch, tf2sos

    return _stage(np.vstack([tf2sos(*iirnotch(hz, MAINS_Q, fs=FS_HZ)) for hz in MAINS_HZ]))


def _stage(sections: npt.NDArray[np.float64]) -> Stage:
    from scipy.signal import sosfilt_zi

    return Stage(np.ascontiguousarray(sections), np.ascontiguousarray(sosfilt_zi(sections)))
