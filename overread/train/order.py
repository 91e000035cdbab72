"""Which ECGs come in which step: a pure function of (seed, step), so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np
import numpy.typing as npt

from overread.errors import UsageError

Integers = npt.NDArray[np.int64]


def batch_sizes(ecgs: int, batch: int, ranks: int = 1) -> tuple[int, int]:
    """Steps per epoch and ECGs per step and rank: equal batches of at most ``batch``.

    Fewer than one ECG per batch is left out of an epoch, other ones each time. Equal shapes keep
    compiled code.

    >>> batch_sizes(1000, 512), batch_sizes(3, 512)
    ((2, 500), (1, 3))
    """
    if ecgs < ranks:
        raise UsageError(f"{ecgs} ECGs for {ranks} processes. Next step: use fewer processes.")
    steps = min(ceil(ecgs / (batch * ranks)), ecgs // ranks)
    return steps, ecgs // (steps * ranks)


def shuffled(
    ecgs: int, steps: int, size: int, *, seed: int, step: int = 0, rank: int = 0, ranks: int = 1
) -> Iterator[Integers]:
    """Positions of one batch after the other for ever, from a step on; each epoch a new order.

    ``steps`` batches of ``size`` for each process are an epoch.

    >>> first = [at.tolist() for _, at in zip(range(4), shuffled(4, 2, 2, seed=0))]
    >>> later = [at.tolist() for _, at in zip(range(2), shuffled(4, 2, 2, seed=0, step=2))]
    >>> first[2:] == later, sorted(sum(first[:2], []))
    (True, [0, 1, 2, 3])
    """
    known = -1
    while True:
        epoch, number = divmod(step, steps)
        if epoch != known:
            order = np.random.default_rng((seed, epoch)).permutation(ecgs)
            known = epoch
        first = (number * ranks + rank) * size
        yield order[first : first + size]
        step += 1


def in_order(ecgs: int, batch: int, *, rank: int = 0, ranks: int = 1) -> Iterator[Integers]:
    """Positions of every ECG of a rank; the last batch repeats one, to keep the shape.

    >>> [at.tolist() for at in in_order(3, 2)]
    [[0, 1], [2, 2]]
    """
    mine = np.arange(rank, ecgs, ranks)
    batch = min(batch, len(mine))
    for first in range(0, len(mine), batch):
        at = mine[first : first + batch]
        yield np.pad(at, (0, batch - len(at)), mode="edge")
