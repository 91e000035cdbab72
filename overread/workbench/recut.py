"""Where another vocabulary might cut reports into other statements.

Which line ends are wraps follows from the words of the phrases: "branch" hardly ever starts one, so
a line that starts with it goes on from the line before. An extraction keeps statements and not what
stood between them; so these readings are counted, and only a new extraction tells.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np

from overread.labels.split import marked
from overread.tables import SOURCES, TEXT
from overread.text.labeler import Labeler
from overread.vocab.model import Vocabulary
from overread.workbench.extraction import Extraction, Ints

_LINE = "qqq"  # a line that no rule knows


def cut_otherwise(extraction: Extraction, before: Vocabulary, after: Vocabulary) -> Ints:
    """Numbers of the readings that the two vocabularies may cut otherwise; more than truly do."""
    if before.context.segments != after.context.segments:
        return extraction.readings_with_statements
    rewrites = [Labeler(each).rewrites for each in (before, after)]
    if rewrites[0] == rewrites[1]:
        return np.empty(0, np.int64)
    alike = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*rewrites, strict=False))))
    texts = extraction.statements[TEXT]
    distinct = texts.unique()
    lines = marked(f"{_LINE}\n" + distinct + f"\n{_LINE}", rewrites[0][:alike])
    cut = [marked(lines, each[alike:]) for each in rewrites]
    return extraction.readings_of(
        texts.is_in(distinct.filter(cut[0] != cut[1]).implode()).arg_true()
    )


def per_source(readings: Ints) -> dict[str, int]:
    """How many of some readings each source has.

    >>> per_source(np.array([0, 1, 3]))
    {'machine': 1, 'expert': 2}
    """
    counts = np.bincount(readings % len(SOURCES), minlength=len(SOURCES))
    return {source: int(n) for source, n in zip(SOURCES, counts, strict=True)}
