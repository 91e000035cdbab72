"""Sources with one file per ECG: walking the folder and accounting for every record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from overread.errors import BadRecord, UsageError
from overread.files import (
    Fingerprint,
    fingerprint,
    fingerprint_files,
    input_file,
    listing,
    read_whole,
)
from overread.sources.batches import BAD_RECORD, ROWS, Columns, Duplicates, Tally
from overread.sources.ids import each_id_once, last_rows, only_last
from overread.sources.raw import Bad, Rows
from overread.sources.table import count_texts
from overread.tables import ID, PATIENT, SOURCES

_ROWS: Final = 4_096  # records held at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """The two texts of one record; ``notes`` are counted in the tally."""

    machine: str | None
    expert: str | None
    patient: str | None = None
    notes: tuple[str, ...] = ()


class RecordSource:
    """Batches of reports from one file or from all files of a folder with one suffix.

    A record is cited by its number in the sorted listing: its name may be a patient's number.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        suffix: str,
        read: Callable[[bytes], Reading],
        columns: Columns,
        limit: int,
        quarantining: bool,
        duplicates: Duplicates,
    ) -> None:
        self.name = name
        self.columns = columns
        self.inputs: tuple[Path, ...] = (path,)
        self.tally = Tally()
        self.quarantine: Bad = []
        self._file = path.absolute().name
        self._suffix = suffix
        self._read = read
        self._limit = limit
        self._quarantining = quarantining
        self._duplicates: Duplicates = duplicates
        if not path.is_dir():
            input_file(path)

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """One entry for the file, or for all records of the folder."""
        path = self.inputs[0]
        if path.is_dir():
            return (fingerprint_files(self._file, self._paths()),)
        return (fingerprint(path),)

    def batches(self, *, rows: int = ROWS) -> Iterator[pl.DataFrame]:
        """See `ReportSource.batches`.

        Raises ``BadRecord`` with the record's number for the first that cannot be read, unless
        such records are quarantined; ``UsageError`` where there is none.
        """
        self.tally = Tally()
        self.quarantine = []
        for frame, _ in self._unique():
            for start in range(0, frame.height, rows):
                batch = frame.slice(start, rows)
                self.tally.used += batch.height
                count_texts(batch, self.tally)
                yield batch

    def _unique(self) -> Iterator[Rows]:
        if self._duplicates == "last":
            last = last_rows(self._rows(tally=Tally(), bad=[]))
            records = self._rows(tally=self.tally, bad=self.quarantine)
            yield from only_last(records, last, tally=self.tally, bad=self.quarantine)
        else:
            yield from each_id_once(
                self._rows(tally=self.tally, bad=self.quarantine),
                file=self._file,
                duplicates=self._duplicates,
                tally=self.tally,
                bad=self.quarantine,
            )

    def _rows(self, *, tally: Tally, bad: Bad) -> Iterator[Rows]:
        found: list[tuple[str, str | None, str | None, str | None]] = []
        numbers: list[int] = []
        fine = 0
        for number, path in enumerate(self._paths(), 1):
            tally.rows_in += 1
            try:
                reading = self._read(read_whole(path, limit=self._limit))
            except BadRecord as fault:
                if not self._quarantining:
                    raise BadRecord(self._message(number, fault, fine)) from None
                tally.drop(BAD_RECORD)
                bad.append((number, BAD_RECORD))
                continue
            fine += 1
            for note in reading.notes:
                tally.note(note)
            found.append((path.stem, reading.patient, reading.machine, reading.expert))
            numbers.append(number)
            if len(found) == _ROWS:
                yield _frame(found, numbers)
                found, numbers = [], []
        if found:
            yield _frame(found, numbers)
        if not tally.rows_in:
            raise UsageError(
                f"{self._file} holds no {self._suffix} file. Next step: check the folder."
            )

    def _paths(self) -> Iterator[Path]:
        path = self.inputs[0]
        if path.is_dir():
            yield from listing(path, self._suffix)
        else:
            yield path

    def _message(self, number: int, fault: BadRecord, fine: int) -> str:
        path = self.inputs[0]
        where = f"{self._file}: record {number} (by name)" if path.is_dir() else path.name
        before = f" {fine} records before it were fine." if path.is_dir() else ""
        return (
            f"{where} {fault}.{before} "
            "Next step: mend or remove it, or leave such records out with --quarantine."
        )


def _frame(found: list[tuple[str, str | None, str | None, str | None]], numbers: list[int]) -> Rows:
    schema = dict.fromkeys((ID, PATIENT, *SOURCES), pl.String)
    return Rows(pl.DataFrame(found, schema=schema, orient="row"), np.asarray(numbers, np.int64))
