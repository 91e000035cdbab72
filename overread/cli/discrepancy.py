"""``overread discrepancy``: report, cases."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from overread.cli.labels import Policy

app = typer.Typer(no_args_is_help=True, help="Where machine and expert disagree.")

_LABELS = Path("overread-out/labels")
_OUT = Path("overread-out/discrepancy")


class ReportFormat(StrEnum):
    """How the report is written."""

    html = "html"
    markdown = "md"
    latex = "latex"
    csv = "csv"
    json = "json"


SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="Folder of an extraction, or a table with machine_X and expert_X columns of 1, 0, -1."
    ),
]
ExpertArgument = Annotated[
    Path | None,
    typer.Argument(help="The expert's table, where the first is the machine's alone."),
]
ByOption = Annotated[
    list[str] | None,
    typer.Option(help="Column to group by (site, age); age:40,60,80 sets bands. Repeat it."),
]
FormatsOption = Annotated[
    list[ReportFormat] | None, typer.Option(help="Repeat it for several. Default: html.")
]
ResamplesOption = Annotated[int, typer.Option(min=100, help="Resamples of patients.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same intervals.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Threads. Default: one per processor.")
]
OverwriteOption = Annotated[bool, typer.Option(help="Replace a report of other options.")]


@app.command()
def report(
    source: SourceArgument = _LABELS,
    expert: ExpertArgument = None,
    by: ByOption = None,
    over: Annotated[str | None, typer.Option(help="Date or year column for a trend.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")] = _OUT,
    format: FormatsOption = None,
    with_text: Annotated[
        bool, typer.Option("--with-text", help="Also show statements in fewer than 11 ECGs.")
    ] = False,
    release: Annotated[
        bool,
        typer.Option("--release", help="For sharing: no count of 1 to 10 stands in it or follows."),
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a release that others hold already; repeat it."),
    ] = None,
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    workers: ThreadsOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Compare machine and expert labels and write the report."""
    from overread.discrepancy.run import write_report
    from overread.errors import UsageError

    if release and with_text:
        raise UsageError("--release shows no statements. Next step: leave out --with-text.")
    if against and not release:
        raise UsageError("--against belongs to --release. Next step: give both or neither.")
    formats = list(dict.fromkeys(format or [ReportFormat.html]))
    write_report(
        source,
        expert,
        out,
        by=[grouping(one) for one in by or ()],
        over=over,
        formats=[one.value for one in formats],
        with_text=with_text,
        release=release,
        against=against or (),
        replicates=resamples,
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        console=Console(),
    )


@app.command()
def cases(
    source: SourceArgument = _LABELS,
    expert: ExpertArgument = None,
    label: Annotated[str | None, typer.Option(help="The label.")] = None,
    change: Annotated[
        str,
        typer.Option(
            help="What became of it: added, removed, both, neither, disagreement, machine, "
            "over_read; hedges: made_definite, hedged, kept, hedge_dropped, hedge_added; "
            "statements: deleted, added, reworded."
        ),
    ] = "disagreement",
    also: Annotated[
        list[str] | None,
        typer.Option(help="A further LABEL:CHANGE that holds in the same ECG; repeat it."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only one group: COLUMN=GROUP, as in the report.")
    ] = None,
    uncertain: Annotated[
        Policy | None, typer.Option(help="Count hedges otherwise than the table does.")
    ] = None,
    statement: Annotated[
        int | None, typer.Option(help="Instead of a label: the number of a statement.")
    ] = None,
    into: Annotated[int | None, typer.Option(help="The number that it was reworded into.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write all of them to this CSV file.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Rows shown on the terminal.")] = 20,
    overwrite: Annotated[bool, typer.Option(help="Replace the CSV file.")] = False,
) -> None:
    """List the ECGs behind a number of the report, with both states and the evidence."""
    from overread.discrepancy.cases_view import cases_view, write_cases
    from overread.discrepancy.run import open_discrepancy
    from overread.errors import UsageError

    if (label is None) == (statement is None):
        raise UsageError("give either --label or --statement. Example: --label lvh --change added")
    if statement is not None and (also or where or uncertain):
        raise UsageError("--also, --where and --uncertain belong to --label. Next step: leave out.")
    if label is not None and into is not None:
        raise UsageError("--into belongs to --statement. Next step: leave it out.")
    console = Console()
    found = open_discrepancy(source, expert)
    if statement is not None:
        rows = found.statement_cases(change, statement, into)
    else:
        assert label is not None
        rows = found.cases(
            label,
            change,
            *(_pair(one, ":", "--also LABEL:CHANGE") for one in also or ()),
            by=[
                (grouping(column), group)
                for column, group in (
                    _pair(one, "=", "--where COLUMN=GROUP") for one in where or ()
                )
            ],
            uncertain=uncertain.value if uncertain else None,
        )
    if csv is not None:
        cleaned = write_cases(rows, csv, overwrite=overwrite)
    console.print(cases_view(rows, most))
    if csv is not None:
        typer.echo(f"written to {csv}")
        if cleaned:
            typer.echo(f"control characters became spaces in {cleaned:,} cells")


def grouping(text: str) -> str | tuple[str, list[float]]:
    """A column, or a column with the lower limits of its bands."""
    from overread.errors import UsageError

    column, mark, limits = text.partition(":")
    if not mark:
        return column
    try:
        return column, [float(limit) for limit in limits.split(",")]
    except ValueError:
        raise UsageError(f"{text!r} is no grouping. Next step: --by age:40,60,80") from None


def _pair(text: str, mark: str, example: str) -> tuple[str, str]:
    from overread.errors import UsageError

    # A label may hold a colon, a change never does.
    left, found, right = text.rpartition(mark) if mark == ":" else text.partition(mark)
    if not (left and found and right):
        raise UsageError(f"{text!r} is not understood. Next step: {example}")
    return left, right
