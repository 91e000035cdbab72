"""``overread vocab edit``: the local page on which a vocabulary is worked on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overread.cli.labels import VocabOption

_LABELS = Path("overread-out/labels")


def edit(
    on: Annotated[
        Path, typer.Option("--on", help="Folder of the extraction whose reports are read.")
    ] = _LABELS,
    vocab: VocabOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Work on the vocabulary in a page of this machine: suggestions, phrases, effects, writing.

    Nothing leaves the machine. The page shows statements of your reports, rare ones too.
    """
    from overread.vocab.load import folder_in_use
    from overread.workbench.accept import changeable
    from overread.workbench.extraction import Extraction
    from overread.workbench.serve import serve
    from overread.workbench.session import Session

    folder = changeable(folder_in_use(vocab))
    session = Session(folder, Extraction.open(on))
    try:
        serve(session, port=port, browser=browser, told=typer.echo)
    finally:
        session.close()
    typer.echo("The page is closed. Decisions are kept; what was written stands in the files.")
