r"""Tables and documents as LaTeX (booktabs), for any engine from pdflatex on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from overread.report.cells import MINUS, plain, shown
from overread.report.document import Document, Section
from overread.report.figure import Figure
from overread.report.table import Column, Table

_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "-": r"{-}",  # "--" would become one dash
    "[": "{[}",  # behind a line's end it would be an argument
    MINUS: "$-$",
    "\N{NO-BREAK SPACE}": "~",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{GREEK SMALL LETTER KAPPA}": r"$\kappa$",
    "\N{MICRO SIGN}": r"$\mu$",
    "\N{GREEK SMALL LETTER MU}": r"$\mu$",
}
#: A page holds about so many rows; a longer table must be allowed to break.
_PAGE_ROWS: Final = 40
_MANY_COLUMNS: Final = 9
#: A column of longer texts is set in lines of a fixed width.
_LONG_TEXT: Final = 40

_PREAMBLE: Final = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,textcomp,booktabs,longtable,graphicx,float}
\usepackage[margin=25mm]{geometry}
\floatplacement{table}{H}
\floatplacement{figure}{H}
"""


def table_to_latex(table: Table) -> str:
    r"""The table with caption, label ``tab:NAME`` and notes; needs booktabs, graphicx, longtable.

    A table wider than the text is shrunk to fit it, one longer than a page is a longtable. Best
    cells are bold, second best underlined.

    >>> print(table_to_latex(Table("t", "R&D", (Column("n", "N", "count"),), ((1234,),))))
    \begin{table}
    \centering
    \caption{R\&D}
    \label{tab:t}
    \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
    \begin{tabular}{r}
    \toprule
    N \\
    \midrule
    1,234 \\
    \bottomrule
    \end{tabular}}
    \end{table}
    """
    columns = "".join(_alignment(table, number) for number in range(len(table.columns)))
    head = _line(_heads(table))
    rows = [_line(_cells(table, number)) for number in range(len(table.rows))]
    notes = [rf"\par\smallskip\footnotesize {escaped(note)}" for note in table.notes]
    caption, label = rf"\caption{{{escaped(table.title)}}}", rf"\label{{tab:{table.name}}}"
    if len(rows) > _PAGE_ROWS:
        lines = [
            rf"{{\small\begin{{longtable}}{{{columns}}}",
            rf"{caption}{label}\\",
            r"\toprule", head, r"\midrule", r"\endfirsthead",
            r"\toprule", head, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endlastfoot",
            *rows,
            r"\end{longtable}",
            *notes,
            r"\par}",
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}",
            r"\centering",
            caption,
            label,
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule", head, r"\midrule", *rows, r"\bottomrule",
            r"\end{tabular}}",
            *notes,
            r"\end{table}",
        ]  # fmt: skip
    return "\n".join(lines)


def to_latex(document: Document) -> str:
    """The whole document, ready for pdflatex; a figure is ``NAME.pdf`` beside it."""
    blocks = [
        _PREAMBLE + rf"\title{{{escaped(document.title)}}}" + "\n\\author{}\n\\date{}",
        r"\begin{document}" + "\n" + r"\maketitle",
    ]
    if document.facts:
        facts = [rf"\item[{{{escaped(name)}}}] {escaped(value)}" for name, value in document.facts]
        blocks.append("\n".join([r"\begin{description}", *facts, r"\end{description}"]))
    for section in document.sections:
        blocks += _blocks(section)
    if document.footer:
        blocks.append(rf"\bigskip\noindent\footnotesize {escaped(document.footer)}")
    blocks.append(r"\end{document}")
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is; a sign that pdflatex has no glyph for is named.

    >>> print(escaped("P&L_50%"))
    P\&L\_50\%
    """
    return "".join(_ESCAPES.get(letter) or _printable(letter) for letter in plain(text))


def _printable(letter: str) -> str:
    return letter if ord(letter) < 256 else f"{{[}}U+{ord(letter):04X}]"


def _blocks(section: Section) -> Iterator[str]:
    command = "section" if section.level == 2 else "subsection"
    yield rf"\{command}*{{{escaped(section.heading)}}}"
    yield from map(escaped, section.text)
    for item in section.items:
        yield _figure(item) if isinstance(item, Figure) else table_to_latex(item)


def _figure(figure: Figure) -> str:
    caption = f"{escaped(figure.title)}. {escaped(figure.caption)}".strip()
    return "\n".join(
        (
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{figure.name}.pdf}}",
            rf"\caption{{{caption}}}",
            rf"\label{{fig:{figure.name}}}",
            r"\end{figure}",
        )
    )


def _alignment(table: Table, number: int) -> str:
    column: Column = table.columns[number]
    if not column.is_text:
        return "r"
    longest = max((len(shown(column, row[number])) for row in table.rows), default=0)
    return "l" if longest <= _LONG_TEXT else r"p{0.45\linewidth}"


def _heads(table: Table) -> Iterator[str]:
    """The headings, upright where the columns are many and narrow."""
    for column in table.columns:
        text = escaped(column.title)
        is_upright = len(table.columns) > _MANY_COLUMNS and not column.is_text
        yield rf"\rotatebox{{90}}{{{text}~}}" if is_upright else text


def _cells(table: Table, number: int) -> Iterator[str]:
    for column, cell in zip(table.columns, table.rows[number], strict=True):
        text = escaped(shown(column, cell))
        if (number, column.key) in table.best:
            text = rf"\textbf{{{text}}}"
        elif (number, column.key) in table.second:
            text = rf"\underline{{{text}}}"
        yield text


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
