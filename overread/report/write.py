"""A document as files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from overread.files import atomic_write
from overread.report.delimited import table_to_csv
from overread.report.document import Document
from overread.report.interchange import to_json
from overread.report.latex import to_latex
from overread.report.markdown import to_markdown
from overread.report.page import to_html

Format = Literal["html", "md", "latex", "json", "csv"]


def files(document: Document, format: Format) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that a format takes.

    ``html`` and ``json``: one file; ``csv``: one per table; ``md`` and ``latex``: one, and
    its figures as ``NAME.svg`` and ``NAME.pdf``.

    >>> [name for name, _ in files(Document("T", name="summary"), "html")]
    ['summary.html']
    """
    if format == "csv":
        for table in document.tables:
            yield f"{table.name}.csv", _bytes(table_to_csv(table))
        return
    suffix, written = _WRITTEN[format]
    yield f"{document.name}.{suffix}", _bytes(written(document))
    for figure in document.figures:
        if format == "md":
            yield f"{figure.name}.svg", _bytes(figure.svg())
        elif format == "latex":
            yield f"{figure.name}.pdf", figure.pdf()


def write(document: Document, folder: Path, *formats: Format, overwrite: bool = False) -> None:
    """Write the files of each format into the folder, each whole or not at all.

    Raises ``OutputExists`` where one stands already and ``overwrite`` is not given.
    """
    for format in formats:
        for name, content in files(document, format):
            atomic_write(folder / name, content, overwrite=overwrite)


_WRITTEN: Final[Mapping[str, tuple[str, Callable[[Document], str]]]] = {
    "html": ("html", to_html),
    "md": ("md", to_markdown),
    "latex": ("tex", to_latex),
    "json": ("json", to_json),
}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
