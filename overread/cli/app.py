"""The ``overread`` command: groups of commands."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from overread.cli import discrepancy, evaluate, labels, query, signals, train, vocab

#: Set by ``--debug``: the place of an error is told too.
DEBUG: Final = "OVERREAD_DEBUG"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Labels from machine and expert ECG readings, and what lies between the two.",
)
app.add_typer(labels.app, name="labels")
app.add_typer(discrepancy.app, name="discrepancy")
app.add_typer(signals.app, name="signals")
app.add_typer(vocab.app, name="vocab")
app.add_typer(train.config_app, name="config")
app.command("train")(train.train)
app.command("predict")(train.predict)
app.command("export")(train.export)
app.command("evaluate")(evaluate.evaluate)
app.command("query")(query.query)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"overread {version('overread')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks. They never show report text or locals."),
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


@app.command()
def demo() -> None:
    """Go the whole way on invented ECGs: labels, disagreement, a small model, its evaluation."""
    from overread.cli.demo import run

    run()
