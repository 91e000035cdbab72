"""Random views of ECGs that leave every label true, made in batches on the device.

Every draw comes from the generator that is passed in. What changes polarity, swaps leads, scales
leads apart or changes the rate by more than a tenth is left out: it would change axis, voltage
criteria, infarct territory or intervals, and with them the labels.
"""

from __future__ import annotations

from math import pi
from typing import Final

import torch
from torch import Tensor

from overread.tables import LEADS

FS_HZ: Final = 250
LIMB: Final = 6  # I II III aVR aVL aVF come first
CHEST: Final = len(LEADS) - LIMB

# The paper gives the first four; for the rest it names the kind and no range.
WEAK_NOISE: Final = 0.015  # standard deviations
STRONG_NOISE: Final = 0.02
GAIN: Final = 0.1  # 0.9 to 1.1, one for all leads: their ratios are the axis
SHIFT_S: Final = 0.05

# Local speed stays within 1 +- (STRETCH + WARP): at the most a QRS of 120 ms becomes one of 109 to
# 133 ms and a rate of 60 one of 54 to 66. More would carry ECGs across the limits of the labels.
STRETCH: Final = 0.05  # resampling by one factor per ECG
WARP: Final = 0.05  # the part that comes and goes inside the ECG, as with breathing
BREATHING_HZ: Final = (0.1, 0.4)  # slower than the beat, so that a QRS keeps its shape

# Two gaps of at most half a second hide at most one beat each up to a rate of 120, and leave nine
# tenths of the rhythm.
GAPS: Final = 2
GAP_S: Final = 0.5

# No two of the six limb leads are parallel (their axes are 30 degrees apart), so any two that are
# left give the frontal axis. With three chest leads lost, one of V1 to V4 is left, where anterior
# infarction stands.
LIMB_LOST: Final = 4
CHEST_LOST: Final = 3


def weak(ecgs: Tensor, generator: torch.Generator, noise_unit: Tensor | float = 1.0) -> Tensor:
    """The weak view: moved by up to 50 ms, one gain of 0.9 to 1.1, a little noise.

    ``ecgs`` is (n, 12, t) at 250 Hz, of any floating dtype, and is left alone; ``generator`` stands
    on its device. ``noise_unit`` is what the noise is a fraction of, in the units of ``ecgs`` and
    broadcast to (n, 12, t): 1 for z-scored leads, each lead's standard deviation (n, 12, 1) for
    millivolts. Samples that a shift uncovers repeat the first or last one: a step to 0 would be a
    deflection. The view has the shape and dtype of ``ecgs``.

    >>> generator = torch.Generator().manual_seed(0)
    >>> weak(torch.zeros(2, 12, 2500), generator).shape
    torch.Size([2, 12, 2500])
    """
    n, _, samples = ecgs.shape
    most = round(SHIFT_S * FS_HZ)
    shift = torch.randint(-most, most + 1, (n, 1, 1), generator=generator, device=ecgs.device)
    times = torch.arange(samples, device=ecgs.device)
    moved = ecgs.gather(2, (times + shift).clamp(0, samples - 1).expand_as(ecgs))
    rand = torch.rand(n, 1, 1, generator=generator, device=ecgs.device)
    gain = 1 + GAIN * (2 * rand - 1)
    return _noisy(moved * gain.to(ecgs.dtype), WEAK_NOISE, generator, noise_unit)


def strong(ecgs: Tensor, generator: torch.Generator, noise_unit: Tensor | float = 1.0) -> Tensor:
    """The strong view: resampled and warped in time, with gaps, lost leads and noise.

    Arguments and result as in `weak`.

    >>> generator = torch.Generator().manual_seed(0)
    >>> view = strong(torch.ones(1, 12, 2500), generator)
    >>> bool((view == strong(torch.ones(1, 12, 2500), generator)).all())  # another draw
    False
    """
    n, _, samples = ecgs.shape
    views = _read_at(ecgs, warped_times(n, samples, generator))
    silent = ~kept_leads(n, generator)[:, :, None] | gaps(n, samples, generator)[:, None, :]
    return _noisy(views.masked_fill(silent, 0), STRONG_NOISE, generator, noise_unit)


def warped_times(n: int, samples: int, generator: torch.Generator) -> Tensor:
    """Where each sample of a view is read, in samples of the original: float32 (n, samples).

    The speed is 1 + a constant + a wave; its integral is written out, because on a GPU a cumulative
    sum is not the same twice. At the ends up to a third of a second lies outside a 10 s ECG.
    """
    rand = torch.rand(4, n, 1, generator=generator, device=generator.device)
    stretch, depth, breathing, phase = rand.unbind()
    slow, fast = BREATHING_HZ
    pace = 2 * pi * (slow + (fast - slow) * breathing) / FS_HZ  # radians a sample
    times = torch.arange(samples, device=generator.device)
    resampled = STRETCH * (2 * stretch - 1) * (times - samples / 2)
    warped = WARP * depth / pace * torch.sin(pace * times + 2 * pi * phase)
    return times + resampled + warped


def kept_leads(n: int, generator: torch.Generator) -> Tensor:
    """Bool (n, 12): at least two of the limb leads and three of the chest leads of each ECG."""
    groups = []
    for leads, most in ((LIMB, LIMB_LOST), (CHEST, CHEST_LOST)):
        order = torch.rand(n, leads, generator=generator, device=generator.device).argsort(1)
        lost = torch.randint(most + 1, (n, 1), generator=generator, device=generator.device)
        groups.append(order >= lost)
    return torch.cat(groups, 1)


def gaps(n: int, samples: int, generator: torch.Generator) -> Tensor:
    """Bool (n, samples): true in the gaps, which all leads share."""
    start, length = torch.rand(2, n, GAPS, 1, generator=generator, device=generator.device).unbind()
    start, end = start * samples, start * samples + length * (GAP_S * FS_HZ)
    times = torch.arange(samples, device=generator.device)
    return ((times >= start) & (times < end)).any(1)


def _read_at(ecgs: Tensor, times: Tensor) -> Tensor:
    """Linear interpolation; times outside read the first or last sample."""
    last = ecgs.shape[2] - 1
    times = times.clamp(0, last)
    before = times.floor().clamp(max=last - 1)
    part = (times - before)[:, None, :].to(ecgs.dtype)
    index = before.long()[:, None, :].expand_as(ecgs)
    return torch.lerp(ecgs.gather(2, index), ecgs.gather(2, index + 1), part)


def _noisy(ecgs: Tensor, share: float, generator: torch.Generator, unit: Tensor | float) -> Tensor:
    noise = torch.randn(ecgs.shape, generator=generator, device=ecgs.device, dtype=ecgs.dtype)
    return ecgs + (noise * (share * unit)).to(ecgs.dtype)
