"""How the command line starts and ends: exit codes, and how errors reach the user."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from typing import Final, NoReturn

from overread.errors import OverreadError, UsageError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 data error, 2 usage, 3 done with rows left out,
    75 busy, 130 interrupted, 143 terminated."""
    try:
        signal.signal(signal.SIGTERM, _terminated)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal or pipe that knows fewer letters shows the others as \xe5.
                stream.reconfigure(errors="backslashreplace")
        _run()
    except KeyboardInterrupt:
        _stopped(130)
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OverreadError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except SystemExit:
        raise
    except BaseException as error:  # a panic in polars is no Exception
        if code := stopped_by(error):
            sys.exit(code)
        if isinstance(error, OSError) and error.errno in _FULL:  # tables tell theirs themselves
            _tell(
                "what it prints, or a temporary file, cannot be written: no space left on device. "
                "Tables are the old ones or all new. Next step: make room and run it again."
            )
            sys.exit(1)
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            _tell("a path is longer than the system allows. Next step: check the names given.")
            sys.exit(UsageError.exit_code)
        # The text of a library's error may quote a report: only its kind is told.
        _tell(
            f"an unexpected {type(error).__name__} stopped overread. Next step: run the command "
            "again with 'overread --debug ...' and report the lines it prints."
        )
        sys.exit(1)


def _run() -> None:
    # Imported here: a Ctrl-C while packages load is answered like any other.
    import typer

    from overread.cli.app import app

    code: object
    try:
        code = app(standalone_mode=False)  # an exit code, where a command left with one
    except typer.Exit as stop:
        code = stop.exit_code
    except typer.Abort:
        code = 130
    except Exception as error:
        # A wrong command line. Some versions of typer bring a click of their own, so that the
        # error is known by what it can do.
        if not (hasattr(error, "show") and hasattr(error, "exit_code")):
            raise
        error.show()
        code = error.exit_code
    if code == 130:
        _stopped(130)
    sys.exit(code if isinstance(code, int) else 0)


def stopped_by(error: BaseException) -> int:
    """The exit code of the signal behind an error, 0 where none is.

    Where a class is made Python 3.11 turns whatever is raised, an interrupt too, into RuntimeError.

    >>> stopped = RuntimeError("Error calling __set_name__")
    >>> stopped.__cause__ = SystemExit(143)
    >>> stopped_by(stopped), stopped_by(ValueError())
    (143, 0)
    """
    behind = error.__cause__ or error.__context__
    if isinstance(behind, KeyboardInterrupt):
        return 130
    if isinstance(behind, SystemExit):
        return 143 if behind.code == 143 else 0
    return stopped_by(behind) if behind else 0


def _terminated(*_: object) -> NoReturn:
    _stopped(143)


def _stopped(code: int) -> NoReturn:
    print("overread: stopped; tables are the old ones or all new", file=sys.stderr)
    sys.exit(code)


def _tell(message: str) -> None:
    from overread.cli.app import DEBUG

    if os.environ.get(DEBUG):
        import traceback

        kind, _, trace = sys.exc_info()
        lines = traceback.format_tb(trace)
        print("".join(lines) + (kind.__name__ if kind else ""), file=sys.stderr)
    print(f"overread: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
