"""Report tables: a raw table and the meaning of its columns, as batches of reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from overread.errors import TableError
from overread.files import Fingerprint, fingerprint, unchanged
from overread.sources.batches import ROWS, Columns, Duplicates, Tally
from overread.sources.ids import each_id_once, last_rows, only_last, with_ids
from overread.sources.raw import Bad, RawTable, Rows
from overread.tables import ID, PATIENT, SOURCES

MACHINE, EXPERT = SOURCES


@dataclass(frozen=True, slots=True)
class Meaning:
    """How raw columns become the two texts; ``needs`` are the raw columns to read for them."""

    columns: Columns
    needs: tuple[str, ...]
    machine: pl.Expr | None
    expert: pl.Expr | None


def plain_meaning(columns: Columns) -> Meaning:
    """Each text is one column."""
    texts = (columns.machine, columns.expert)
    machine, expert = (None if name is None else pl.col(name) for name in texts)
    return Meaning(columns, tuple(name for name in texts if name is not None), machine, expert)


@dataclass(slots=True)
class TableSource:
    """Batches of reports from one raw table; see `ReportSource`."""

    table: RawTable
    meaning: Meaning
    quarantining: bool = False
    duplicates: Duplicates = "error"
    tally: Tally = field(default_factory=Tally)
    quarantine: Bad = field(default_factory=list)

    @property
    def name(self) -> str:
        """The kind of table."""
        return self.table.name

    @property
    def columns(self) -> Columns:
        """Which column was read as what."""
        return self.meaning.columns

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files read."""
        return self.table.paths

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """What the inputs hold."""
        return tuple(fingerprint(path) for path in self.inputs)

    def batches(self, *, rows: int = ROWS) -> Iterator[pl.DataFrame]:
        """See `ReportSource.batches`; raises ``TableError`` where a row cannot be used."""
        self.tally = Tally()
        self.quarantine = []
        with ExitStack() as files:
            for path in self.inputs:
                files.enter_context(unchanged(path))
            for frame, _ in self._unique():
                for start in range(0, frame.height, rows):
                    batch = frame.slice(start, rows)
                    self._count(batch)
                    yield batch
        if not self.tally.balanced:
            raise TableError(f"{self.table.file}: some rows are not accounted for. This is a bug.")

    def _unique(self) -> Iterator[Rows]:
        tally, bad, file = self.tally, self.quarantine, self.table.file
        if self.columns.id is None:  # row numbers are unique
            yield from self._shaped(tally=tally, bad=bad)
        elif self.duplicates == "last":
            last = last_rows(self._identified(tally=Tally(), bad=[]))
            yield from only_last(self._identified(tally=tally, bad=bad), last, tally=tally, bad=bad)
        else:
            identified = self._identified(tally=tally, bad=bad)
            yield from each_id_once(
                identified, file=file, duplicates=self.duplicates, tally=tally, bad=bad
            )

    def _identified(self, *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        shaped = self._shaped(tally=tally, bad=bad)
        return with_ids(
            shaped, file=self.table.file, quarantine=self.quarantining, tally=tally, bad=bad
        )

    def _shaped(self, *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        columns = self.columns
        asked = (columns.id, columns.patient, *self.meaning.needs, *columns.keep)
        names = list(dict.fromkeys(name for name in asked if name is not None))
        for frame, numbers in self.table.frames(names, tally=tally, bad=bad):
            ids = (
                pl.lit(pl.Series(ID, numbers).cast(pl.String))
                if columns.id is None
                else (pl.col(columns.id))
            )
            yield Rows(
                frame.select(
                    ids.alias(ID),
                    patient_text(columns.patient).alias(PATIENT),
                    _text(self.meaning.machine).alias(MACHINE),
                    _text(self.meaning.expert).alias(EXPERT),
                    *columns.keep,
                ),
                numbers,
            )

    def _count(self, batch: pl.DataFrame) -> None:
        tally = self.tally
        tally.used += batch.height
        if self.columns.id is None:
            tally.note("ids are row numbers", batch.height)
        count_texts(batch, tally)


def count_texts(batch: pl.DataFrame, tally: Tally) -> None:
    """Note how many reports lack a text, have an empty one, or the same one twice."""
    for source in SOURCES:
        tally.note(f"no {source} text", batch[source].null_count())
        tally.note(f"empty {source} text", int((batch[source] == "").sum()))
    tally.note("expert text equals machine text", int((batch[MACHINE] == batch[EXPERT]).sum()))


def patient_text(column: str | None) -> pl.Expr:
    """Patient ids as text: ``15709.0``, as tables write whole numbers with gaps, is ``15709``.

    >>> pl.DataFrame({"p": ["15709.0", "A1.0", " "]}).select(patient_text("p"))["p"].to_list()
    ['15709', 'A1.0', None]
    """
    if column is None:
        return pl.lit(None, dtype=pl.String)
    plain = pl.col(column).str.replace(r"^(\d+)\.0+$", "$1")
    return pl.when(plain.str.strip_chars() != "").then(plain)


def _text(expression: pl.Expr | None) -> pl.Expr:
    return pl.lit(None, dtype=pl.String) if expression is None else expression
