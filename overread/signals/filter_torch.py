"""The filters of ``preprocess`` as matrix products, for batches on a GPU.

Extension, forward and backward pass are linear in the 2,500 samples of a window, so each stage is
one matrix, made from the reference once. What a stage takes away (drift, mains) is subtracted
instead of multiplying by what it leaves: its matrix is small, and so are the errors of float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from overread.errors import UsageError
from overread.signals.preprocess import (
    FULL_SCALE,
    MICROVOLTS,
    Stage,
    both_ways,
    high_pass,
    notch,
)
from overread.signals.store import SAMPLES

if TYPE_CHECKING:
    import torch


def filter_windows(windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Windows filtered on their own device, as `preprocess.filter_windows` does it.

    ``windows`` is float32 or float64 millivolts, n x 12 x 2500, finite. Returns int16 microvolts
    n x 12 x 2500, mean and standard deviation before the notch n x 12 x 2, and which windows were
    clipped (bool, n). Takes about 4 times the memory of ``windows``.

    >>> import torch
    >>> signals, norm, clipped = filter_windows(torch.ones(2, 12, 2500))
    >>> int(signals.abs().max()), norm.shape, clipped.tolist()
    (0, torch.Size([2, 12, 2]), [False, False])
    """
    import torch

    if windows.shape[-1] != SAMPLES or not windows.is_floating_point():
        raise UsageError(
            f"windows of shape {tuple(windows.shape)} and {windows.dtype}; "
            f"give float32 millivolts, n x 12 x {SAMPLES}"
        )
    drift, mains = _taken(windows.device, windows.dtype)
    # The high-pass turns a constant into 0 exactly; without it float32 keeps more of the rest.
    x = windows - windows.mean(-1, keepdim=True)
    with _full_precision():
        high_passed = x - x @ drift
        filtered = high_passed - high_passed @ mains
    norm = torch.stack((high_passed.mean(-1), high_passed.std(-1, correction=0)), -1)
    microvolts = filtered.mul_(MICROVOLTS).round_()
    clipped = (microvolts.abs() > FULL_SCALE).flatten(1).any(1)
    return microvolts.clamp_(-FULL_SCALE, FULL_SCALE).to(torch.int16), norm, clipped


@cache
def _taken(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """What the high-pass and the notch take away from a row of samples: two 2500 x 2500 matrices.

    Made once per device and dtype, and kept.
    """
    import torch

    def matrix(stage: Stage) -> torch.Tensor:
        one = np.eye(SAMPLES)  # row i is a 1 at sample i
        return torch.from_numpy(one - both_ways(stage, one)).to(device, dtype)

    return matrix(high_pass()), matrix(notch())


@contextmanager
def _full_precision() -> Iterator[None]:
    """float32 products in float32: training may have allowed TF32, which keeps only 10 bits."""
    import torch

    on_cpu: Any = torch.backends.mkldnn  # its matmul is not in torch's types
    backends = (torch.backends.cuda.matmul, on_cpu.matmul)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
