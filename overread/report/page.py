"""A document as one HTML file: no script, nothing loaded from anywhere, made to be printed too."""

from __future__ import annotations

import re

from overread.report.document import Document
from overread.report.figure import Figure
from overread.report.html import templates


def to_html(document: Document) -> str:
    """The whole page. Its content policy lets no browser run or load anything."""
    from markupsafe import Markup

    return (
        templates()
        .get_template("page.html")
        .render(
            document=document,
            drawings={f.name: Markup(_inline(f)) for f in document.figures},
        )
    )


def _inline(figure: Figure) -> str:
    """The SVG as HTML takes it: without name spaces, hidden behind the figure's own words."""
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", figure.svg()).replace("xlink:href", "href")
