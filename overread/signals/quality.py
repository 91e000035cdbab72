"""Which recordings are kept out, and why. The import counts them by reason."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

LOWEST_HZ: Final = 250  # below it there is nothing to resample to 250 Hz (the paper's rule)
SECONDS: Final = 10

#: An ECG amplifier must bear 300 mV of electrode offset and 5 mV of heart (IEC 60601-2-25); beyond
#: a volt is a damaged file or a wrong unit, and float32 has no microvolts left.
HIGHEST_MV: Final = 1000.0


class Reason(StrEnum):
    """Why a recording is not used, in the order in which the rules are asked."""

    LOW_RATE = "low_rate"
    TOO_SHORT = "too_short"
    NAN = "nan"
    OUT_OF_RANGE = "out_of_range"
    CONSTANT_LEAD = "constant_lead"


def reject_reason(signal: npt.NDArray[np.float32], fs_hz: float) -> Reason | None:
    """The first rule that a recording breaks; None where it may be used.

    ``signal`` is float32 millivolts, leads x samples, as read. As in the paper, one missing sample
    or one lead that never changes (an electrode that was off, all zero) drops the whole recording.

    >>> ecg = np.random.default_rng(0).normal(size=(12, 5000)).astype(np.float32)
    >>> reject_reason(ecg, 500) is None
    True
    >>> ecg[7] = 0
    >>> reject_reason(ecg, 500)
    <Reason.CONSTANT_LEAD: 'constant_lead'>
    >>> str(reject_reason(ecg, 100))
    'low_rate'
    """
    if not fs_hz >= LOWEST_HZ:  # so that NaN is low
        return Reason.LOW_RATE
    if signal.shape[-1] < SECONDS * fs_hz:
        return Reason.TOO_SHORT
    lowest, highest = signal.min(-1), signal.max(-1)  # NaN where any sample is
    if not (np.isfinite(lowest) & np.isfinite(highest)).all():
        return Reason.NAN
    if lowest.min() < -HIGHEST_MV or highest.max() > HIGHEST_MV:
        return Reason.OUT_OF_RANGE
    if (lowest == highest).any():
        return Reason.CONSTANT_LEAD
    return None


def has_constant_lead(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """For each window (windows x leads x samples), whether a lead never changes in it.

    >>> has_constant_lead(np.array([[[1.0, 1], [0, 1]], [[0, 1], [0, 1]]], np.float32))
    array([ True, False])
    """
    constant: npt.NDArray[np.bool_] = (windows.min(-1) == windows.max(-1)).any(-1)
    return constant
