"""``overread labels``: extract, explain, show, audit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Labels from report texts.")

_OUT = Path("overread-out/labels")


class Policy(StrEnum):
    """What an uncertain mention counts as."""

    positive = "positive"
    negative = "negative"
    missing = "missing"


class TableFormat(StrEnum):
    """How the label tables are written."""

    parquet = "parquet"
    csv = "csv"


class Duplicate(StrEnum):
    """What to do where an id stands in several rows."""

    error = "error"
    first = "first"
    last = "last"


class Encoding(StrEnum):
    """Character encodings that exports are known to use."""

    utf8 = "utf-8"
    cp1252 = "cp1252"
    latin1 = "latin-1"
    utf16 = "utf-16"


class Escape(StrEnum):
    """How a quote inside a quoted cell is written, where not doubled."""

    backslash = "backslash"


VocabOption = Annotated[
    Path | None,
    typer.Option("--vocab", help="Vocabulary folder. Default: $OVERREAD_VOCAB, else the shipped."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the label tables.")]


@app.command()
def extract(
    source: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, Parquet or JSONL table, a folder of shards, a PTB-XL or MIMIC-IV-ECG "
            "table, or a folder of GE MUSE XML or WFDB headers."
        ),
    ],
    machine: Annotated[str | None, typer.Option(help="Column of the device's text.")] = None,
    expert: Annotated[str | None, typer.Option(help="Column of the cardiologist's text.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="Column of the ECG id.")] = None,
    patient: Annotated[str | None, typer.Option(help="Column of the patient id.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Column to carry along (site, year); repeat it.")
    ] = None,
    out: OutOption = _OUT,
    vocab: VocabOption = None,
    uncertain: Annotated[
        Policy, typer.Option(help="What an uncertain mention (possible LVH) counts as.")
    ] = Policy.positive,
    format: Annotated[TableFormat, typer.Option(help="How the tables are written.")] = (
        TableFormat.parquet
    ),
    preview: Annotated[
        int, typer.Option(min=0, help="Show so many rows as they would be read, and stop.")
    ] = 0,
    quarantine: Annotated[
        bool, typer.Option(help="Leave out rows that cannot be read, and count them.")
    ] = False,
    duplicates: Annotated[
        Duplicate, typer.Option(help="Where an id stands in several rows.")
    ] = Duplicate.error,
    encoding: Annotated[Encoding, typer.Option(help="Encoding of a text table.")] = Encoding.utf8,
    escape: Annotated[
        Escape | None, typer.Option(help="Quotes in cells are escaped by a backslash.")
    ] = None,
    max_cell: Annotated[int, typer.Option(min=1, help="Largest cell in bytes.")] = 1 << 20,
    machine_comment: Annotated[
        str, typer.Option(help="WFDB: comments that open so are the device's.")
    ] = "SL12:",
    expert_comment: Annotated[
        str, typer.Option(help="WFDB: comments that open so are the cardiologist's.")
    ] = "C:",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per processor.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace tables of another run.")] = False,
) -> None:
    """Label every report of SOURCE and write the label tables."""
    from overread.labels.run import show_preview, write_extraction
    from overread.sources.open import open_source

    reports = open_source(
        source,
        machine=machine,
        expert=expert,
        id=id,
        patient=patient,
        keep=tuple(keep or ()),
        quarantine=quarantine,
        duplicates=duplicates.value,
        encoding=encoding.value,
        escape=escape.value if escape else None,
        max_cell=max_cell,
        machine_comment=machine_comment,
        expert_comment=expert_comment,
    )
    console = Console()
    if preview:
        show_preview(reports, preview, console)
        return
    summary = write_extraction(
        reports,
        out,
        vocab=vocab,
        uncertain=uncertain.value,
        format=format.value,
        duplicates=duplicates.value,
        workers=workers,
        overwrite=overwrite,
        console=console,
    )
    if summary.quarantined:
        raise typer.Exit(3)


@app.command()
def explain(
    text: Annotated[
        str | None, typer.Argument(help="A report; '-' reads it from the input.")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="An ECG of the last extraction.")] = None,
    out: OutOption = _OUT,
    vocab: VocabOption = None,
) -> None:
    """Show what a report asserts and why: every mention coloured, with phrase and cue."""
    from overread.errors import UsageError
    from overread.labels.evidence import explain_id, explain_text

    console = Console()
    if (text is None) == (id is None):
        raise UsageError("give either a text or --id X. Example: overread labels explain 'No LVH'")
    if id is not None:
        explain_id(id, out, console)
    elif text is not None:
        if text == "-":
            text = typer.get_text_stream("stdin").read()
        explain_text(text, vocab, console)


@app.command()
def show(out: OutOption = _OUT) -> None:
    """Show the label counts of an extraction at a glance."""
    from overread.labels.run import read_summary
    from overread.labels.view import summary_view

    Console().print(summary_view(read_summary(out)))
