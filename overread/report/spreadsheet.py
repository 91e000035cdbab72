"""Text cells that a spreadsheet cannot take for formulas (OWASP ASVS 1.2.10)."""

from __future__ import annotations

import re

import polars as pl

#: Columns whose text must stay as it is, byte for byte.
_IDS = ("id", "patient_id")
# Control characters in front are skipped by some programs, full-width signs read as plain ones.
_RISKY = r"^[=+\-@\t\r\n\x00\x0b\x0c＝＋－＠]"
#: Control characters that no spreadsheet takes (FAULTS E03); tab and line ends stay.
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


def neutral(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before text cells that open like a formula; ids stay.

    Control characters become spaces, so that offsets into a cell stay true.

    >>> neutral(pl.DataFrame({"id": ["=1"], "text": ["=1+1"]})).row(0)
    ('=1', "'=1+1")
    """
    texts = _texts(frame)
    return frame.with_columns(
        pl.when(pl.col(name).str.contains(_RISKY))
        .then(pl.lit("'") + pl.col(name))
        .otherwise(pl.col(name))
        .str.replace_all(_CONTROL, " ")
        .alias(name)
        for name in texts
    )


def control_characters(frame: pl.DataFrame) -> int:
    """In how many text cells `neutral` replaces control characters.

    >>> control_characters(pl.DataFrame({"text": ["a\\x07b", "c"]}))
    1
    """
    return sum(int(frame[name].str.contains(_CONTROL).sum()) for name in _texts(frame))


def _texts(frame: pl.DataFrame) -> list[str]:
    return [n for n, kind in frame.schema.items() if kind == pl.String and n not in _IDS]


def neutral_text(text: str) -> str:
    """One cell in the way of `neutral`.

    >>> neutral_text("=1+1")
    "'=1+1"
    """
    return re.sub(_CONTROL, " ", f"'{text}" if re.match(_RISKY, text) else text)
