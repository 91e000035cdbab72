"""Report tables that are in memory already: polars and pandas frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from overread.errors import TableError, UsageError
from overread.sources.batches import CELL_SIZE, MAX_CELL, NUL, ROWS, Tally
from overread.sources.raw import Bad, Rows, without

if TYPE_CHECKING:
    import pandas as pd

_FILE: Final = "the frame"
_EXACT: Final = 2**53  # the largest whole numbers that float64 holds one by one


class FrameTable:
    """A polars or pandas frame as a raw table; a lazy frame is collected once, here."""

    def __init__(
        self,
        frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
        *,
        max_cell: int = MAX_CELL,
        quarantine: bool = False,
    ) -> None:
        self._frame = _polars(frame)
        self._max_cell = max_cell
        self._quarantine = quarantine
        self.name = "data frame"
        self.file = _FILE
        self.paths: tuple[Path, ...] = ()
        self.columns = tuple(self._frame.columns)

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """See `RawTable.frames`."""
        if not self._frame.height:
            raise TableError(f"{_FILE} has 0 reports. Next step: check what was read into it.")
        texts = [as_text(self._frame[name], file=_FILE) for name in names]
        frame = pl.DataFrame(texts) if texts else self._frame.select([])
        for start in range(0, self._frame.height, ROWS):
            some = frame.slice(start, ROWS)
            numbers = np.arange(start + 1, min(start + ROWS, self._frame.height) + 1)
            tally.rows_in += len(numbers)
            yield checked_cells(
                Rows(some, numbers),
                file=_FILE,
                max_cell=self._max_cell,
                quarantine=self._quarantine,
                tally=tally,
                bad=bad,
            )


def checked_cells(
    rows: Rows, *, file: str, max_cell: int, quarantine: bool, tally: Tally, bad: Bad
) -> Rows:
    """The rows without NUL bytes and oversize cells, as the structural check does for text files.

    Raises ``TableError`` with row number and column unless ``quarantine``.
    """
    for code, rule in ((NUL, "holds a NUL character"), (CELL_SIZE, f"is over {max_cell} bytes")):
        for name in rows.frame.columns:
            column = rows.frame[name]
            hit = (
                column.str.contains("\0", literal=True)
                if code == NUL
                else column.str.len_bytes() > max_cell
            )
            drop = hit.fill_null(False).to_numpy()
            if drop.any() and not quarantine:
                raise TableError(
                    f"{file}: row {rows.numbers[np.argmax(drop)]}, column {name!r} {rule}. "
                    "Next step: mend it.",
                    option="leave such rows out with --quarantine",
                )
            rows = without(rows, drop, code, tally=tally, bad=bad)
    return rows


def as_text(column: pl.Series, *, file: str) -> pl.Series:
    """The column as text; whole numbers never become ``15709.0`` and times keep their day.

    Raises ``TableError`` by column name for lists, structs, binary and other types that have no
    plain text.
    """
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float():
        whole = column.is_nan() | column.is_null() | ((column % 1 == 0) & (column.abs() < _EXACT))
        if whole.all():
            numbers = column.fill_nan(None).cast(pl.Int64)
            return numbers.cast(pl.String)
        return column.fill_nan(None).cast(pl.String)
    if kind in (pl.Categorical, pl.Enum, pl.Boolean, pl.Null) or kind.is_integer():
        return column.cast(pl.String)
    if kind in (pl.Date, pl.Datetime) and column.dt.year().null_count() > column.null_count():
        # polars ends the process over such a date when it is to become text.
        raise TableError(
            f"{file}: column {column.name!r} holds a date or time beyond what a calendar has. "
            "Next step: mend it, or choose another column."
        )
    if (kind.is_temporal() and kind != pl.Duration) or kind.is_decimal():
        return column.cast(pl.String)
    raise TableError(
        f"{file}: column {column.name!r} is of type {_type_name(kind)}, not text. "
        "Next step: turn it into text before, or choose another column."
    )


def _type_name(kind: pl.DataType) -> str:
    return str(kind.base_type()).lower()


def _polars(frame: Any) -> pl.DataFrame:
    try:
        if isinstance(frame, pl.LazyFrame):
            return frame.collect()
        if isinstance(frame, pl.DataFrame):
            return frame
        if type(frame).__module__.partition(".")[0] == "pandas":
            return pl.DataFrame(pl.from_pandas(frame))
    except Exception:
        # The library's message may quote cells.
        raise TableError(
            f"{_FILE} cannot be read as a table of text. Next step: cast its columns to text."
        ) from None
    raise UsageError(
        f"A {type(frame).__name__} is not a table. "
        "Next step: give a polars or pandas DataFrame, or a path to open_source."
    )
