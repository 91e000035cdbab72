"""What a report is made of, before it is written as a page, a paper or files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from overread.errors import UsageError
from overread.report.figure import Figure
from overread.report.table import Table

#: Names become names of files and anchors in pages.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, paragraphs of plain text, then tables and figures in order.

    ``level`` is 2 for a section, 3 for a part of one.
    """

    heading: str
    text: tuple[str, ...] = ()
    items: tuple[Table | Figure, ...] = ()
    level: int = 2


@dataclass(frozen=True, slots=True)
class Document:
    """A report: title, facts in one or two words each (name, value), sections, a closing line.

    Raises ``UsageError`` where a name of the document, a table or a figure is no plain file name
    or two are the same.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    footer: str = ""
    name: str = "report"

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in (self.name, *(item.name for item in self.items)):
            if not _NAME.fullmatch(name) or name in seen:
                raise UsageError(
                    f"{name!r} is used twice or is no plain name. Next step: name tables and "
                    "figures in small letters, digits, _ and -, each once."
                )
            seen.add(name)

    @property
    def items(self) -> Iterator[Table | Figure]:
        """All tables and figures in order."""
        return (item for section in self.sections for item in section.items)

    @property
    def tables(self) -> Iterator[Table]:
        """All tables in order."""
        return (item for item in self.items if isinstance(item, Table))

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures in order."""
        return (item for item in self.items if isinstance(item, Figure))
