"""``overread signals``: import, info, verify, synth, draw."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from overread.cli.engine import Engine, EngineOption, WorkersOption

app = typer.Typer(no_args_is_help=True, help="ECG signals: import into a store, look, draw.")

_OUT = Path("overread-out/store")
_SYNTH = Path("overread-out/synth")


class SignalFormat(StrEnum):
    """What a source of recordings is."""

    wfdb = "wfdb"
    ptbxl = "ptbxl"
    challenge = "challenge"
    mimic = "mimic"
    muse = "muse"


class Resampling(StrEnum):
    """How recordings come to 250 Hz."""

    linear = "linear"
    fir = "fir"


class Repeated(StrEnum):
    """What to do where an id comes twice."""

    error = "error"
    first = "first"


OutOption = Annotated[Path, typer.Option("--out", help="Folder of the store.")]
FormatOption = Annotated[
    SignalFormat | None, typer.Option(help="What SOURCE is, where its content does not tell.")
]
UncalibratedOption = Annotated[
    bool, typer.Option(help="Read leads without a gain at 200 counts per mV.")
]
SymlinksOption = Annotated[bool, typer.Option(help="Follow links out of the folder.")]


@app.command("import")
def import_(
    source: Annotated[
        list[Path],
        typer.Argument(help="Folder of WFDB or GE MUSE records, or one record; repeat it."),
    ],
    out: OutOption = _OUT,
    input_format: FormatOption = None,
    resample: Annotated[
        Resampling, typer.Option(help="How recordings come to 250 Hz; linear as in the paper.")
    ] = Resampling.linear,
    duplicates: Annotated[Repeated, typer.Option(help="Where an id comes twice.")] = Repeated.error,
    max_bad: Annotated[
        float,
        typer.Option(min=0, max=1, help="Stop where a larger share of records cannot be read."),
    ] = 0.01,
    allow_uncalibrated: UncalibratedOption = False,
    follow_symlinks: SymlinksOption = False,
    workers: WorkersOption = None,
    engine: EngineOption = Engine.processes,
    append: Annotated[bool, typer.Option(help="Add to the records of the store.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace the store.")] = False,
) -> None:
    """Filter the recordings of SOURCE and put them into a store of 10 s windows at 250 Hz.

    A run that was stopped goes on where it was when the same command is given again.
    """
    from overread.signals.cohort import DUPLICATE
    from overread.signals.ingest import Given, import_signals
    from overread.sources.open_signals import open_signals

    given = [
        Given(
            open_signals(
                each,
                format=input_format.value if input_format else None,
                allow_uncalibrated=allow_uncalibrated,
                follow_symlinks=follow_symlinks,
            ),
            each,
        )
        for each in source
    ]
    flows = import_signals(
        given,
        out,
        resample=resample.value,
        duplicates=duplicates.value,
        max_bad=max_bad,
        workers=workers,
        engine=engine.value,
        append=append,
        overwrite=overwrite,
        console=Console(),
        reading={"allow_uncalibrated": allow_uncalibrated, "follow_symlinks": follow_symlinks},
    )
    if any(flow.quarantined or DUPLICATE in flow.rejected for flow in flows):
        raise typer.Exit(3)


@app.command()
def info(out: OutOption = _OUT) -> None:
    """Show how the records came to be windows: read, kept out by reason, windows, splits."""
    from overread.report.terminal import TerminalTable
    from overread.signals.cohort import flow_table
    from overread.signals.store import open_store

    Console().print(TerminalTable(flow_table(open_store(out))))


@app.command()
def verify(out: OutOption = _OUT) -> None:
    """Read the whole store and compare every piece with the SHA-256 it was written with."""
    from overread.errors import OverreadError
    from overread.signals.store import open_store

    store = open_store(out)
    if wrong := store.damaged():
        raise OverreadError(
            "\n".join(
                ["The store is damaged.", *wrong, "Next step: import again with --overwrite."]
            )
        )
    Console().print(f"{len(store):,} windows are as they were written", highlight=False)


@app.command()
def synth(
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="How many ECGs.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same corpus.")] = 0,
    enriched: Annotated[
        bool, typer.Option("--enriched", help="Each label in at least 8 % of the ECGs.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the corpus.")] = _SYNTH,
    workers: WorkersOption = None,
    overwrite: Annotated[bool, typer.Option(help="Replace another corpus.")] = False,
) -> None:
    """Make a synthetic corpus: paired reports, their truth, and a store of signals.

    A program invents all of it; no patient stands behind it.
    """
    from overread.signals.synth import write_corpus

    written = write_corpus(
        out,
        n,
        seed=seed,
        prevalence="enriched" if enriched else "table",
        workers=workers or os.cpu_count() or 1,
        overwrite=overwrite,
    )
    Console().print(
        f"written to {out}\nNext: overread labels extract {out}/reports.csv"
        if written
        else f"up to date: {out}",
        highlight=False,
    )


@app.command()
def draw(
    record: Annotated[Path, typer.Argument(help="A WFDB record or a GE MUSE file.")],
    picture: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: .svg, .png or .pdf.")
    ] = Path("ecg.svg"),
    title: Annotated[str | None, typer.Option(help="A line above the ECG.")] = None,
    allow_uncalibrated: UncalibratedOption = False,
    overwrite: Annotated[bool, typer.Option(help="Replace the picture.")] = False,
) -> None:
    """Draw one ECG on paper, 25 mm/s and 10 mm/mV, true to size."""
    from overread.errors import BadRecord, UsageError
    from overread.signals.draw import draw as draw_ecg
    from overread.sources.open_signals import open_signals

    source = open_signals(record, allow_uncalibrated=allow_uncalibrated)
    name = record.absolute().name
    if len(source.keys()) != 1:
        raise UsageError(
            f"{name} holds {len(source.keys())} records, and one is drawn. "
            "Next step: give the .hea or .xml file of one."
        )
    try:
        recording = source.signal(source.keys()[0])
    except BadRecord as fault:
        raise BadRecord(f"{name} {fault}. Next step: export it again, or draw another.") from None
    draw_ecg(recording, picture, title=title, overwrite=overwrite)
    Console().print(f"written: {picture}", highlight=False)
