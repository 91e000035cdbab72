"""Labelling the distinct statements of a corpus, in worker processes where that pays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import Any

import polars as pl

from overread.errors import OverreadError
from overread.labels.interrupt import uninterrupted
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
from overread.text.context import Assertion
from overread.text.labeler import Finding, Labeler, Note
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
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[StatementMatrix, pl.DataFrame]:
    """The matrix of ranks and the evidence table of all distinct statements.

    ``segments`` are codes into ``SEGMENTS``; statements of a segment that asserts nothing get no
    findings. ``progress`` is told how many statements are done. The result does not depend on
    ``workers`` (default: one per processor).
    """
    vocabulary = labeler.vocabulary
    matrix = StatementMatrix.empty(Layout.of(vocabulary), len(texts))
    position = {id(ref): i for i, ref in enumerate(vocabulary.phrases)}
    ids = [ref.id for ref in vocabulary.phrases]
    columns: dict[str, list[Any]] = {name: [] for name in EVIDENCE_SCHEMA}
    asserting = [name in ASSERTING for name in SEGMENTS]
    done = 0
    for first, answers in _answers(
        texts, [asserting[s] for s in segments], labeler, workers, position
    ):
        for statement, (told, note, unconfirmed) in enumerate(answers, start=first):
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
    position: dict[int, int],
) -> Iterator[tuple[int, list[_Answer]]]:
    shares = [
        (
            first,
            list(
                zip(texts[first : first + _SHARE], asserting[first : first + _SHARE], strict=True)
            ),
        )
        for first in range(0, len(texts), _SHARE)
    ]
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(texts) < _ALONE:
        for first, share in shares:
            yield first, [_tell(labeler, position, text, says) for text, says in share]
        return
    # spawn: a fork would copy the threads of polars in the middle of their work.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(labeler.vocabulary,),
    )
    with pool:
        with uninterrupted(), _starting_workers():
            worked = pool.map(_work, [share for _, share in shares])
        try:
            for (first, _), answers in zip(shares, worked, strict=True):
                yield first, answers
        except BrokenProcessPool:
            raise OverreadError(
                "A worker process was ended from outside, often for lack of memory. "
                "Next step: run again with --workers 1."
            ) from None


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Workers started in the block do not run the caller's script and leave Ctrl-C to the caller.

    A new process otherwise imports the script it was started from, and a script without
    ``if __name__ == "__main__"`` would start the whole extraction anew in each.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    before = None
    if hasattr(signal, "pthread_sigmask"):  # what is blocked here stays blocked in the workers
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.modules["__main__"] = script


def _tell(labeler: Labeler, position: dict[int, int], text: str, asserting: bool) -> _Answer:
    unconfirmed = labeler.statement_unconfirmed(text)
    if not asserting:
        return [], "matched", unconfirmed
    findings, note = labeler.statement(text)
    told = [(position[id(f.phrase)], f.assertion, *f[2:]) for f in findings]
    return told, note, unconfirmed


_worker: tuple[Labeler, dict[int, int]] | None = None


def _start(vocabulary: Vocabulary) -> None:
    global _worker
    Thread(target=_leave_with_parent, daemon=True).start()
    _worker = Labeler(vocabulary), {id(ref): i for i, ref in enumerate(vocabulary.phrases)}


def _leave_with_parent() -> None:
    """A worker whose parent was killed would wait for its next share for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(share: list[tuple[str, bool]]) -> list[_Answer]:
    assert _worker is not None  # the initializer ran
    labeler, position = _worker
    return [_tell(labeler, position, text, says) for text, says in share]
