"""What suggestions stand on: the runs of an extraction's statements, and what is spoken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from overread.tables import N_EXPERT, N_MACHINE, SEGMENT, STATEMENT, TEXT
from overread.text.segments import ASSERTING
from overread.workbench.extraction import Ints
from overread.workbench.residue import NUMBER, runs_of, without_units
from overread.workbench.wordings import Wording

if TYPE_CHECKING:
    from overread.vocab.model import Vocabulary
    from overread.workbench.extraction import Extraction


class Touched(NamedTuple):
    """Readings that some wordings touch; ``separation`` is None where there is one reader."""

    readings: float
    separation: float | None


class Ground:
    """The statements of an extraction, the runs in them, and what of these is spoken for."""

    def __init__(self, extraction: Extraction, vocabulary: Vocabulary, workers: int | None) -> None:
        self._extraction = extraction
        held = extraction.statements.filter(pl.col(SEGMENT).is_in(list(ASSERTING)))
        self._statements: Ints = held[STATEMENT].to_numpy().astype(np.int64)
        self._texts = held[TEXT]
        self._readings = {name: side.readings for name, side in extraction.summary.sides.items()}
        sides = [held[name].to_numpy().astype(np.int64) for name in (N_MACHINE, N_EXPERT)]
        self._often = sides[0] + sides[1]
        runs, counts, run = runs_of(self._texts, vocabulary, workers=workers)
        statement = np.repeat(np.arange(len(counts)), counts)
        order = np.argsort(run, kind="stable")
        self._holders = statement[order]
        self._starts = np.searchsorted(run[order], np.arange(len(runs) + 1))
        self._by_side: list[list[float]] = [
            np.bincount(run, weights=side[statement], minlength=len(runs)).tolist()
            for side in sides
        ]
        self.ecgs = [machine + expert for machine, expert in zip(*self._by_side, strict=True)]
        self.runs = without_units(runs, self.ecgs)
        #: 1 for each part that is unknown; what is chosen turns its parts to 0.
        self._unknown = [
            bytearray(each.whole or not part.owners for part in each.parts) for each in self.runs
        ]
        self._left = [bytearray(each) for each in self._unknown]

    def touched(self, members: Sequence[Wording]) -> Touched:
        """How many readings some wordings touch, and how much more one reader writes them.

        A reading counts by the share of the unknown words that nothing chosen before holds.
        """
        shares: dict[int, float] = {}
        for wording in members:
            for run, first, last in wording.spots:
                left = self._left[run].count(1, first, last)
                if left:
                    share = left / self._unknown[run].count(1, first, last)
                    shares[run] = max(share, shares.get(run, 0.0))
        machine, expert = (
            sum(share * side[run] for run, share in shares.items()) for side in self._by_side
        )
        return Touched(machine + expert, self.separation(machine, expert))

    def alone(self, wording: Wording) -> float:
        """The share of its places where a wording is all that is unknown between two findings.

        Beside a number or a slash it is a piece of something.
        """
        free = 0
        for run, first, last in wording.spots:
            parts, left = self.runs[run].parts, self._left[run]
            beside = [at for at in (first - 1, last) if 0 <= at < len(parts)]
            free += not any(
                left[at] or parts[at].owners == NUMBER or "/" in parts[at].words for at in beside
            )
        return free / len(wording.spots)

    def take(self, members: Sequence[Wording]) -> None:
        """Speaks for every place where one of the wordings stands."""
        for wording in members:
            for run, first, last in wording.spots:
                self._left[run][first:last] = bytes(last - first)

    def readings(self, members: Sequence[Wording]) -> Ints:
        """The numbers of the readings that hold any of the wordings."""
        return self._extraction.readings_of(self._statements[self._holding(members)])

    def examples(self, members: Sequence[Wording], most: int) -> tuple[str, ...]:
        """The most frequent statements that hold any of the wordings."""
        holding = self._holding(members)
        often = holding[np.lexsort((holding, -self._often[holding]))][:most]
        return tuple(self._texts.gather(often))

    def separation(self, machine: float, expert: float) -> float | None:
        """The difference of the two shares of readings over their sum; None with one reader."""
        if len(self._readings) < 2 or not all(self._readings.values()):
            return None
        shares = machine / self._readings["machine"], expert / self._readings["expert"]
        return (shares[0] - shares[1]) / (sum(shares) or 1.0)

    def _holding(self, members: Sequence[Wording]) -> Ints:
        runs = sorted({run for wording in members for run, _, _ in wording.spots})
        slices = [self._holders[self._starts[run] : self._starts[run + 1]] for run in runs]
        return np.unique(np.concatenate(slices))
