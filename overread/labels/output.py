"""The label tables as files: written piece by piece, renamed into place only when all are whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final, Literal

import polars as pl
import pyarrow.parquet as pq

from overread.errors import UsageError
from overread.files import atomic_path, fingerprint
from overread.interrupt import uninterrupted
from overread.manifest import RUN_FILE, Manifest, check_output
from overread.report.spreadsheet import control_characters, neutral
from overread.tables import (
    EVIDENCE_FILE,
    LABELS_FILE,
    RANKS_FILE,
    REPORT_STATEMENTS_FILE,
    STATEMENTS_FILE,
)

Format = Literal["parquet", "csv"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "csv")


def tables_of(format: str) -> tuple[str, ...]:
    """The names of an extraction's tables in a format; only programs read the ranks.

    >>> tables_of("csv")
    ('labels.csv', 'statements.csv', 'report_statements.csv', 'evidence.csv')
    """
    tables = (LABELS_FILE, STATEMENTS_FILE, REPORT_STATEMENTS_FILE, EVIDENCE_FILE)
    if format == "parquet":
        return (*tables, RANKS_FILE)
    return tuple(str(Path(table).with_suffix(f".{format}")) for table in tables)


class _Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: Any = None

    def write(self, piece: pl.DataFrame) -> None:
        table = piece.to_arrow()
        if self._writer is None:
            # Page checksums, so that a flipped bit is found when the table is read (FAULTS Q02).
            self._writer = pq.ParquetWriter(
                self.path, table.schema, compression="zstd", write_page_checksum=True
            )
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            _to_disk(self.path)


class _Csv:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("wb")
        self._header = True
        #: Cells in which control characters became spaces.
        self.cleaned = 0

    def write(self, piece: pl.DataFrame) -> None:
        self.cleaned += control_characters(piece)
        neutral(piece).write_csv(self._file, include_header=self._header)
        self._header = False

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            _to_disk(self.path)


def _to_disk(path: Path) -> None:
    """A full disk shows here at the latest, while every old table still stands."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


class TableFiles:
    """A sink that writes each table into its own file of a folder."""

    def __init__(self, stack: ExitStack, folder: Path, format: Format, overwrite: bool) -> None:
        self._stack = stack
        self._folder = folder
        self._format = format
        self._overwrite = overwrite
        self._open: dict[str, _Parquet | _Csv] = {}
        #: Becomes ``run.json`` once the tables have their names.
        self.manifest: Manifest | None = None

    @property
    def cleaned(self) -> int:
        """Cells of CSV files in which control characters became spaces."""
        return sum(each.cleaned for each in self._open.values() if isinstance(each, _Csv))

    def close(self) -> None:
        """Ends every table; nothing has its name yet."""
        for writer in self._open.values():
            writer.close()

    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every table that was ended, by the name that it will have."""
        return {
            str(Path(table).with_suffix(f".{self._format}")): fingerprint(writer.path).sha256
            for table, writer in self._open.items()
        }

    def __call__(self, table: str, piece: pl.DataFrame) -> None:
        if table == RANKS_FILE and table not in tables_of(self._format):
            return
        if table not in self._open:
            target = self._folder / Path(table).with_suffix(f".{self._format}")
            path = self._stack.enter_context(atomic_path(target, overwrite=self._overwrite))
            writer = _Parquet(path) if self._format == "parquet" else _Csv(path)
            self._stack.callback(writer.close)
            self._open[table] = writer
        self._open[table].write(piece)


@contextmanager
def table_files(
    folder: Path,
    *,
    format: Format = "parquet",
    overwrite: bool = False,
    replaced: Iterable[Path] = (),
) -> Iterator[TableFiles]:
    """A sink for ``extract_tables``; the files appear under their names when the block succeeds.

    ``replaced`` are files of an earlier run that go then, unless they were written anew.
    """
    with ExitStack() as stack:
        sink = TableFiles(stack, folder, format, overwrite)
        yield sink
        sink.close()
        hashes = sink.hashes()
        with uninterrupted():
            # Tables half renamed are neither the old nor the new: a process killed between two
            # renames must at least leave no run.json.
            if overwrite:
                (folder / RUN_FILE).unlink(missing_ok=True)
                for path in replaced:
                    path.unlink(missing_ok=True)
            stack.close()
            if sink.manifest is not None:
                replace(sink.manifest, outputs=hashes).write(folder)


def scan_table(folder: Path, table: str) -> pl.LazyFrame:
    """One table of the extraction in a folder.

    Raises UsageError where there is none, or where it was written as CSV, and OverreadError where
    it is not the one that the extraction wrote.
    """
    path = folder / table
    if path.is_file():
        return pl.scan_parquet(check_output(path))
    if path.with_suffix(".csv").is_file():
        raise UsageError(
            f"{folder} holds CSV tables, and this needs Parquet. Next step: extract again with "
            "--format parquet."
        )
    raise UsageError(
        f"{folder} holds no whole extraction: {table} is missing. Next step: overread labels "
        "extract reports.csv"
    )
