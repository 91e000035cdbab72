"""``overread labels``: extract, explain, show, audit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from overread.cli.engine import Engine, EngineOption, WorkersOption
from overread.cli.input import text_given

app = typer.Typer(no_args_is_help=True, help="Labels from report texts.")

_OUT = Path("overread-out/labels")


class Policy(StrEnum):
    """What an uncertain mention counts as."""

    positive = "positive"
    negative = "negative"
    missing = "missing"


class InputFormat(StrEnum):
    """What a source is."""

    csv = "csv"
    tsv = "tsv"
    semicolon = "semicolon"
    parquet = "parquet"
    jsonl = "jsonl"
    ptbxl = "ptbxl"
    mimic = "mimic"
    muse = "muse"
    wfdb = "wfdb"


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
OverlayOption = Annotated[
    list[Path] | None,
    typer.Option("--overlay", help="Folder that adds to the vocabulary; may be given again."),
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
    overlay: OverlayOption = None,
    uncertain: Annotated[
        Policy, typer.Option(help="What an uncertain mention (possible LVH) counts as.")
    ] = Policy.positive,
    input_format: Annotated[
        InputFormat | None, typer.Option(help="What SOURCE is, where its content does not tell.")
    ] = None,
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
    workers: WorkersOption = None,
    engine: EngineOption = Engine.processes,
    overwrite: Annotated[bool, typer.Option(help="Replace tables of another run.")] = False,
) -> None:
    """Label every report of SOURCE and write the label tables."""
    from overread.labels.run import show_preview, write_extraction
    from overread.sources.open import open_source
    from overread.vocab.load import load_vocabulary

    reports = open_source(
        source,
        format=input_format.value if input_format else None,
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
        vocab=load_vocabulary(vocab, overlays=overlay or ()),
        uncertain=uncertain.value,
        format=format.value,
        duplicates=duplicates.value,
        workers=workers,
        engine=engine.value,
        overwrite=overwrite,
        console=console,
        reading={
            "encoding": encoding.value,
            "escape": escape.value if escape else None,
            "max_cell": max_cell,
            "quarantine": quarantine,
        },
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
    overlay: OverlayOption = None,
) -> None:
    """Show what a report asserts and why: every mention coloured, with phrase and cue."""
    from overread.errors import UsageError
    from overread.labels.evidence import explain_id, explain_text
    from overread.text.labeler import Labeler
    from overread.vocab.load import load_vocabulary

    console = Console()
    if (text is None) == (id is None):
        raise UsageError("give either a text or --id X. Example: overread labels explain 'No LVH'")
    if id is not None:
        explain_id(id, out, console)
    elif text is not None:
        explain_text(
            text_given(text), Labeler(load_vocabulary(vocab, overlays=overlay or ())), console
        )


@app.command()
def show(out: OutOption = _OUT) -> None:
    """Show the label counts of an extraction at a glance."""
    from overread.labels.run import read_summary
    from overread.labels.view import summary_view

    Console().print(summary_view(read_summary(out)))


audit = typer.Typer(
    no_args_is_help=True,
    help="How right the labels are on your reports, judged by a reader of a sample.",
)
app.add_typer(audit, name="audit")

_SHEET = Path("overread-out/audit/audit.csv")


class AuditUnit(StrEnum):
    """What stands in a row of an audit sheet."""

    statements = "statements"
    reports = "reports"


@audit.command("draw")
def audit_draw(
    out: OutOption = _OUT,
    sheet: Annotated[Path, typer.Option(help="The sheet to write (CSV); its key lies beside.")] = (
        _SHEET
    ),
    rows: Annotated[int, typer.Option("--n", "-n", min=1, help="Rows of the sheet.")] = 200,
    unit: Annotated[AuditUnit, typer.Option(help="What stands in a row.")] = AuditUnit.statements,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same sheet.")] = 0,
    with_text: Annotated[
        bool,
        typer.Option(
            "--with-text", help="Also show statements in fewer than 11 ECGs; needed for reports."
        ),
    ] = False,
    semicolon: Annotated[
        bool, typer.Option("--semicolon", help="For spreadsheets that use a decimal comma.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace another sheet, filled in or not.")] = (
        False
    ),
) -> None:
    """Draw a sheet for a cardiologist to fill in, without our answers.

    Every label found has a share of the rows, and so have texts without any label.

    Texts are as the tables keep them: dates and numbers masked, signatures left out.
    """
    from overread.labels.audit import draw_audit
    from overread.labels.audit_view import drawn_view

    drawn = draw_audit(
        out,
        sheet,
        rows=rows,
        unit=unit.value,
        seed=seed,
        rare=with_text,
        delimiter=";" if semicolon else ",",
        overwrite=overwrite,
    )
    console = Console()
    console.print(drawn_view(drawn))
    _told(console, f"Then: overread labels audit score {sheet}{_elsewhere(out)}")


@audit.command("score")
def audit_score(
    sheet: Annotated[
        Path, typer.Argument(help="The filled sheet, as the spreadsheet saved it.")
    ] = (_SHEET),
    out: OutOption = _OUT,
    key: Annotated[
        Path | None, typer.Option(help="The key, where it is not beside the sheet.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the scores of an earlier state.")
    ] = False,
) -> None:
    """Precision and sensitivity per label from a filled sheet, with 95% intervals."""
    from overread.labels.audit import score_audit
    from overread.labels.audit_view import scored_view, write_scores

    scored = score_audit(out, sheet, key_file=key)
    written = write_scores(scored, sheet, overwrite=overwrite)
    console = Console()
    console.print(scored_view(scored))
    _told(console, f"written: {', '.join(str(path) for path in written)}")
    if scored.differences:
        example = f"overread labels explain --id {scored.differences[0].id}{_elsewhere(out)}"
        _told(console, f"To see why a row has its labels: {example}")


def _elsewhere(out: Path) -> str:
    """What a further command needs to find the same tables."""
    return "" if out == _OUT else f" --out {out}"


def _told(console: Console, line: str) -> None:
    """Prints a line with commands or paths, which must not be broken."""
    console.print(Text(line), soft_wrap=True)
