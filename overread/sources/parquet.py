"""Parquet tables in batches, under a bound on memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from overread.errors import TableError
from overread.sources.batches import MAX_CELL, ROWS, Tally
from overread.sources.frame import as_text, checked_cells
from overread.sources.raw import Bad, Ints, Rows

#: Text of one column that is unpacked at a time.
_BATCH_BYTES: Final = 256 << 20
# A table of 2 million ECGs holds under 1 GB of text and packs to a tenth of it. What unpacks to
# more than both of these is a bomb or not a table of reports.
_MOST_UNPACKED: Final = 4 << 30
_MOST_RATIO: Final = 200


class ParquetTable:
    """A Parquet file as a raw table.

    Raises ``TableError`` for a damaged file and for one that unpacks beyond reason; a column of
    another type is refused by name when it is asked for.
    """

    def __init__(self, path: Path, *, max_cell: int = MAX_CELL, quarantine: bool = False) -> None:
        self.name = "Parquet table"
        self.file = path.name
        self.paths: tuple[Path, ...] = (path,)
        self._max_cell = max_cell
        self._quarantine = quarantine
        with self._library_errors(), _arrow("parquet").ParquetFile(path) as file:
            self._schema = file.schema_arrow
            self.columns: tuple[str, ...] = tuple(self._schema.names)
            self._rows = file.metadata.num_rows
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise TableError(
                f"{self.file}: column {min(twice)!r} appears twice. Next step: rename one."
            )

    def frames(self, names: Sequence[str], *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        """See `RawTable.frames`."""
        if not self._rows:
            raise TableError(f"{self.file} has 0 reports. Next step: check the export.")
        row = 1
        most = max(_MOST_UNPACKED, _MOST_RATIO * self.paths[0].stat().st_size)
        unpacked = 0
        for batch in self._batches(names):
            self._refuse_undecodable(batch)
            sizes = self._unpacked_sizes(batch)
            unpacked += int(sizes.sum())
            if unpacked > most:
                raise self._bomb(unpacked)
            for start, length in _portions(sizes):
                portion = batch.slice(start, length)
                numbers = np.arange(row, row + length)
                row += length
                tally.rows_in += length
                yield checked_cells(
                    Rows(self._as_frame(portion), numbers),
                    file=self.file,
                    max_cell=self._max_cell,
                    quarantine=self._quarantine,
                    tally=tally,
                    bad=bad,
                )
        if row - 1 != self._rows:
            raise TableError(
                f"{self.file}: the footer says {self._rows} rows, {row - 1} were read. "
                "Next step: copy the file again."
            )

    def _text_columns(self, names: Sequence[str]) -> list[str]:
        """Those of the columns that hold text; refuses those that cannot become text."""
        with self._library_errors():
            types = _arrow("types")
        texts = []
        for name in names:
            kind = self._schema.field(name).type
            if types.is_string(kind) or types.is_large_string(kind):
                texts.append(name)
            elif types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
                family = "nested (a list or struct)" if types.is_nested(kind) else "binary"
                raise TableError(
                    f"{self.file}: column {name!r} is {family}, not text. "
                    "Next step: write it as text, or choose another column."
                )
        return texts

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        texts = self._text_columns(names)
        with self._library_errors():
            file = _arrow("parquet").ParquetFile(
                self.paths[0],
                # Texts stay dictionaries, so that a repeated text takes memory once.
                read_dictionary=texts,
                page_checksum_verification=True,
                # int96 in nanoseconds would wrap the years before 1677 and after 2262.
                coerce_int96_timestamp_unit="us",
                pre_buffer=False,
            )
        with file:
            with self._library_errors():
                self._refuse_large(file.metadata, names)
                found = file.iter_batches(batch_size=ROWS, columns=list(names), use_threads=False)
            while True:
                with self._library_errors():
                    batch = next(found, None)
                if batch is None:
                    return
                yield batch

    def _refuse_large(self, footer: Any, names: Sequence[str]) -> None:
        """From the footer alone: what the named columns' pages take when decompressed."""
        size = self.paths[0].stat().st_size
        most = max(_MOST_UNPACKED, _MOST_RATIO * size)
        wanted = set(names)
        total = 0
        for group in range(footer.num_row_groups):
            chunks = footer.row_group(group)
            for place in range(footer.num_columns):
                chunk = chunks.column(place)
                if chunk.path_in_schema.partition(".")[0] in wanted:
                    total += chunk.total_uncompressed_size
        if total > most:
            raise self._bomb(total)

    def _bomb(self, size: int) -> TableError:
        return TableError(
            f"{self.file}: its text unpacks to more than {size >> 30} GiB from "
            f"{self.paths[0].stat().st_size} bytes, which no table of reports does. "
            "Next step: check where the file comes from."
        )

    def _refuse_undecodable(self, batch: Any) -> None:
        """Arrow reads text of any bytes; polars ends the process over what is not UTF-8."""
        with self._library_errors():
            invalid = _arrow("lib").ArrowInvalid
            types = _arrow("types")
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if types.is_dictionary(column.type) or types.is_string_view(column.type):
                try:
                    column.validate(full=True)
                except invalid:
                    raise TableError(
                        f"{self.file}: column {name!r} holds bytes that are not UTF-8. "
                        "Next step: export it again as text in UTF-8."
                    ) from None

    def _unpacked_sizes(self, batch: Any) -> Ints:
        """Bytes of text of each row, without unpacking it."""
        with self._library_errors():
            types = _arrow("types")
            compute = _arrow("compute")

            sizes = np.zeros(batch.num_rows, dtype=np.int64)
            for column in batch.columns:
                if not types.is_dictionary(column.type):
                    continue
                lengths = compute.binary_length(column.dictionary)
                per_row = compute.take(lengths, column.indices).fill_null(0)
                sizes += per_row.to_numpy(zero_copy_only=False)
            return sizes

    def _as_frame(self, batch: Any) -> pl.DataFrame:
        with self._library_errors():
            types = _arrow("types")

            columns = []
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                plain = column.dictionary_decode() if types.is_dictionary(column.type) else column
                columns.append(as_text(pl.Series(name, pl.from_arrow(plain)), file=self.file))
            return pl.DataFrame(columns)

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except (TableError, ImportError):
            raise
        except Exception:
            # Arrow's messages may quote values.
            raise TableError(
                f"{self.file}: not a readable Parquet file (cut off or damaged). "
                "Next step: copy or export it again."
            ) from None


def _portions(sizes: Ints) -> Iterator[tuple[int, int]]:
    """Consecutive (start, length) whose text stays under the bound, one row at least."""
    total = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        base = int(total[start - 1]) if start else 0
        stop = max(int(np.searchsorted(total, base + _BATCH_BYTES, side="right")), start + 1)
        yield start, stop - start
        start = stop


def _arrow(module: str) -> Any:
    """A module of pyarrow, which takes a while to load and is needed for Parquet only."""
    return import_module(f"pyarrow.{module}")
