"""The inner loop of the synthetic ECGs, compiled by numba; imported only where it runs."""

from __future__ import annotations

from math import ceil, cos, exp, sin
from typing import Any, Final

import numba
import numpy as np

from overread.signals.synth_heart import ATRIAL, VENTRICULAR

_FS: Final = 250.0
_REACH: Final = 3.5  # standard deviations of a wave that are drawn
_SMOOTH: Final = 0.93  # of the coloured part of muscle and electrode noise, per sample
_COLOURED: Final = 0.55  # its size beside the white part
_PREMATURE: Final = ((0.045, 0.020), (0.085, 0.020), (0.290, 0.050))  # seconds: QRS, QRS, T


@numba.njit(nogil=True, cache=True)
def _add(heart: Any, vector: Any, gain: float, at: float, spread: float) -> None:
    """A Gaussian force added to the heart vector (3 x samples); no exp inside the loop."""
    samples = heart.shape[1]
    first = max(0, ceil((at - _REACH * spread) * _FS))
    last = min(samples, int((at + _REACH * spread) * _FS) + 1)
    if first >= last:
        return
    step = 1 / (spread * _FS)
    z = first * step - at / spread
    value = gain * exp(-0.5 * z * z)
    ratio = exp(-z * step - 0.5 * step * step)
    shrink = exp(-step * step)
    for k in range(first, last):
        heart[0, k] += vector[0] * value
        heart[1, k] += vector[1] * value
        heart[2, k] += vector[2] * value
        value *= ratio
        ratio *= shrink


@numba.njit(nogil=True, cache=True)
def record(
    beats: Any, kinds: Any,
    ventricles: Any, centres: Any, spreads: Any, premature: Any,
    atria: Any, atrial_at: Any, atrial_spread: Any,
    wave_hz: Any, wave_phase: Any, waves: Any,
    leads: Any,
    disturbance_hz: Any, disturbance_phase: Any, disturbance: Any, muscle: Any, normal: Any,
    out: Any,
) -> None:  # fmt: skip
    """Writes ECGs into ``out`` (n x 12 x samples, mV); see `synth_waves` for every argument."""
    samples = out.shape[2]
    heart = np.empty((3, samples))
    electrode = np.empty((9, samples))
    for i in range(out.shape[0]):
        heart[:] = 0.0
        for b in range(beats.shape[1]):
            onset = beats[i, b]
            if np.isnan(onset):
                break
            breath = 1 + 0.03 * sin(disturbance_phase[i, 0, 0] + 1.7 * onset)
            if kinds[i, b] == VENTRICULAR:
                for w in range(3):
                    at, spread = _PREMATURE[w]
                    _add(heart, premature[i, w], breath, onset + at, spread)
                continue
            # The P wave of an atrial premature beat comes from elsewhere: smaller.
            share = 0.6 if kinds[i, b] == ATRIAL else 1.0
            for w in range(atria.shape[1]):
                _add(heart, atria[i, w], share, onset + atrial_at[i, w], atrial_spread[i, w])
            for w in range(ventricles.shape[1]):
                _add(heart, ventricles[i, w], breath, onset + centres[i, w], spreads[i, w])
        if waves[i, 0, 2] != 0.0:
            for w in range(waves.shape[1]):
                c, s = cos(wave_phase[i, w]), sin(wave_phase[i, w])
                turn = 2 * np.pi * wave_hz[i, w] / _FS
                dc, ds = cos(turn), sin(turn)
                for k in range(samples):
                    heart[0, k] += waves[i, w, 0] * s
                    heart[1, k] += waves[i, w, 1] * s
                    heart[2, k] += waves[i, w, 2] * s
                    c, s = c * dc - s * ds, s * dc + c * ds
        for e in range(9):
            slow = 0.0
            white = muscle[i, e]
            coloured = white * _COLOURED
            for k in range(samples):
                slow = _SMOOTH * slow + normal[i, e, k]
                electrode[e, k] = white * normal[i, e, k] + coloured * slow
            for w in range(3):
                c, s = cos(disturbance_phase[i, e, w]), sin(disturbance_phase[i, e, w])
                turn = 2 * np.pi * disturbance_hz[i, e, w] / _FS
                dc, ds = cos(turn), sin(turn)
                size = disturbance[i, e, w]
                for k in range(samples):
                    electrode[e, k] += size * s
                    c, s = c * dc - s * ds, s * dc + c * ds
        for k in range(samples):
            x, y, z = heart[0, k], heart[1, k], heart[2, k]
            right, left, foot = electrode[0, k], electrode[1, k], electrode[2, k]
            one = leads[i, 0, 0] * x + leads[i, 0, 1] * y + leads[i, 0, 2] * z + left - right
            two = leads[i, 1, 0] * x + leads[i, 1, 1] * y + leads[i, 1, 2] * z + foot - right
            out[i, 0, k] = one
            out[i, 1, k] = two
            out[i, 2, k] = two - one
            out[i, 3, k] = -(one + two) / 2
            out[i, 4, k] = one - two / 2
            out[i, 5, k] = two - one / 2
            middle = (right + left + foot) / 3
            for c in range(6):
                row = leads[i, 2 + c]
                out[i, 6 + c, k] = (
                    row[0] * x + row[1] * y + row[2] * z + electrode[3 + c, k] - middle
                )
