"""Labelling the distinct statements of a corpus, in worker processes where that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from overread.engine import Engine, map_chunks
from overread.labels.matrix import Layout, StatementMatrix
from overread.tables import (
    ASSERTION,
    CUE,
    END,
    LABEL,
    PHRASE_ID,
    SCORE,
    START,
    STATEMENT,
    VOCAB_FILE,
    VOCAB_LINE,
)  # fmt: skip
from overread.text.labeler import Finding, Labeler, Note
from overread.text.scope import Assertion
from overread.text.segments import ASSERTING, SEGMENTS
from overread.vocab.model import Vocabulary

EVIDENCE_SCHEMA: dict[str, Any] = {
    STATEMENT: pl.UInt32, LABEL: pl.String, ASSERTION: pl.String, START: pl.UInt32, END: pl.UInt32,
    PHRASE_ID: pl.String, VOCAB_FILE: pl.String, VOCAB_LINE: pl.UInt32, CUE: pl.String,
    SCORE: pl.UInt8,
}  # fmt: skip

_SHARE = 4_000  # statements per task
_ALONE = 12_000  # below this a second process costs more than it brings

# What crosses from a worker: position of the phrase in the vocabulary instead of the phrase.
_Told = tuple[int, Assertion, int, int, str | None, int]
_Answer = tuple[list[_Told], Note, bool]


def label_statements(
    texts: Sequence[str],
    segments: Sequence[int],
    labeler: Labeler,
    *,
    workers: int | None = None,
    engine: Engine = "processes",
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[StatementMatrix, pl.DataFrame]:
    """The matrix of ranks and the evidence table of all distinct statements.

    ``segments`` are codes into ``SEGMENTS``; statements of a segment that asserts nothing get no
    findings. ``progress`` is told how many statements are done. The result does not depend on
    ``workers`` (default: one per processor) and ``engine``.
    """
    vocabulary = labeler.vocabulary
    matrix = StatementMatrix.empty(Layout.of(vocabulary), len(texts))
    ids = [ref.id for ref in vocabulary.phrases]
    columns: dict[str, list[Any]] = {name: [] for name in EVIDENCE_SCHEMA}
    asserting = [name in ASSERTING for name in SEGMENTS]
    done = 0
    for answers in _answers(texts, [asserting[s] for s in segments], labeler, workers, engine):
        for statement, (told, note, unconfirmed) in enumerate(answers, start=done):
            matrix.no_reading[statement] = note == "no_reading"
            matrix.unmatched[statement] = note == "unmatched"
            matrix.unconfirmed[statement] = unconfirmed
            findings = [Finding(vocabulary.phrases[each[0]], *each[1:]) for each in told]
            matrix.put(statement, findings)
            for (number, assertion, start, end, cue, score), finding in zip(
                told, findings, strict=True
            ):
                place = finding.phrase.place
                for label in labeler.labels_of(finding):
                    row = (
                        statement, label, assertion, start, end, ids[number],
                        place.file, place.line, cue, score,
                    )  # fmt: skip
                    for name, value in zip(EVIDENCE_SCHEMA, row, strict=True):
                        columns[name].append(value)
        done += len(answers)
        progress(done)
    return matrix, pl.DataFrame(columns, schema=EVIDENCE_SCHEMA)


def _answers(
    texts: Sequence[str],
    asserting: Sequence[bool],
    labeler: Labeler,
    workers: int | None,
    engine: Engine,
) -> Iterator[list[_Answer]]:
    pairs = list(zip(texts, asserting, strict=True))
    shares = [pairs[first : first + _SHARE] for first in range(0, len(pairs), _SHARE)]
    if engine == "processes" and len(texts) < _ALONE:
        workers = 1
    reader = _Reader(labeler.vocabulary, labeler if workers == 1 else None)
    return map_chunks(reader, shares, workers=workers, engine=engine)


class _Reader:
    """Answers for shares of statements; what it needs is built where it works."""

    def __init__(self, vocabulary: Vocabulary, labeler: Labeler | None) -> None:
        self._vocabulary = vocabulary
        self._labeler = labeler
        self._position: dict[int, int] = {}

    def __call__(self, share: list[tuple[str, bool]]) -> list[_Answer]:
        labeler = self._labeler = self._labeler or Labeler(self._vocabulary)
        if not self._position:
            self._position = {id(ref): i for i, ref in enumerate(labeler.vocabulary.phrases)}
        return [_tell(labeler, self._position, text, asserting) for text, asserting in share]


def _tell(labeler: Labeler, position: dict[int, int], text: str, asserting: bool) -> _Answer:
    unconfirmed = labeler.statement_unconfirmed(text)
    if not asserting:
        return [], "matched", unconfirmed
    findings, note = labeler.statement(text)
    told = [(position[id(f.phrase)], f.assertion, *f[2:]) for f in findings]
    return told, note, unconfirmed
