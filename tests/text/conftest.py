"""Sentences and words that reports are made of."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st


@pytest.fixture(scope="session")
def report_words(sentences: list[str]) -> st.SearchStrategy[str]:
    """Words and marks of real sentences, openings of segments and separators, in any order."""
    words = sorted({word for text in sentences for word in text.split()})
    marks = [
        ",", ".", ";", ":", "\n", "\r\n", "\t", "   ", "***", "(", ")", "[", "]", "/", "-", "?",
        "|", "\u00a0", "\u2028", "Confirmed by", "Edit:", "Indication:", "14-FEB-2011", "m#glich",
        "When compared with ECG of", "unbestÄtigter bericht", "😀", "\v", "\x1d", "\x1e",
    ]  # fmt: skip
    pieces = st.sampled_from(words) | st.sampled_from(marks)
    glue = st.sampled_from((" ", " ", " ", "", "\n", ", ", "  "))
    pairs = st.lists(st.tuples(pieces, glue), max_size=30)
    return pairs.map(lambda chosen: "".join(piece + mark for piece, mark in chosen))
