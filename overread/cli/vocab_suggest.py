"""``overread vocab suggest`` and ``stats``: what to add, and what the phrases there are do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from overread.cli.labels import OverlayOption, VocabOption

if TYPE_CHECKING:
    from overread.report.table import Table

_LABELS = Path("overread-out/labels")


class Printed(StrEnum):
    """How a list is printed."""

    table = "table"
    csv = "csv"


OnOption = Annotated[Path, typer.Option("--on", help="Folder of an extraction.")]
FormatOption = Annotated[Printed, typer.Option(help="table for people, csv for programs.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes. Default: one per processor.")
]


def suggest(
    on: OnOption = _LABELS,
    vocab: VocabOption = None,
    overlay: OverlayOption = None,
    limit: Annotated[int, typer.Option(min=1, help="So many suggestions at most.")] = 40,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Also wordings in fewer than 11 ECGs.")
    ] = False,
    format: FormatOption = Printed.table,
    workers: WorkersOption = None,
) -> None:
    """List wordings of your reports that the vocabulary does not know, with a label guess.

    Rejected wordings do not come back.
    """
    from overread.vocab.load import folder_in_use, load_vocabulary
    from overread.workbench.decisions import FILE, Decisions
    from overread.workbench.extraction import Extraction
    from overread.workbench.lists import suggestions_table
    from overread.workbench.suggest import suggest as ranked

    overlays = overlay or ()
    folder = [folder_in_use(vocab), *overlays][-1]
    decided = (folder / FILE).is_file()  # opening makes the file; a list changes nothing
    found = ranked(
        Extraction.open(on),
        load_vocabulary(vocab, overlays=overlays),
        rejected=Decisions.open(folder).rejected() if decided else frozenset(),
        limit=limit,
        workers=workers,
    )
    if not found and format is Printed.table:
        typer.echo("Every wording of these reports is known or rejected.")
        return
    indent = "  " if format is Printed.table else ""
    _print(suggestions_table(found, rare=with_text, indent=indent), format)


def stats(
    on: OnOption = _LABELS,
    vocab: VocabOption = None,
    overlay: OverlayOption = None,
    label: Annotated[str | None, typer.Option(help="Only this label or concept.")] = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="Only phrases that no report holds.")
    ] = False,
    format: FormatOption = Printed.table,
    workers: WorkersOption = None,
) -> None:
    """Count what each phrase does in your reports: hits, sole hits, conflicts, repairs."""
    from overread.vocab.load import load_vocabulary
    from overread.workbench.extraction import Extraction
    from overread.workbench.lists import usage_table
    from overread.workbench.usage import phrase_usage

    vocabulary = load_vocabulary(vocab, overlays=overlay or ())
    usage = phrase_usage(Extraction.open(on), vocabulary, workers=workers)
    listed = usage_table(
        usage, vocabulary, owner=label, hits=not dead, dead=dead or format is Printed.csv
    )
    _print(listed, format)


def _print(table: Table, format: Printed) -> None:
    from overread.report.delimited import table_to_csv
    from overread.report.terminal import TerminalTable

    if format is Printed.csv:
        typer.echo(table_to_csv(table), nl=False)
    else:
        Console().print(TerminalTable(table))
