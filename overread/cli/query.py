"""``overread query``: ECGs that are nearest to a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from overread.cli.train import DeviceOption, ModelArgument, OverwriteOption, need_torch


def query(
    model: ModelArgument,
    text: Annotated[str, typer.Argument(help="A finding in words; it need not be a label.")],
    store: Annotated[Path, typer.Option(help="Store of the ECGs to search.")],
    top: Annotated[int, typer.Option(min=1, help="So many ECGs are shown.")] = 20,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder. Default: one for each text.")
    ] = None,
    device: DeviceOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Rank the ECGs of a store by their similarity to a text, with a clip or negclip model."""
    need_torch()
    from overread.evaluate.query import query as run

    run(
        model,
        text,
        store,
        out,
        top=top,
        device=device or "auto",
        overwrite=overwrite,
        console=Console(),
    )
