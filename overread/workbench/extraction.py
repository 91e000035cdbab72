"""An extraction as the workbench reads it: its statements, and which readings hold each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.errors import UsageError
from overread.labels.matrix import NO_READING, Layout, StatementMatrix
from overread.labels.output import scan_table, tables_of
from overread.labels.run import read_summary
from overread.labels.summary import Summary
from overread.manifest import Manifest, versions
from overread.tables import (
    EVIDENCE_FILE,
    ID,
    LABELS_FILE,
    RANKS_FILE,
    REPORT_STATEMENTS_FILE,
    ROW,
    SEGMENT,
    SOURCE,
    SOURCES,
    STATEMENT,
    STATEMENTS_FILE,
    state_column,
)
from overread.text.segments import SEGMENTS
from overread.vocab.model import Vocabulary

Ints = npt.NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True)
class Extraction:
    """The tables of ``overread labels extract``; each is read when it is first asked for.

    A *reading* is one side of one ECG, by the number ``2 * row + source`` (0 machine, 1 expert).
    """

    folder: Path
    manifest: Manifest
    summary: Summary

    @classmethod
    def open(cls, folder: Path) -> Extraction:
        """The extraction in a folder; raises UsageError where there is none."""
        summary = read_summary(folder)
        for table in tables_of("parquet"):
            scan_table(folder, table)
        return cls(folder, Manifest.read(folder), summary)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label ids in the order of the columns."""
        return self.summary.labels

    @property
    def n(self) -> int:
        """Number of ECGs."""
        return self.summary.used

    @property
    def sides(self) -> tuple[int, ...]:
        """The source codes that the tables have: 0 machine, 1 expert."""
        return tuple(code for code, name in enumerate(SOURCES) if name in self.summary.sides)

    @property
    def policy(self) -> str:
        """What an uncertain mention counts as, where its label does not say otherwise."""
        return str(self.manifest.options["uncertain"])

    @property
    def vocabulary_sha256(self) -> str | None:
        """Hash of the vocabulary that the labels were made with."""
        return self.manifest.vocabulary

    @cached_property
    def statements(self) -> pl.DataFrame:
        """The distinct statements, statement i in row i: statement, text, segment, n_machine ..."""
        return scan_table(self.folder, STATEMENTS_FILE).collect()

    @cached_property
    def evidence(self) -> pl.DataFrame:
        """What each statement asserts, and by which phrase."""
        return scan_table(self.folder, EVIDENCE_FILE).collect()

    def ranks(self, vocabulary: Vocabulary) -> StatementMatrix | None:
        """What each statement says, as it was labelled; None where that was done otherwise now.

        That is with another vocabulary, or by another version of this package.
        """
        same = self.manifest.versions.get("overread") == versions()["overread"]
        if self.vocabulary_sha256 != vocabulary.sha256 or not same:
            return None
        found = scan_table(self.folder, RANKS_FILE).collect()
        return StatementMatrix.of_frame(found, Layout.of(vocabulary))

    @cached_property
    def segments(self) -> npt.NDArray[np.int8]:
        """The code of each statement's segment."""
        codes = {name: code for code, name in enumerate(SEGMENTS)}
        found = self.statements[SEGMENT].replace_strict(codes, return_dtype=pl.Int8)
        out: npt.NDArray[np.int8] = found.to_numpy()
        return out

    def check_vocabulary(self, *vocabularies: Vocabulary, force: bool = False) -> None:
        """Raises UsageError where the labels were made with none of these vocabularies."""
        made_with = self.vocabulary_sha256
        if force or any(each.sha256 == made_with for each in vocabularies):
            return
        given = " or ".join(dict.fromkeys(each.sha256[:12] for each in vocabularies))
        raise UsageError(
            f"{self.folder} was made with the vocabulary {(made_with or 'unknown')[:12]}, and this "
            f"is {given}. Next step: overread labels extract with it, or --force to compare all "
            "the same."
        )

    def ids(self, rows: Ints) -> list[str]:
        """The ids of some ECGs, in the order of ``rows``."""
        return self._ids.gather(rows).cast(pl.String).to_list()

    def states(self, source: str) -> npt.NDArray[np.uint8]:
        """State codes as they were extracted, ECGs x labels; 255 where there is no reading."""
        names = [state_column(source, label) for label in self.labels]
        frame = scan_table(self.folder, LABELS_FILE).select(names).collect()
        out = np.empty((frame.height, len(names)), np.uint8)
        for at, name in enumerate(names):
            out[:, at] = frame[name].fill_null(NO_READING).to_numpy()
        return out

    def rows_of(self, statements: npt.ArrayLike) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """Row and source of every reading that holds any of the statements, each once."""
        readings = self.readings_of(statements)
        return readings // len(SOURCES), (readings % len(SOURCES)).astype(np.uint8)

    def readings_of(self, statements: npt.ArrayLike) -> Ints:
        """The numbers of the readings that hold any of the statements, ascending."""
        starts, readings = self._readings
        numbers, _ = slices(starts, readings, np.asarray(statements, np.int64))
        if len(numbers) < len(self._held[0]) // 50:
            return np.unique(numbers).astype(np.int64)
        found = np.zeros(len(self._held[0]) - 1, bool)
        found[numbers] = True
        return np.flatnonzero(found)

    def held_by(self, readings: Ints) -> tuple[npt.NDArray[np.uint32], Ints]:
        """The statements of some readings one after the other, and how many each has."""
        starts, statements = self._held
        return slices(starts, statements, readings)

    def hold_statements(self, readings: Ints) -> npt.NDArray[np.bool_]:
        """Which of some readings hold any statement; an ECG's side without a text holds none."""
        starts = self._held[0]
        return np.asarray(starts[readings + 1] > starts[readings])

    @property
    def readings_with_statements(self) -> Ints:
        """The numbers of the readings that hold any statement at all."""
        return np.flatnonzero(np.diff(self._held[0]))

    @cached_property
    def _ids(self) -> pl.Series:
        return scan_table(self.folder, LABELS_FILE).select(ID).collect()[ID]

    @cached_property
    def _held(self) -> tuple[Ints, npt.NDArray[np.uint32]]:
        """Where each reading's statements start, and all statements in order."""
        table = (
            scan_table(self.folder, REPORT_STATEMENTS_FILE)
            .select(reading=pl.col(ROW) * len(SOURCES) + pl.col(SOURCE), statement=STATEMENT)
            .collect()
        )
        counts = np.bincount(table["reading"].to_numpy(), minlength=self.n * len(SOURCES))
        return np.r_[0, np.cumsum(counts)], table[STATEMENT].to_numpy()

    @cached_property
    def _readings(self) -> tuple[Ints, npt.NDArray[np.int32]]:
        """Where each statement's readings start, and all readings in that order."""
        from scipy.sparse import csr_array

        starts, statements = self._held
        shape = len(starts) - 1, self.statements.height
        present = np.ones(len(statements), np.int8)
        # The transpose of a sparse matrix is a counting sort, several times faster than argsort.
        turned = csr_array((present, statements.astype(np.int32), starts), shape=shape).tocsc()
        return turned.indptr.astype(np.int64), turned.indices


def slices(
    starts: Ints, values: npt.NDArray[_T], which: npt.NDArray[np.int64] | Sequence[int]
) -> tuple[npt.NDArray[_T], Ints]:
    """``values[starts[i]:starts[i + 1]]`` of each i, joined, and their lengths."""
    which = np.asarray(which, np.int64)
    first, counts = starts[which], starts[which + 1] - starts[which]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    at = np.arange(total) + np.repeat(first - (ends - counts), counts)
    return values[at], counts
