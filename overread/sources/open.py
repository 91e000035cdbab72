"""Opening reports of any kind: what a file is, is decided by its content and its columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import polars as pl

from overread.errors import TableError, UsageError
from overread.files import input_file, is_folder, listing
from overread.sources import mimic, ptbxl
from overread.sources.batches import MAX_CELL, Duplicates, ReportSource
from overread.sources.columns import find_columns, kept_columns
from overread.sources.csv_table import CsvTable
from overread.sources.frame import FrameTable
from overread.sources.jsonl import JsonlTable
from overread.sources.muse import MuseSource
from overread.sources.parquet import ParquetTable
from overread.sources.raw import RawTable
from overread.sources.shards import Shards, matching_paths, shard_paths
from overread.sources.sniff import kind_of, refuse_other_than, starts_as_json
from overread.sources.table import Meaning, TableSource, plain_meaning
from overread.sources.wfdb_headers import EXPERT_COMMENT, MACHINE_COMMENT, WfdbSource

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["csv", "tsv", "semicolon", "parquet", "jsonl", "ptbxl", "mimic", "muse", "wfdb"]
_DELIMITERS: Final = {"csv": ",", "tsv": "\t", "semicolon": ";"}
_FORMATS: Final[tuple[str, ...]] = get_args(Format)
_CORPORA: Final = (
    ("ptbxl", ptbxl.COLUMNS, ptbxl.meaning),
    ("mimic", mimic.COLUMNS, mimic.meaning),
)
_FOLDERS: Final = {
    ".hea": "wfdb",
    ".xml": "muse",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_TEXT_SUFFIXES: Final = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".xml")


def open_source(
    path: str | os.PathLike[str],
    *,
    format: Format | None = None,
    encoding: str = "utf-8",
    machine: str | None = None,
    expert: str | None = None,
    id: str | None = None,
    patient: str | None = None,
    keep: Sequence[str] = (),
    quarantine: bool = False,
    duplicates: Duplicates = "error",
    max_cell: int = MAX_CELL,
    machine_comment: str = MACHINE_COMMENT,
    expert_comment: str = EXPERT_COMMENT,
    escape: Literal["backslash"] | None = None,
) -> ReportSource:
    """The reports in a table, a folder or glob of shards, or a folder of MUSE or WFDB records.

    Columns are found by their usual names unless named here. With ``quarantine`` rows and records
    that cannot be read are left out and counted; without it the first one ends the run.
    Raises ``TableError`` for what cannot be read safely, ``UsageError`` for a wrong path or option.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.csv"
    ...     _ = file.write_text("ecg_id,machine,over_read\\n007,AF,Sinus rhythm\\n")
    ...     [batch] = open_source(file).batches()
    >>> batch.row(0)
    ('007', None, 'AF', 'Sinus rhythm')
    """
    if duplicates not in ("error", "first", "last"):
        raise UsageError(
            f"duplicates {duplicates!r} is not known. Next step: error, first or last."
        )
    if format is not None and format not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise UsageError(f"The format {format!r} is not known. Next step: one of {known}.")
    paths, kind = _decided(Path(path), format)
    options = {"machine": machine, "expert": expert, "id": id, "patient": patient}
    if kind in ("muse", "wfdb"):
        _refuse_column_options(kind, {**options, "keep": tuple(keep) or None})
        if kind == "muse":
            return MuseSource(Path(path), quarantining=quarantine, duplicates=duplicates)
        return WfdbSource(
            Path(path),
            machine_comment=machine_comment,
            expert_comment=expert_comment,
            encoding=encoding,
            quarantining=quarantine,
            duplicates=duplicates,
        )
    tables: list[RawTable] = []
    for one in paths:
        if kind == "parquet":
            tables.append(ParquetTable(one, max_cell=max_cell, quarantine=quarantine))
        elif kind == "jsonl":
            tables.append(
                JsonlTable(one, encoding=encoding, max_cell=max_cell, quarantine=quarantine)
            )
        else:
            tables.append(
                CsvTable(
                    one,
                    delimiter=_DELIMITERS.get(kind) if format else None,
                    encoding=encoding,
                    escape=escape,
                    max_cell=max_cell,
                    quarantine=quarantine,
                )
            )
    table = tables[0] if len(tables) == 1 else Shards(Path(path).absolute().name, tables)
    meaning = _meaning(table, format=format, keep=keep, **options)
    return TableSource(table, meaning, quarantining=quarantine, duplicates=duplicates)


def from_frame(
    frame: pl.DataFrame | pl.LazyFrame | pd.DataFrame,
    *,
    machine: str | None = None,
    expert: str | None = None,
    id: str | None = None,
    patient: str | None = None,
    keep: Sequence[str] = (),
    quarantine: bool = False,
    duplicates: Duplicates = "error",
    max_cell: int = MAX_CELL,
) -> ReportSource:
    """The reports in a polars or pandas frame; options and errors as of `open_source`.

    >>> source = from_frame(pl.DataFrame({"id": [7], "machine": ["AF"], "expert": [None]}))
    >>> [batch.row(0) for batch in source.batches()]
    [('7', None, 'AF', None)]
    """
    table = FrameTable(frame, max_cell=max_cell, quarantine=quarantine)
    options = {"machine": machine, "expert": expert, "id": id, "patient": patient}
    meaning = _meaning(table, format=None, keep=keep, **options)
    return TableSource(table, meaning, quarantining=quarantine, duplicates=duplicates)


def _meaning(
    table: RawTable, *, format: str | None, keep: Sequence[str], **given: str | None
) -> Meaning:
    """PTB-XL and MIMIC-IV-ECG show by their columns, unless columns are named."""
    found = table.columns
    named = any(given.values())
    for name, needed, meaning in _CORPORA:
        missing = [column for column in needed if column not in found]
        if format == name and named:
            raise UsageError(
                f"--input-format {name} fixes the columns. "
                "Next step: leave out --input-format, or the columns."
            )
        if format == name and missing:
            raise TableError(
                f"{table.file} has no column {missing[0]!r}, which --input-format {name} needs. "
                "Next step: leave out --input-format and name the columns."
            )
        if format == name or (format not in ("ptbxl", "mimic") and not named and not missing):
            return meaning(found, keep=kept_columns(found, keep, file=table.file))
    return plain_meaning(find_columns(found, file=table.file, keep=keep, **given))


def _decided(path: Path, format: str | None) -> tuple[list[Path], str]:
    """The files and what they are to be read as."""
    if is_folder(path):
        return _decided_folder(path, format)
    if not path.exists() and any(mark in path.name for mark in "*?["):
        paths = matching_paths(path.parent, path.name)
        return paths, _decided_alike(paths, format)
    path = input_file(path)
    return [path], _decided_file(path, format)


def _decided_folder(folder: Path, format: str | None) -> tuple[list[Path], str]:
    if format is None:
        present = {path.suffix.lower() for path in listing(folder, "")}
        kinds = list(dict.fromkeys(kind for end, kind in _FOLDERS.items() if end in present))
        if len(kinds) != 1:
            has = (
                f"holds several kinds of files ({', '.join(kinds)})" if kinds else "has no reports"
            )
            raise UsageError(
                f"The folder {folder.resolve().name} {has}. "
                "Next step: give --input-format, or one file."
            )
        format = kinds[0]
    if format in ("muse", "wfdb"):
        return [], format
    suffixes = tuple(suffix for suffix, kind in _FOLDERS.items() if kind == format)
    paths = shard_paths(folder, suffixes or (".csv",))
    return paths, _decided_alike(paths, format)


def _decided_alike(paths: list[Path], format: str | None) -> str:
    first = _decided_file(paths[0], format)
    for path in paths[1:]:
        if (other := _decided_file(path, format)) != first:
            raise TableError(
                f"{path.name} is {other} and {paths[0].name} is {first}. "
                "Next step: export the shards alike."
            )
    return first


def _decided_file(path: Path, format: str | None) -> str:
    if format == "wfdb" or (format is None and path.suffix.lower() == ".hea"):
        return "wfdb"
    kind = kind_of(path)
    suffix = path.suffix.lower()
    if format == "parquet" or (
        format is None and (kind == "Parquet") and suffix not in _TEXT_SUFFIXES
    ):
        refuse_other_than(path, kind, "Parquet")
        return "parquet"
    if format == "muse" or (format is None and suffix == ".xml"):
        refuse_other_than(path, kind, "XML")
        return "muse"
    refuse_other_than(path, kind, "text")
    if format is None and suffix in (".parquet", ".pq"):
        raise TableError(
            f"{path.name}: this is not a Parquet file. "
            "Next step: rename it or give --input-format csv."
        )
    if format is None and (suffix in (".jsonl", ".ndjson") or starts_as_json(path)):
        return "jsonl"
    return format or "csv"


def _refuse_column_options(kind: str, given: dict[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"--{name} names a column, and {kind} records have none. Next step: leave it out."
            )
