"""One error family. A message names the value, the place, what was expected and the next step.

Report text never goes into a message: cite the row number, the column or the record id instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text file something stands (1-based line and column).

    >>> str(Place("vocab/axis.yaml", 12, 5))
    'vocab/axis.yaml:12:5'
    """

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class OverreadError(Exception):
    """Base of every error a user can mend. ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 1


class UsageError(OverreadError):
    """A command or call that contradicts itself or names something that does not exist."""

    exit_code = 2


class TableError(OverreadError):
    """A report table that cannot be read without losing or changing something.

    ``option`` is a further next step, for commands that have the option it names; ``plain`` is the
    message without it.

    >>> str(TableError("row 3 is too long. Next step: mend it.", option="give --quarantine"))
    'row 3 is too long. Next step: mend it, or give --quarantine.'
    """

    def __init__(self, message: str, *, option: str = "") -> None:
        self.plain = message
        super().__init__(f"{message.removesuffix('.')}, or {option}." if option else message)


class BadRecord(OverreadError):
    """One record (XML, WFDB header) that cannot be read; the run may go on without it."""


class OutputExists(OverreadError):
    """An output stands in the way and ``--overwrite`` was not given."""


class Busy(OverreadError):
    """Another run holds the output folder; trying again later may succeed."""

    exit_code = 75


class VocabularyError(OverreadError):
    """Every problem of a vocabulary at once, each with file:line:column.

    >>> print(VocabularyError([(Place("axis.yaml", 3, 7), "unknown key 'phrase'")]))
    1 problem in the vocabulary
      axis.yaml:3:7: unknown key 'phrase'
    """

    def __init__(self, problems: list[tuple[Place, str]]) -> None:
        self.problems = problems
        noun = "problem" if len(problems) == 1 else "problems"
        lines = [f"{len(problems)} {noun} in the vocabulary"]
        lines += [f"  {place}: {message}" for place, message in problems]
        super().__init__("\n".join(lines))
