"""Delimited text as frames: polars behind the structural check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from overread.errors import TableError
from overread.sources.batches import Tally
from overread.sources.csv_guard import Slice
from overread.sources.csv_text import DELIMITERS, CsvText
from overread.sources.raw import Bad, Rows


class CsvTable:
    """A CSV, TSV or semicolon table; ``how`` are the options of `CsvText`.

    An empty unquoted cell is null, a quoted empty one is "".
    """

    def __init__(self, path: Path, **how: Any) -> None:
        self._text = CsvText(path, **how)
        self.paths: tuple[Path, ...] = (path,)
        self.file = path.name
        self.columns = self._text.names
        self.name = f"{DELIMITERS[self._text.delimiter]}-separated table"

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """See `RawTable.frames`."""
        named = [pl.col(str(self.columns.index(name))).alias(name) for name in names]
        rows_before = tally.rows_in
        for one in self._text.slices():
            tally.rows_in += len(one.rows) + len(one.bad)
            tally.note("blank lines", one.blank)
            tally.note("last row has no line end", int(one.unended))
            for number, code in one.bad:
                tally.drop(code)
                bad.append((number, code))
            if len(one.rows):
                yield Rows(self._parsed(one).select(named), one.rows)
        if tally.rows_in == rows_before:
            raise TableError(
                f"{self.file} has a header and 0 reports. Next step: check the export."
            )

    def _parsed(self, one: Slice) -> pl.DataFrame:
        """The slice as text columns "0", "1", ...; refused unless every byte came through."""
        try:
            frame = pl.read_csv(
                one.data,
                has_header=False,
                schema={str(place): pl.String for place in range(len(self.columns))},
                separator=self._text.delimiter,
                quote_char='"',
                infer_schema=False,
                raise_if_empty=False,
                glob=False,
            )
        except pl.exceptions.PolarsError:
            # polars quotes cells in its messages, so none of its text goes on.
            frame = pl.DataFrame()
        cells = frame.select(pl.all().str.len_bytes().cast(pl.UInt64).sum())
        self._text.refuse_unlike(one, frame.height, sum(cells.row(0)) if frame.height else 0)
        return frame
