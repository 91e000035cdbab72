"""``overread evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from overread.cli.discrepancy import (
    ByOption,
    FormatsOption,
    OverwriteOption,
    ReportFormat,
    ResamplesOption,
    SeedOption,
    ThreadsOption,
    grouping,
)

_OUT = Path("overread-out/evaluation")


def evaluate(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of runs or of predictions, or tables of scores or 0/1 decisions. "
            "Default: all under overread-out/runs."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="Folder of an extraction, or a table of labels. Default: what the runs were "
            "trained with."
        ),
    ] = None,
    by: ByOption = None,
    split: Annotated[
        str,
        typer.Option(help="train, validation, test; all: of a store that no run learnt from."),
    ] = "test",
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")] = _OUT,
    format: FormatsOption = None,
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    workers: ThreadsOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Evaluate models against machine and expert labels and write the report."""
    from overread.evaluate.run import write_evaluation

    formats = list(dict.fromkeys(format or [ReportFormat.html]))
    write_evaluation(
        runs or (),
        truth,
        out,
        by=[grouping(one) for one in by or ()],
        split=split,
        formats=[one.value for one in formats],
        replicates=resamples,
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        console=Console(),
    )
