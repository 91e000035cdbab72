"""The filters of ``preprocess`` compiled for one processor core: thousands of ECGs a second.

The samples of two ECGs' leads lie side by side, so that one vector instruction steps several leads
at once; a filter's own steps depend on each other and cannot be spread. Plain float64 arithmetic in
a fixed order, nothing fused or reordered, so that the bytes do not depend on the processor.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from overread.signals.preprocess import FULL_SCALE, MICROVOLTS, Stage

#: Two ECGs. One alone leaves the vector units waiting for its own steps (4,500 a second against
#: 5,800 on one core with AVX-512); four gain 8 % more and outgrow a megabyte of cache.
_SIDE_BY_SIDE = 24

_SIGNATURE = numba.void(
    numba.types.Array(numba.float32, 2, "A", readonly=True),  # any strides, read-only or not
    *[numba.float64[:, ::1]] * 4,
    numba.int64,
    numba.float64,
    numba.float64,
    numba.int16[:, ::1],
    numba.float32[:, ::1],
    numba.boolean[::1],
)


def filter_rows(
    rows: npt.NDArray[np.float32], high_pass: Stage, notch: Stage, padding: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Each row, one lead's window in millivolts, filtered on its own.

    ``rows`` is float32, n x samples. Returns int16 microvolts n x samples, float32 n x 2 (mean and
    standard deviation before the notch), and whether a row had to be clipped. Other Python threads
    run meanwhile.
    """
    signals = np.empty(rows.shape, np.int16)
    norm = np.empty((len(rows), 2), np.float32)
    clipped = np.zeros(len(rows), np.bool_)
    if len(rows):
        _filter(rows, *high_pass, *notch, padding, MICROVOLTS, FULL_SCALE, signals, norm, clipped)
    return signals, norm, clipped


@numba.njit
def _extend(x, padding):  # type: ignore[no-untyped-def]
    """Odd extension: the padding is the signal turned half round its first and last sample."""
    first, last = padding, x.shape[0] - 1 - padding
    for t in range(1, padding + 1):
        for k in range(x.shape[1]):
            x[first - t, k] = 2 * x[first, k] - x[first + t, k]
        for k in range(x.shape[1]):
            x[last + t, k] = 2 * x[last, k] - x[last - t, k]


@numba.njit
def _run(x, sections, rest, state, start, stop, step):  # type: ignore[no-untyped-def]
    """Sections in place over x[start:stop:step], from rest at the level of the first sample.

    Transposed direct form II, as in SciPy. The number of columns stays a variable: with a constant
    LLVM would unroll the inner loop instead of making vectors of it.
    """
    level = x[start].copy()
    for i in range(sections.shape[0]):
        b0, b1, b2 = sections[i, 0], sections[i, 1], sections[i, 2]
        a1, a2 = sections[i, 4], sections[i, 5]
        for k in range(x.shape[1]):
            state[0, k] = rest[i, 0] * level[k]
            state[1, k] = rest[i, 1] * level[k]
        for t in range(start, stop, step):
            for k in range(x.shape[1]):
                before = x[t, k]
                after = b0 * before + state[0, k]
                state[0, k] = (b1 * before + state[1, k]) - a1 * after
                state[1, k] = b2 * before - a2 * after
                x[t, k] = after


@numba.njit
def _both_ways(x, sections, rest, state, padding):  # type: ignore[no-untyped-def]
    _extend(x, padding)
    _run(x, sections, rest, state, 0, x.shape[0], 1)
    # Nobody looks at the padding in front afterwards.
    _run(x, sections, rest, state, x.shape[0] - 1, padding - 1, -1)


def _filter_plain(  # type: ignore[no-untyped-def]
    rows, high_pass, high_rest, notch, notch_rest, padding, scale, limit, signals, norm, clipped
):
    # What could change elsewhere comes as an argument: numba's cache does not see other files.
    count, length = rows.shape
    width = min(_SIDE_BY_SIDE, count)
    x = np.empty((length + 2 * padding, width))
    state = np.empty((2, width))
    mean = np.empty(width)
    square = np.empty(width)
    for block in range(0, count, width):
        first = min(block, count - width)  # the last block may do rows of the one before again
        for t in range(length):
            for k in range(width):
                x[padding + t, k] = rows[first + k, t]
        _both_ways(x, high_pass, high_rest, state, padding)
        mean[:] = 0
        square[:] = 0
        for t in range(padding, padding + length):
            for k in range(width):
                mean[k] += x[t, k]
        mean /= length
        for t in range(padding, padding + length):
            for k in range(width):
                square[k] += (x[t, k] - mean[k]) ** 2
        for k in range(width):
            norm[first + k, 0] = mean[k]
            norm[first + k, 1] = np.sqrt(square[k] / length)
        _both_ways(x, notch, notch_rest, state, padding)
        for t in range(length):
            for k in range(width):
                value = np.rint(scale * x[padding + t, k])
                if abs(value) > limit:
                    clipped[first + k] = True
                    value = np.copysign(limit, value)
                signals[first + k, t] = np.int16(value)


def _compiled() -> Any:
    compiler = partial(numba.njit, _SIGNATURE, nogil=True, error_model="numpy")
    try:
        return compiler(cache=True)(_filter_plain)
    except (RuntimeError, OSError):
        # No folder for the cache can be written to. What else may be wrong shows again here.
        return compiler()(_filter_plain)


_filter = _compiled()
