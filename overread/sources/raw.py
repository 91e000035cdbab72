"""A table as text with row numbers, before its columns get a meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.sources.batches import Tally

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bad = list[tuple[int, str]]


class Rows(NamedTuple):
    """Some rows, all columns text, and the data row number (from 1) of each."""

    frame: pl.DataFrame
    numbers: Ints


class RawTable(Protocol):
    """A readable table; ``frames`` may be called more than once."""

    @property
    def name(self) -> str:
        """The kind of table."""
        ...

    @property
    def file(self) -> str:
        """Base name, for messages."""
        ...

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files read."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the order of the table; an unnamed column is ""."""
        ...

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """The named columns, row by row in order.

        ``tally.rows_in`` and what is left out are filled here; ``tally.used`` is not.
        """
        ...


def without(rows: Rows, drop: Bools, reason: str, *, tally: Tally, bad: Bad) -> Rows:
    """The rows that are not dropped; the others are counted under ``reason``."""
    if not drop.any():
        return rows
    tally.drop(reason, int(drop.sum()))
    bad.extend((number, reason) for number in rows.numbers[drop].tolist())
    return Rows(rows.frame.filter(pl.Series(~drop)), rows.numbers[~drop])
