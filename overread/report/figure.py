"""A figure as a value: its words for people who see it and who do not, and its drawing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

#: DejaVu Sans comes with matplotlib, so that layout and bytes are the same on every machine.
_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.parse_math": False,  # "$" in a label is a dollar sign (FAULTS E05)
    "svg.fonttype": "none",  # text stays text: searched, copied, read aloud
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "axes.formatter.use_locale": False,
}
# Readers' own fonts are narrower than the DejaVu Sans that was measured, so nothing overflows.
_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: ``name`` in files, ``title`` and ``caption`` below it, ``alt`` for who cannot see.

    The title has no full stop, the caption has. ``draw`` makes the matplotlib drawing; it is called
    for each format.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[], Drawing] = field(repr=False, compare=False)

    def svg(self) -> str:
        """The drawing as one SVG element with text as text, without any metadata."""
        text = self._saved("svg", Date=None, Creator=None, Format=None, Type=None).decode()
        text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
        # Ids of groups mean nothing and would stand twice in a page with two figures.
        text = re.sub(r"<g id=\"[^\"]*\"", "<g", text)
        return text.replace("'DejaVu Sans'", _FONTS)

    def png(self, dpi: int = 200) -> bytes:
        """The drawing as pixels, ``dpi`` to the inch."""
        return self._saved("png", dpi=dpi, Software=None)

    def pdf(self) -> bytes:
        """The drawing as a PDF page, fonts embedded."""
        return self._saved("pdf", Creator=None, Producer=None, CreationDate=None)

    def _saved(self, format: str, *, dpi: int = 72, **metadata: None) -> bytes:
        import matplotlib

        with matplotlib.rc_context(), BytesIO() as file:
            matplotlib.rcdefaults()  # no matplotlibrc of the reader's has a say
            # The salt makes ids the same in every run, and different between a page's figures.
            matplotlib.rcParams.update(_STYLE | {"svg.hashsalt": self.name})
            self.draw().savefig(file, format=format, dpi=dpi, metadata=metadata)
            return file.getvalue()
