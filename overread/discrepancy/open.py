"""Opening what is to be compared: the folder of an extraction, a label table, or two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from overread.discrepancy.join import id_columns, join_tables
from overread.discrepancy.pair import Pairs, one_sided, pairs_of_frame
from overread.errors import TableError, UsageError
from overread.files import input_file, is_folder
from overread.labels.output import scan_table
from overread.labels.run import read_summary
from overread.labels.summary import Summary
from overread.manifest import RUN_FILE
from overread.sources.batches import Tally
from overread.sources.csv_table import CsvTable
from overread.sources.parquet import ParquetTable
from overread.sources.sniff import kind_of, refuse_other_than
from overread.tables import (
    EVIDENCE_FILE,
    ID,
    LABELS_FILE,
    PATIENT,
    PATIENT_NAMES,
    REPORT_STATEMENTS_FILE,
    STATEMENTS_FILE,
    known_as,
)

if TYPE_CHECKING:
    from overread.labels.api import Extraction


@dataclass(frozen=True, slots=True)
class LabelTables:
    """The tables of an extraction that hold its statements; see ``overread.tables``."""

    statements: pl.LazyFrame
    report_statements: pl.LazyFrame
    evidence: pl.LazyFrame


def open_pairs(
    labels: pl.DataFrame | Path | Extraction,
    expert: pl.DataFrame | Path | None = None,
    *,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[Pairs, LabelTables | None]:
    """The pairs, and the statements where there are any.

    ``told`` hears in lines how two tables were joined and which columns look like labels and are
    not compared. Raises TableError, UsageError.
    """
    from overread.labels.api import Extraction

    if expert is not None:
        names = _named("the machine's table", labels), _named("the expert's table", expert)
        joined, notes = join_tables(read_table(labels), read_table(expert), names)
        for note in notes:
            told(note)
        return pairs_of_frame(joined), None
    if isinstance(labels, Path) and _is_extraction(labels):
        summary = read_summary(labels)
        frame = scan_table(labels, LABELS_FILE).collect()
        return _of_extraction(frame, summary), LabelTables(
            scan_table(labels, STATEMENTS_FILE),
            scan_table(labels, REPORT_STATEMENTS_FILE),
            scan_table(labels, EVIDENCE_FILE),
        )
    if isinstance(labels, Path | pl.DataFrame):
        frame = read_table(labels)
        pairs = pairs_of_frame(frame, which=_named("the table", labels))
        for note in one_sided(frame.columns):
            told(note)
        return pairs, None
    if not isinstance(labels, Extraction):
        raise UsageError(
            f"{type(labels).__name__} is no label table. Next step: give a frame, a file, an "
            "extraction or its folder."
        )
    return _of_extraction(labels.labels, labels.summary), LabelTables(
        labels.statements.lazy(), labels.report_statements.lazy(), labels.evidence.lazy()
    )


def input_files(labels: Path, expert: Path | None) -> list[Path]:
    """The files that `open_pairs` reads. Raises UsageError where there is no extraction."""
    if expert is None and _is_extraction(labels):
        read_summary(labels)
        names = (LABELS_FILE, STATEMENTS_FILE, REPORT_STATEMENTS_FILE, EVIDENCE_FILE, RUN_FILE)
        return [labels / name for name in names if (labels / name).is_file()]
    return [input_file(path) for path in (labels, expert) if path is not None]


def _named(which: str, source: Any) -> str:
    """What errors call a table: with the name of its file, where it is one."""
    return f"{which} {source.name}" if isinstance(source, Path) else which


def _is_extraction(path: Path) -> bool:
    """Whether the path is a folder, or a missing one: no table is called so."""
    return is_folder(path) or not (path.suffix or path.exists())


def _of_extraction(frame: pl.DataFrame, summary: Summary) -> Pairs:
    if len(summary.sides) < 2:
        side = next(iter(summary.sides), "no")
        raise UsageError(
            f"the extraction holds {side} readings alone. Next step: overread labels extract with "
            "both --machine and --expert."
        )
    pairs = dict.fromkeys(pair for side in summary.sides.values() for pair in side.contradicting())
    return pairs_of_frame(
        frame,
        names=summary.names,
        own_policy=summary.own_policy,
        contradictions=tuple(pairs),
    )


def read_table(source: Any) -> pl.DataFrame:
    """A label table as a frame with ``id`` and ``patient_id`` under these names."""
    if isinstance(source, pl.DataFrame):
        return _renamed(source)
    if not isinstance(source, Path):
        raise UsageError("two tables are compared. Next step: give a frame or a file for each.")
    path = input_file(source)
    kind = kind_of(path)
    try:
        refuse_other_than(path, kind, "Parquet", "text")
        # Every cell comes as text: "1e5" stays an id.
        table = ParquetTable(path) if kind == "Parquet" else CsvTable(path)
        names = [name for name in table.columns if name]
        rows = [some.frame for some in table.frames(names, tally=Tally(), bad=[])]
    except TableError as error:
        # The options of `overread labels extract` are no way out where label tables are read.
        raise TableError(error.plain) from None
    return _renamed(pl.concat(rows))


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its id and patient columns under our names, where one of each is known."""
    roles = {}
    for ours, found in (
        (ID, id_columns(frame)),
        (PATIENT, known_as(PATIENT_NAMES, frame.columns)),
    ):
        if ours not in frame.columns and len(found) == 1:
            roles[found[0]] = ours
    return frame.rename(roles)
