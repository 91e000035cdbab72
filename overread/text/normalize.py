"""Folding of words and cutting of text into tokens. Every offset stays that of the original."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

#: A line break inside a statement: a phrase may run over it, the reach of a cue may not.
LINE_BREAK = "\n"

#: As dates abbreviate them, in English, German and Swedish.
MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    "mai", "maj", "okt", "dez",
)  # fmt: skip

_LETTERS = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "å": "aa",
        "æ": "ae",
        "ø": "oe",
        "’": None,
        "'": None,
    }
)

# Only constant, linear patterns of our own run on report text here; patterns that a user writes
# run in RE2 (FAULTS V09). Alternatives in order: dotted abbreviation (R.B.B.B., V.a.), clipped pair
# (w/o, s/p), word (letters and digits together, so that V1 and 1st stay whole; an apostrophe or a
# lost letter may stand inside), line break, one mark.
_TOKEN = re.compile(
    r"(?:[^\W\d_]\.){2,}(?:[^\W\d_](?!\w))?|[^\W\d_]\.[^\W\d_](?![\w.])"
    r"|(?:w/o|w/|n/a|[ehrscy]/[opw])(?![^\W_])"
    r"|[#\ufffd]?[^\W_]+(?:['’#\ufffd][^\W_]+)*"
    r"|\n[^\S\n]*"
    r"|[^\s_]",
    re.IGNORECASE,
)


class Token(NamedTuple):
    """A word or mark and where it stands: ``text[start:end]`` of the statement."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words and marks of a text, in order.

    >>> [token.text for token in tokens("R.B.B.B. w/ LAD, V1-V3")]
    ['R.B.B.B.', 'w/', 'LAD', ',', 'V1', '-', 'V3']
    """
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def fold(word: str) -> str:
    """The form in which words are compared: lower case, no accents, umlauts as two letters.

    >>> fold("mÖglich"), fold("R.B.B.B."), fold("Überdreht"), fold("fråga"), fold("isn't")
    ('moeglich', 'rbbb', 'ueberdreht', 'fraaga', 'isnt')
    """
    lowered = word.lower()
    if lowered.isascii():
        return lowered.replace("'", "").replace(".", "") if not lowered.isalnum() else lowered
    lowered = unicodedata.normalize("NFKC", lowered).translate(_LETTERS).replace(".", "")
    return "".join(
        c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c)
    )
