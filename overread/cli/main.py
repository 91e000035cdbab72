"""The ``overread`` command: groups of commands, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import click
import typer

from overread.cli import labels, vocab
from overread.errors import OverreadError

_DEBUG = "OVERREAD_DEBUG"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Labels from machine and expert ECG readings, and what lies between the two.",
)
app.add_typer(labels.app, name="labels")
app.add_typer(vocab.app, name="vocab")


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
        os.environ[_DEBUG] = "1"


@app.command()
def demo() -> None:
    """Make a small file of paired reports, label it and show the result."""
    from overread.cli.demo import run

    run()


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 data error, 2 usage, 3 done with rows left out,
    75 busy, 130 interrupted."""
    try:
        app(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        typer.echo("stopped; nothing was changed", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OverreadError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        # The text of a library's error may quote a report: only its kind is told.
        _tell(
            f"an unexpected {type(error).__name__} stopped overread. Next step: run the command "
            "again with 'overread --debug ...' and report the lines it prints."
        )
        sys.exit(1)


def _tell(message: str) -> None:
    if os.environ.get(_DEBUG):
        import traceback

        kind, _, trace = sys.exc_info()
        lines = traceback.format_tb(trace)
        typer.echo("".join(lines) + (kind.__name__ if kind else ""), err=True)
    typer.echo(f"overread: {message}", err=True)


if __name__ == "__main__":
    main()
