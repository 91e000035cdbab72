"""Where machine and expert disagree among the ECGs that a phrase touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from overread.labels.matrix import NO_READING
from overread.text.labeler import value_table

Rows = npt.NDArray[np.int64]
#: State codes of one label in the same ECGs, machine and expert.
Sides = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]

_EXAMPLES: Final = 5
_CELLS: Final = ("both have it", "machine only", "expert only", "neither has it")


@dataclass(frozen=True, slots=True)
class Touched:
    """How the two sides stand to each other in ``ecgs`` ECGs that have both.

    ``counts`` has a row per way of standing and a column per name of ``columns``; ``examples`` are
    rows of the label table in which they disagree, of the last column.
    """

    ecgs: int
    columns: tuple[str, ...]
    counts: tuple[tuple[str, tuple[int, ...]], ...]
    examples: Rows


def touched(rows: Rows, columns: Mapping[str, Sides], policy: str) -> Touched:
    """The two sides of some ECGs counted against each other, under each column's states.

    ``policy`` says what an uncertain mention counts as. Rows where a side has no reading are left
    out.

    >>> states = np.array([4, 4, 0], np.uint8), np.array([4, 0, NO_READING], np.uint8)
    >>> found = touched(np.array([7, 8, 9]), {"now": states}, "positive")
    >>> found.ecgs, found.counts[:2], found.examples.tolist()
    (2, (('both have it', (1,)), ('machine only', (1,))), [8])
    """
    both = np.ones(len(rows), bool)
    for machine, expert in columns.values():
        both &= (machine != NO_READING) & (expert != NO_READING)
    values = np.zeros(NO_READING + 1, bool)
    values[: len(value_table(policy))] = np.array(value_table(policy)) == 1
    counts, disagree = [], np.zeros(0, bool)
    for machine, expert in columns.values():
        m, e = values[machine[both]], values[expert[both]]
        counts.append([int(np.sum(cell)) for cell in (m & e, m & ~e, e & ~m, ~m & ~e)])
        disagree = m != e
    return Touched(
        int(both.sum()),
        tuple(columns),
        tuple(zip(_CELLS, zip(*counts, strict=True), strict=True)),
        rows[both][disagree][:_EXAMPLES],
    )
