"""What the other reader of the same ECGs says: a hint at what a wording means in any language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from overread.labels.matrix import NO_READING
from overread.stats.proportions import wilson
from overread.tables import SOURCES, STATE_CODES

if TYPE_CHECKING:
    from overread.workbench.extraction import Extraction

_LEAST: Final = 11  # readings without the label, below which nothing is said
_SURE: Final = 0.2
_LOOKED_AT: Final = 20_000  # readings of one wording, evenly drawn
_STATES = np.zeros(NO_READING + 1, bool)
_STATES[[STATE_CODES["present"], STATE_CODES["uncertain"]]] = True


class Said(NamedTuple):
    """Of ``n`` readings that hold a wording and lack the label, the other reader states it in k."""

    label: str
    sure: float
    k: int
    n: int


class OtherSide:
    """The states of both readings of every ECG, as the extraction has them.

    Only readings that lack a label count for it: "rapid ventricular response" stands beside atrial
    fibrillation on both sides, and says nothing that is not said already.
    """

    def __init__(self, extraction: Extraction) -> None:
        self._labels = extraction.labels
        self._own: npt.NDArray[np.uint8] | None = None
        if len(extraction.sides) == len(SOURCES):
            sides = [extraction.states(source) for source in SOURCES]
            # By reading number, 2 * row + source.
            self._own = np.stack(sides, axis=1).reshape(-1, len(self._labels))
            everything = np.arange(len(self._own))
            self._usual = [_counts(self._own, everything[code::2]) for code in range(len(SOURCES))]

    def says(self, readings: npt.NDArray[np.int64]) -> Said | None:
        """The label that the other reader states beyond what is usual for such ECGs, if any.

        ``sure`` is how far the lower 95 % limit of its share lies from the usual share towards 1.
        """
        if self._own is None or len(readings) < _LEAST:
            return None
        readings = readings[:: -(-len(readings) // _LOOKED_AT)]
        lacking, stated = _counts(self._own, readings)
        expert = float((readings % 2).mean())
        best: Said | None = None
        for at, label in enumerate(self._labels):
            n, k = int(lacking[at]), int(stated[at])
            if n < _LEAST:
                continue
            shares = [int(k[at]) / max(int(n[at]), 1) for n, k in self._usual]
            usual = (1 - expert) * shares[0] + expert * shares[1]
            limits = wilson(k, n)
            sure = (limits.low - usual) / (1 - usual) if limits and usual < 1 else 0.0
            if sure > (best.sure if best else _SURE):
                best = Said(label, sure, k, n)
        return best


def _counts(
    states: npt.NDArray[np.uint8], readings: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Per label: readings that lack it, and those of them whose other side states it."""
    own, other = states[readings], states[readings ^ 1]
    both = (own[:, :1] != NO_READING) & (other[:, :1] != NO_READING)
    lacks = both & ~_STATES[own]
    return lacks.sum(axis=0), (lacks & _STATES[other]).sum(axis=0)
