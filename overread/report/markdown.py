"""Tables and documents as Markdown (CommonMark with GitHub's tables)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from overread.report.cells import plain, shown
from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.table import Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
# What opens a list at the start of a paragraph: "- ", "1. ".
_BULLET = re.compile(r"^(\d*)([-+=.)])")


def table_to_markdown(table: Table) -> str:
    r"""The table under its title, with its notes; best cells bold, second best in italics.

    >>> from overread.report.table import Column
    >>> print(table_to_markdown(Table("t", "Counts", (Column("n", "N", "count"),), ((1234,),))))
    **Counts**
    <BLANKLINE>
    | N |
    | ---: |
    | 1,234 |
    """
    lines = [f"**{_escaped(table.title)}**", ""]
    lines.append(_line(_escaped(column.title) for column in table.columns))
    lines.append(_line(":---" if column.is_text else "---:" for column in table.columns))
    lines += (_line(_cells(table, number)) for number in range(len(table.rows)))
    for note in table.notes:
        lines += ["", _paragraph(note)]
    return "\n".join(lines)


def to_markdown(document: Document) -> str:
    """The whole document; a figure is a link to ``NAME.svg`` beside it."""
    blocks = [f"# {_escaped(document.title)}"]
    if document.facts:
        facts = (f"- {_escaped(name)}: {_escaped(value)}" for name, value in document.facts)
        blocks.append("\n".join(facts))
    for section in document.sections:
        blocks += _blocks(section)
    if document.footer:
        blocks += ["---", _paragraph(document.footer)]
    return "\n\n".join(blocks) + "\n"


def _blocks(section: Section) -> Iterator[str]:
    yield f"{'#' * section.level} {_escaped(section.heading)}"
    yield from map(_paragraph, section.text)
    for item in section.items:
        if isinstance(item, Figure):
            yield f"![{_escaped(item.alt)}]({item.name}.svg)"
            yield f"**{_escaped(item.title)}.** {_escaped(item.caption)}".strip()
        else:
            yield table_to_markdown(item)


def _cells(table: Table, number: int) -> Iterator[str]:
    for column, cell in zip(table.columns, table.rows[number], strict=True):
        text = _escaped(shown(column, cell))
        if (number, column.key) in table.best:
            text = f"**{text}**"
        elif (number, column.key) in table.second:
            text = f"*{text}*"
        yield text


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _paragraph(text: str) -> str:
    return _BULLET.sub(r"\1\\\2", _escaped(text).strip())


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", plain(text))
