"""One extraction from source to folder: up to date, preview, progress, tables, manifest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from overread.engine import Engine
from overread.errors import OutputExists, OverreadError, UsageError
from overread.files import locked, output_folder
from overread.labels import extract as extraction
from overread.labels.output import FORMATS, Format, table_files, tables_of
from overread.labels.summary import Summary
from overread.labels.view import summary_view
from overread.manifest import RUN_FILE, Manifest, inputs_of, versions
from overread.report.progress import Heard
from overread.sources.batches import ReportSource
from overread.tables import SOURCES
from overread.text.labeler import Labeler
from overread.vocab.model import Vocabulary

#: Where the commands look for an extraction unless told otherwise.
DEFAULT_FOLDER = Path("overread-out/labels")

_COMMAND = "labels extract"
_QUARANTINE = "quarantine"


def write_extraction(
    source: ReportSource,
    folder: Path,
    *,
    vocab: Vocabulary | Path | None,
    uncertain: str,
    format: Format,
    duplicates: str,
    workers: int | None,
    overwrite: bool,
    console: Console,
    engine: Engine = "processes",
    reading: Mapping[str, Any] | None = None,
) -> Summary:
    """Labels a source into a folder and prints the account; does nothing where that is up to date.

    ``reading`` are the options with which the source was opened: other ones are another run.
    Raises OutputExists where the folder holds another run and ``overwrite`` was not given.
    """
    labeler = Labeler(vocab, uncertain)
    columns = source.columns
    options = {
        "uncertain": uncertain,
        "format": format,
        "duplicates": duplicates,
        "source": source.name,
        **(reading or {}),
        "columns": [columns.id, columns.patient, columns.machine, columns.expert, *columns.keep],
    }
    planned = Manifest(
        command=_COMMAND,
        options=options,
        inputs=inputs_of(source.fingerprints()),
        vocabulary=labeler.vocabulary.sha256,
        labels=tuple(labeler.vocabulary.labels),
    )
    folder = output_folder(folder)
    standing = Manifest.standing(folder, overwrite=overwrite)
    whole = all(path.is_file() for path in _paths(folder, format))
    if standing is not None and standing.same_work(planned) and whole and not overwrite:
        console.print(f"up to date: {folder}", highlight=False)
        return _account(standing)
    if not overwrite and any(path.exists() for each in FORMATS for path in _paths(folder, each)):
        raise OutputExists(
            f"{folder} holds the result of another input, vocabulary or option. Next step: give "
            "--overwrite to replace it, or --out FOLDER for another place."
        )
    for line in _found(source):
        console.print(line, highlight=False)
    began = time.monotonic()
    place = "" if folder == DEFAULT_FOLDER else f" --out {folder}"
    with (
        locked(folder),
        table_files(
            folder, format=format, overwrite=True, replaced=_written_by(standing, folder)
        ) as sink,
        Heard(console) as heard,
    ):
        progress = extraction.Progress(
            rows=lambda done: heard.say("rows read", done),
            statements=lambda done, total: heard.say("statements labelled", done, total),
        )
        summary = extraction.extract_tables(
            source, labeler, sink, workers=workers, engine=engine, progress=progress
        )
        if source.quarantine:
            rows = pl.DataFrame(source.quarantine, schema=["row", "reason"], orient="row")
            sink(f"{_QUARANTINE}.{format}", rows)
        sink.manifest = replace(
            planned,
            versions=versions("polars", "rapidfuzz", "google-re2"),
            counts=summary.counts(),
            columns={name: getattr(columns, name) for name in ("id", "patient", *SOURCES, "keep")},
        )
    console.print(summary_view(summary))
    if sink.cleaned:
        console.print(f"control characters became spaces in {sink.cleaned:,} cells")
    console.print(
        f"written to {folder} in {time.monotonic() - began:.1f} s\n"
        f"Next: overread labels show{place}, overread labels explain --id X{place}",
        highlight=False,
    )
    return summary


def read_summary(folder: Path) -> Summary:
    """The account of an extraction that lies in a folder.

    Raises UsageError where there is none.
    """
    if not (folder / RUN_FILE).is_file():
        raise UsageError(
            f"{folder} holds no extraction. Next step: overread labels extract reports.csv"
        )
    return _account(Manifest.read(folder))


def _account(manifest: Manifest) -> Summary:
    try:
        return Summary.from_counts(manifest.counts)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OverreadError(
            f"{RUN_FILE} holds no account of an extraction by this version. "
            "Next step: extract again with --overwrite."
        ) from None


def show_preview(source: ReportSource, rows: int, console: Console) -> None:
    """Prints the first rows as they would be read; nothing is written.

    It shows report text: it is asked for by the person who owns the file, on a terminal.
    """
    for line in _found(source):
        console.print(line, highlight=False)
    frame = next(iter(source.batches(rows=rows)), pl.DataFrame())
    table = Table(show_lines=True)
    for name in frame.columns:
        table.add_column(name, overflow="fold")
    for row in frame.head(rows).iter_rows():
        table.add_row(*(Text("(absent)", "dim") if cell is None else Text(cell) for cell in row))
    console.print(table)


def _found(source: ReportSource) -> list[str]:
    columns = source.columns
    named = {
        "id": columns.id or "(row number)",
        "patient": columns.patient,
        "machine": columns.machine,
        "expert": columns.expert,
        "kept": ", ".join(columns.keep) or None,
    }
    read = "; ".join(f"{what} = {name}" for what, name in named.items() if name)
    return [f"{source.name}: {read}"]


def _paths(folder: Path, format: str) -> list[Path]:
    return [folder / RUN_FILE, *(folder / table for table in tables_of(format))]


def _written_by(manifest: Manifest | None, folder: Path) -> list[Path]:
    """The tables of an earlier extraction: those of another format would outlive it."""
    format = None if manifest is None else manifest.options.get("format")
    if manifest is None or manifest.command != _COMMAND or format not in FORMATS:
        return []
    quarantine = [folder / f"{_QUARANTINE}.{format}"] if manifest.counts.get("quarantined") else []
    return _paths(folder, format) + quarantine
