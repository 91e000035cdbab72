"""``overread vocab``: check a vocabulary, copy one to edit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from overread.cli import vocab_diff, vocab_edit, vocab_page, vocab_suggest
from overread.errors import OutputExists, VocabularyError

if TYPE_CHECKING:
    from overread.vocab.check import Finding
    from overread.vocab.model import Vocabulary

app = typer.Typer(help="Check, copy, try and edit vocabularies.", no_args_is_help=True)

app.command("suggest")(vocab_suggest.suggest)
app.command("stats")(vocab_suggest.stats)
app.command("try")(vocab_edit.try_text)
app.command("accept")(vocab_edit.accept)
app.command("reject")(vocab_edit.reject)
app.command("diff")(vocab_diff.diff)
app.command("edit")(vocab_page.edit)

_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


@app.command("check")
def check_command(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The vocabulary; the one in use where left out."),
    ] = None,
    overlay: Annotated[
        list[Path] | None, typer.Option(help="A folder that adds to it; may be given again.")
    ] = None,
    notes: Annotated[bool, typer.Option(help="Also list what is worth knowing.")] = False,
) -> None:
    """List what is wrong with a vocabulary, and run its examples."""
    from overread.vocab.check import Finding, examples_count
    from overread.vocab.load import load_vocabulary

    console = Console(soft_wrap=True)
    try:
        vocabulary = load_vocabulary(folder, overlays=overlay or ())
    except VocabularyError as error:
        _print_findings(console, [Finding(place, "error", said) for place, said in error.problems])
        console.print(f"{len(error.problems)} to mend before the vocabulary can be used")
        raise typer.Exit(error.exit_code) from None
    findings = findings_of(vocabulary)
    _print_findings(console, [each for each in findings if notes or each.severity != "note"])
    counts = Counter(finding.severity for finding in findings)
    console.print(
        f"{len(vocabulary.labels)} labels, {len(vocabulary.phrases)} phrases, "
        f"{examples_count(vocabulary)} examples run: "
        f"{counts['error']} errors, {counts['warning']} warnings, {counts['note']} notes"
    )
    if counts["error"]:
        raise typer.Exit(1)


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Copy the shipped vocabulary into a folder, to edit it there."""
    copy_vocabulary(folder)
    typer.echo(
        f"Copied to {folder}. Next step: edit a file there, then: overread vocab check {folder}"
    )


def findings_of(vocabulary: Vocabulary) -> list[Finding]:
    """What ``check`` finds, with the text core to compare words and to run the examples."""
    import polars as pl

    from overread.labels.split import mask
    from overread.text.labeler import Labeler
    from overread.text.lexicon import Lexicon
    from overread.text.normalize import fold, tokens
    from overread.vocab.check import check

    labeler = Labeler(vocabulary)
    read = labeler.matcher.lexicon.read
    return check(
        vocabulary,
        normalise=lambda text: tuple(fold(token.text) for token in tokens(text)),
        expand=Lexicon(vocabulary).expand,
        reads=lambda texts: [
            tuple(word.text for word in read(text))
            for text in mask(pl.Series(texts, dtype=pl.String))
        ],
        label_text=lambda text: labeler.label(text).states,
    )


def copy_vocabulary(folder: Path) -> None:
    """Copies the shipped vocabulary, all or nothing.

    Raises OutputExists where the folder holds anything, OverreadError on a full disk.
    """
    from overread.files import is_folder, output_folder
    from overread.report.folder import replace_files
    from overread.vocab.load import shipped_vocabulary

    if any(folder.iterdir()) if is_folder(folder) else folder.exists():
        raise OutputExists(f"{folder} exists and is not empty. Next step: name a new folder")
    output_folder(folder)
    # Not the decisions about a checkout's own vocabulary, which is a hidden file.
    shipped = sorted(path for path in shipped_vocabulary().iterdir() if path.name[0] != ".")
    replace_files({folder / path.name: path.read_bytes() for path in shipped})


def _print_findings(console: Console, findings: list[Finding]) -> None:
    """A table on a terminal; elsewhere one line each, for grep and for editors."""
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        for finding in findings:
            console.print(
                f"{finding.place}: {finding.severity}: {finding.message}",
                markup=False,
                highlight=False,
            )
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        severity = Text(finding.severity, _STYLES[finding.severity])
        table.add_row(Text(str(finding.place)), severity, Text(finding.message))
    if findings:
        console.print(table)
