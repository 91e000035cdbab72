"""Tables and documents as JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.table import Cell, Estimate, Gap, Table


def table_to_json(table: Table) -> str:
    """One table as JSON: name, title, columns, rows by key, gaps, notes.

    A cell without a number is null, and ``gaps`` says why, by row (from 0) and key. An estimate is
    an object with value, low and high.

    >>> from overread.report.table import Column
    >>> one = Table("t", "T", (Column("n", "N", "count"),), ((Gap("<11"),),))
    >>> json.loads(table_to_json(one))["gaps"]
    [{'row': 0, 'key': 'n', 'why': '<11'}]
    """
    return _text(_table(table))


def to_json(document: Document) -> str:
    """The whole document as JSON: title, facts, sections with tables whole and figures in words."""
    return _text(
        {
            "title": document.title,
            "facts": [{"name": name, "value": value} for name, value in document.facts],
            "sections": [_section(section) for section in document.sections],
            "footer": document.footer,
        }
    )


def _section(section: Section) -> dict[str, Any]:
    return {
        "heading": section.heading,
        "level": section.level,
        "text": section.text,
        "tables": [_table(item) for item in section.items if isinstance(item, Table)],
        "figures": [
            {"name": item.name, "title": item.title, "caption": item.caption, "alt": item.alt}
            for item in section.items
            if isinstance(item, Figure)
        ],
    }


def _table(table: Table) -> dict[str, Any]:
    keys = [column.key for column in table.columns]
    return {
        "name": table.name,
        "title": table.title,
        "columns": [
            {"key": column.key, "title": column.title, "kind": column.kind}
            for column in table.columns
        ],
        "rows": [
            {key: _value(cell) for key, cell in zip(keys, row, strict=True)} for row in table.rows
        ],
        "gaps": [
            {"row": number, "key": key, "why": cell.why}
            for number, row in enumerate(table.rows)
            for key, cell in zip(keys, row, strict=True)
            if isinstance(cell, Gap)
        ],
        "notes": table.notes,
    }


def _value(cell: Cell) -> Any:
    if isinstance(cell, Gap):
        return None
    if isinstance(cell, Estimate):
        return {key: limit or 0 for key, limit in cell._asdict().items()}
    return cell if isinstance(cell, str) or cell is None else cell or 0


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
