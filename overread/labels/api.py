"""``overread.extract``: labels of a polars or pandas frame, or of a file, from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from overread.labels.extract import extract_tables
from overread.labels.output import Format, table_files
from overread.labels.summary import Summary
from overread.sources.batches import Duplicates, ReportSource
from overread.sources.open import from_frame, open_source
from overread.tables import EVIDENCE_FILE, LABELS_FILE, REPORT_STATEMENTS_FILE, STATEMENTS_FILE
from overread.text.labeler import Labeler
from overread.vocab.model import Vocabulary

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Extraction:
    """The four label tables as polars frames, and the account of the run.

    ``labels``: one row per report pair; ``statements``: the distinct masked statements;
    ``report_statements``: which report holds which statement where; ``evidence``: what each
    statement asserts and by which phrase. Columns: ``overread.tables``.
    """

    labels: pl.DataFrame
    statements: pl.DataFrame
    report_statements: pl.DataFrame
    evidence: pl.DataFrame
    summary: Summary

    def to_pandas(self) -> dict[str, Any]:
        """The four tables as pandas frames, by name."""
        return {
            name: getattr(self, name).to_pandas()
            for name in ("labels", "statements", "report_statements", "evidence")
        }

    def write(
        self, folder: str | os.PathLike[str], *, format: Format = "parquet", overwrite: bool = False
    ) -> None:
        """Writes the four tables into a folder; existing ones only with ``overwrite``."""
        with table_files(Path(folder), format=format, overwrite=overwrite) as sink:
            sink(REPORT_STATEMENTS_FILE, self.report_statements)
            sink(EVIDENCE_FILE, self.evidence)
            sink(STATEMENTS_FILE, self.statements)
            sink(LABELS_FILE, self.labels)


def extract(
    reports: pl.DataFrame | pl.LazyFrame | pd.DataFrame | str | os.PathLike[str],
    *,
    machine: str | None = None,
    expert: str | None = None,
    id: str | None = None,
    patient: str | None = None,
    keep: Sequence[str] = (),
    vocab: Vocabulary | Path | str | None = None,
    uncertain: str = "positive",
    duplicates: Duplicates = "error",
    workers: int | None = None,
) -> Extraction:
    """Labels of every report in a frame or file, with evidence.

    Columns are found by their usual names unless named here; one side alone is fine. Raises
    TableError where rows cannot be read safely, UsageError for a wrong option, VocabularyError.

    >>> frame = pl.DataFrame({
    ...     "id": ["7"], "machine": ["Atrial fibrillation"], "expert": ["Sinus rhythm with PACs"]})
    >>> labels = extract(frame).labels
    >>> labels.select("machine_atrial_fibrillation", "expert_atrial_fibrillation").row(0)
    (1, 0)
    """
    columns: dict[str, Any] = {
        "machine": machine, "expert": expert, "id": id, "patient": patient,
        "keep": tuple(keep), "duplicates": duplicates,
    }  # fmt: skip
    if isinstance(reports, str | os.PathLike):
        source = open_source(reports, **columns)
    else:
        source = from_frame(reports, **columns)
    return extraction_of(source, Labeler(vocab, uncertain), workers=workers)


def extraction_of(
    source: ReportSource, labeler: Labeler, *, workers: int | None = None
) -> Extraction:
    """Labels of every report of a source that is open, read by a labeler that is made."""
    pieces: dict[str, list[pl.DataFrame]] = {}

    def keep_piece(table: str, piece: pl.DataFrame) -> None:
        pieces.setdefault(table, []).append(piece)

    summary = extract_tables(source, labeler, keep_piece, workers=workers)
    return Extraction(
        labels=pl.concat(pieces[LABELS_FILE]),
        statements=pl.concat(pieces[STATEMENTS_FILE]),
        report_statements=pl.concat(pieces[REPORT_STATEMENTS_FILE]),
        evidence=pl.concat(pieces[EVIDENCE_FILE]),
        summary=summary,
    )
