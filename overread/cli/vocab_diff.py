"""``overread vocab diff``: two versions of the vocabulary over the same reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_LABELS = Path("overread-out/labels")


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A vocabulary: the version so far.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The version to compare with it.")],
    on: Annotated[Path, typer.Option("--on", help="Folder of an extraction.")] = _LABELS,
    html: Annotated[Path | None, typer.Option("--html", help="Also write one HTML page.")] = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Also show statements in fewer than 11 ECGs.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Though the extraction was made with a third version.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes. Default: one per processor.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the HTML page.")] = False,
) -> None:
    """Show which labels change from vocabulary A to B, through which statements."""
    from overread.files import atomic_write, output_file
    from overread.report.page import to_html
    from overread.vocab.load import load_vocabulary
    from overread.workbench.diff import diff as compare
    from overread.workbench.diff import show
    from overread.workbench.extraction import Extraction

    if html is not None:
        output_file(html, overwrite=overwrite)  # before the work, not after it
    document = compare(
        Extraction.open(on),
        load_vocabulary(before),
        load_vocabulary(after),
        names=(before.resolve().name, after.resolve().name),
        with_text=with_text,
        force=force,
        workers=workers,
    )
    show(document, Console())
    if html is not None:
        atomic_write(html, to_html(document).encode("utf-8", "replace"), overwrite=overwrite)
        typer.echo(f"written to {html}")
