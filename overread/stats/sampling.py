"""Samples with known chances: rows shared out over strata, and draws in proportion to size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ALMOST = 1 - 1e-9  # rounding must not turn a certain unit into one that is nearly certain


def allocate(mass: Floats, units: Integers, rows: int) -> Integers:
    """How many units to draw from each stratum: half in equal shares, half in proportion to mass.

    The equal half lets small strata be seen. The proportional half bounds every weight at twice
    the mean, so that a weighted share over the whole sample never counts for less than half its
    rows. A stratum with units gets one at least and never more than it has, so ``rows`` may
    not be less than the number of such strata.

    >>> allocate(np.array([900.0, 90, 10]), np.array([900, 90, 4]), 30).tolist()
    [19, 7, 4]
    """
    rows = min(rows, int(units.sum()))
    filled = units > 0
    weights = np.where(filled, 0.5 / filled.sum() + 0.5 * mass / mass.sum(), 0.0)
    target = _shared_out(weights, units.astype(float), rows)
    out = np.where(filled, np.maximum(np.floor(target), 1), 0).astype(np.int64)
    while out.sum() > rows:
        out[np.argmax(np.where(out > 1, out - target, -np.inf))] -= 1
    while out.sum() < rows:
        out[np.argmax(np.where(out < units, target - out, -np.inf))] += 1
    return out


def inclusion(size: Floats, rows: int) -> Floats:
    """The chance of each unit to be drawn: in proportion to size, 1 where that exceeds 1.

    >>> inclusion(np.array([8.0, 1, 1]), 2).tolist()
    [1.0, 0.5, 0.5]
    """
    return _shared_out(size, np.ones(len(size)), rows)


def draw(chance: Floats, random: np.random.Generator) -> Integers:
    """Positions of the units drawn, each with its chance, as many as the chances add up to.

    Systematic sampling over a random order (Hartley HO, Rao JNK. Ann Math Stat 1962;33:350-374).

    >>> draw(np.array([1.0, 0, 1]), np.random.default_rng(0)).tolist()
    [0, 2]
    """
    certain = np.flatnonzero(chance >= 1)
    order = random.permutation(np.flatnonzero((chance > 0) & (chance < 1)))
    steps = np.cumsum(chance[order])
    count = round(float(steps[-1])) if len(steps) else 0
    at = np.searchsorted(steps, random.random() + np.arange(count), side="right")
    return np.sort(np.concatenate([certain, order[np.minimum(at, len(order) - 1)]]))


def _shared_out(weights: Floats, caps: Floats, total: float) -> Floats:
    """``total`` shared out in proportion to the weights, no share above its cap."""
    free = weights > 0
    out = np.zeros(len(weights))
    while free.any():
        left = total - out[~free].sum()
        share = left * weights / weights[free].sum()
        full = free & (share >= caps * _ALMOST)
        if not full.any():
            out[free] = share[free]
            break
        out[full] = caps[full]
        free &= ~full
    return out
