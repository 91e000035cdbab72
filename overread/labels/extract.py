"""Report tables in, the label tables out: each distinct statement is labelled once.

Three passes: cut and number the statements of every batch, label the distinct ones, look the
answers up for every report. Memory holds the ids, one number per statement of every report and the
distinct statements; texts are read and forgotten batch by batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.engine import Engine
from overread.errors import TableError, UsageError
from overread.labels.matrix import NO_READING, StatementMatrix
from overread.labels.split import Corpus, Cut, Cutter
from overread.labels.statements import label_statements
from overread.labels.summary import SideCounts, Summary
from overread.sources.batches import ReportSource
from overread.tables import (
    END,
    EVIDENCE_FILE,
    LABELS_FILE,
    N_EXPERT,
    N_MACHINE,
    POSITION,
    RANKS_FILE,
    REPORT_STATEMENTS_FILE,
    ROW,
    SEGMENT,
    SOURCE,
    SOURCES,
    START,
    STATE_CODES,
    STATEMENT,
    STATEMENTS_FILE,
    STATES,
    TEXT,
    state_column,
    value_column,
)  # fmt: skip
from overread.text.labeler import Labeler, value_table
from overread.text.segments import ASSERTING, SEGMENTS

_LAST = np.iinfo(np.uint16).max  # statements beyond it share this position
_SECOND_READING = SEGMENTS.index("second_reading")
_AHEAD = 2  # batches in work at a time


class Sink(Protocol):
    """Where finished pieces of a table go, in order."""

    def __call__(self, table: str, piece: pl.DataFrame) -> None: ...


@dataclass(slots=True)
class Progress:
    """What a caller may want to hear while it runs."""

    rows: Callable[[int], None] = lambda _: None
    statements: Callable[[int, int], None] = lambda *_: None


@dataclass(slots=True)
class _Batch:
    """What is kept of a batch of rows once its texts are gone."""

    rows: pl.DataFrame  # id, patient_id, kept columns
    statement: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.int64]  # per (row, source), sources alternating
    absent: npt.NDArray[np.bool_]  # rows x sources: no cell
    empty: npt.NDArray[np.bool_]  # rows x sources: a cell without text


@dataclass(slots=True)
class _Read:
    corpus: Corpus
    sides: tuple[int, ...]
    batches: list[_Batch] = field(default_factory=list)
    identical: int = 0
    addenda: int = 0


def extract_tables(
    source: ReportSource,
    labeler: Labeler,
    sink: Sink,
    *,
    workers: int | None = None,
    engine: Engine = "processes",
    progress: Progress | None = None,
) -> Summary:
    """Labels every report of a source; the tables go to ``sink`` piece by piece.

    Returns the account of the run: rows, texts, states per label, unmatched statements. Raises
    TableError where the source has no rows or a row cannot be read.
    """
    progress = progress or Progress()
    read = _read(source, labeler, sink, progress)
    corpus = read.corpus
    total = len(corpus.texts)
    matrix, evidence = label_statements(
        corpus.texts,
        corpus.segments,
        labeler,
        workers=workers,
        engine=engine,
        progress=lambda done: progress.statements(done, total),
    )
    sink(EVIDENCE_FILE, evidence)
    sink(RANKS_FILE, matrix.frame())
    held = _held(read, total)
    statements = pl.DataFrame(
        {
            STATEMENT: pl.int_range(total, dtype=pl.UInt32, eager=True),
            TEXT: pl.Series(corpus.texts, dtype=pl.String),
            SEGMENT: pl.Series([SEGMENTS[code] for code in corpus.segments], dtype=pl.String),
            N_MACHINE: held[0],
            N_EXPERT: held[1],
        }
    )
    sink(STATEMENTS_FILE, statements)
    summary = _summary(source, labeler, read, matrix, statements)
    policies = {name: value_table(policy) for name, policy in labeler.policies.items()}
    pairs = [
        (name, other)
        for name, label in labeler.vocabulary.labels.items()
        for other in label.contradicts
    ]
    for batch in read.batches:
        states = _states(batch, read.sides, matrix, pairs, summary)
        sink(LABELS_FILE, _label_rows(batch, read.sides, states, policies, tuple(labeler.policies)))
    return summary


def _read(source: ReportSource, labeler: Labeler, sink: Sink, progress: Progress) -> _Read:
    """Cuts every batch, sends its report_statements on and keeps the numbers."""
    columns = source.columns
    sides = tuple(code for code, name in enumerate(SOURCES) if getattr(columns, name) is not None)
    _refuse_clash(columns.keep, sides, labeler)
    cutter = Cutter(labeler.rewrites, labeler.rules, labeler.vocabulary.context.unconfirmed)
    read = _Read(Corpus(), sides)
    row = 0
    # polars lets go of the interpreter while it cuts: the next batches are cut beside this one.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for frame, cut in _ahead(source.batches(), lambda f: cutter.cut(_texts(f, sides)), pool):
            batch, table = _numbered(frame, cut, read, row)
            sink(REPORT_STATEMENTS_FILE, table)
            read.batches.append(batch)
            row += len(frame)
            progress.rows(row)
    if not row:
        raise TableError(
            "The input has 0 reports to read. Next step: look at the file, or at the quarantine "
            "counts if rows were left out."
        )
    return read


def _refuse_clash(keep: Sequence[str], sides: tuple[int, ...], labeler: Labeler) -> None:
    for side in sides:
        for label in labeler.policies:
            for name in (value_column(SOURCES[side], label), state_column(SOURCES[side], label)):
                if name in keep:
                    raise UsageError(
                        f"Column {name!r} cannot be kept: the output has its own column of that "
                        "name. Next step: leave it out of --keep or rename it in the input."
                    )


def _ahead(
    frames: Iterator[pl.DataFrame],
    work: Callable[[pl.DataFrame], Cut],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[pl.DataFrame, Cut]]:
    """Frames in order with the work done on each, a few frames ahead of who takes them."""
    waiting: deque[tuple[pl.DataFrame, Future[Cut]]] = deque()
    for frame in frames:
        waiting.append((frame, pool.submit(work, frame)))
        if len(waiting) > _AHEAD:
            first, future = waiting.popleft()
            yield first, future.result()
    for first, future in waiting:
        yield first, future.result()


def _texts(frame: pl.DataFrame, sides: tuple[int, ...]) -> pl.Series:
    """The texts of all rows, those of one row side by side."""
    order = np.arange(len(frame) * len(sides)).reshape(len(sides), -1).T.ravel()
    return pl.concat([frame[SOURCES[side]].alias("text") for side in sides]).gather(order)


def _numbered(
    frame: pl.DataFrame, pieces: Cut, read: _Read, row: int
) -> tuple[_Batch, pl.DataFrame]:
    """What is kept of a batch, and its rows of report_statements."""
    sides, width = read.sides, len(read.sides)
    texts = [frame[SOURCES[side]] for side in sides]
    absent = np.column_stack([text.is_null().to_numpy() for text in texts])
    empty = np.column_stack(
        [(text.str.strip_chars() == "").fill_null(False).to_numpy() for text in texts]
    )
    if width == 2:
        said = texts[0].str.strip_chars() != ""
        read.identical += int(((texts[0] == texts[1]) & said).sum())
    statement = read.corpus.number(pieces)
    counts = np.bincount(pieces.report, minlength=len(frame) * width)
    read.addenda += len(np.unique(pieces.report[pieces.segment == _SECOND_READING]))
    starts = np.cumsum(counts) - counts
    report = pieces.report
    table = pl.DataFrame(
        {
            ROW: (report // width + row).astype(np.uint32),
            SOURCE: np.array(sides, np.uint8)[report % width],
            POSITION: np.minimum(np.arange(len(report)) - starts[report], _LAST).astype(np.uint16),
            STATEMENT: statement,
            START: pieces.start,
            END: pieces.end,
        }
    )
    kept = frame.drop([name for name in SOURCES if name in frame.columns])
    return _Batch(kept, statement, counts, absent, empty), table


def _held(read: _Read, total: int) -> list[npt.NDArray[np.uint32]]:
    """How many machine and expert reports hold each statement, once per report."""
    held = [np.zeros(total, np.uint32) for _ in SOURCES]
    width = len(read.sides)
    for batch in read.batches:
        report = np.repeat(np.arange(len(batch.counts)), batch.counts)
        pairs = np.unique(report * total + batch.statement)
        side = (pairs // total) % width
        for index, code in enumerate(read.sides):
            found = (pairs[side == index] % total).astype(np.int64)
            held[code] += np.bincount(found, minlength=total).astype(np.uint32)
    return held


def _states(
    batch: _Batch,
    sides: tuple[int, ...],
    matrix: StatementMatrix,
    pairs: Sequence[tuple[str, str]],
    summary: Summary,
) -> npt.NDArray[np.uint8]:
    """State codes, rows x sides x labels, and what they add to the summary."""
    width = len(sides)
    states = matrix.states(batch.statement, batch.counts)
    states = states.reshape(-1, width, states.shape[1])
    unconfirmed = matrix.any_unconfirmed(batch.statement, batch.counts).reshape(-1, width)
    states[batch.absent | batch.empty] = NO_READING
    for index, code in enumerate(sides):
        name = SOURCES[code]
        side: SideCounts = summary.sides[name]
        side.absent += int(batch.absent[:, index].sum())
        side.empty += int(batch.empty[:, index].sum())
        text = ~(batch.absent | batch.empty)[:, index]
        if name == "expert":
            # A text that says nobody confirmed it is the device's, whatever column it stands in.
            not_read = text & unconfirmed[:, index]
            side.not_over_read += int(not_read.sum())
            states[not_read, index] = NO_READING
            text &= ~not_read
        silent = text & (states[:, index] == NO_READING).all(axis=1)
        side.no_reading += int(silent.sum())
        side.readings += int((text & ~silent).sum())
        present = states[:, index] == STATE_CODES["present"]
        for left, right in pairs:
            both = present[:, summary.labels.index(left)] & present[:, summary.labels.index(right)]
            pair = f"{left} + {right}"
            side.contradictions[pair] = side.contradictions.get(pair, 0) + int(both.sum())
        for column, label in enumerate(summary.labels):
            found = np.bincount(states[text & ~silent, index, column], minlength=len(STATES))
            side.states[label] = [
                a + int(b) for a, b in zip(side.states[label], found, strict=True)
            ]
    return states


def _label_rows(
    batch: _Batch,
    sides: tuple[int, ...],
    states: npt.NDArray[np.uint8],
    policies: dict[str, list[int]],
    labels: tuple[str, ...],
) -> pl.DataFrame:
    """Rows of labels.parquet: ids, kept columns, values, then states."""
    values: list[pl.Series] = []
    codes: list[pl.Series] = []
    for index, code in enumerate(sides):
        for column, label in enumerate(labels):
            state = states[:, index, column]
            unread = state == NO_READING
            table = np.array([*policies[label], *[0] * (NO_READING + 1 - len(STATES))], np.int8)
            values.append(_masked(value_column(SOURCES[code], label), table[state], unread))
            codes.append(_masked(state_column(SOURCES[code], label), state, unread))
    return batch.rows.with_columns(*values, *codes)


def _masked(name: str, values: npt.NDArray[Any], unread: npt.NDArray[np.bool_]) -> pl.Series:
    series = pl.Series(name, values)
    return series.set(pl.Series(unread), None) if unread.any() else series


def _summary(
    source: ReportSource,
    labeler: Labeler,
    read: _Read,
    matrix: StatementMatrix,
    statements: pl.DataFrame,
) -> Summary:
    labels = tuple(labeler.policies)
    tally = source.tally
    held = statements[N_MACHINE].cast(pl.Int64) + statements[N_EXPERT].cast(pl.Int64)
    asserting = statements[SEGMENT].is_in(list(ASSERTING)).to_numpy()
    unmatched = asserting & matrix.unmatched
    frequent = (
        statements.filter(pl.Series(unmatched))
        .with_columns(ecgs=pl.max_horizontal(N_MACHINE, N_EXPERT))
        .sort(["ecgs", TEXT], descending=[True, False])
        .head(Summary.UNMATCHED_KEPT)
    )
    return Summary(
        source=source.name,
        labels=labels,
        names={name: label.name for name, label in labeler.vocabulary.labels.items()},
        own_policy={
            name: label.uncertain
            for name, label in labeler.vocabulary.labels.items()
            if label.uncertain is not None
        },
        rows_in=tally.rows_in,
        used=tally.used,
        quarantined=dict(tally.quarantined),
        notes=dict(tally.notes),
        sides={SOURCES[side]: SideCounts.none(labels) for side in read.sides},
        identical=read.identical if len(read.sides) == 2 else None,
        addenda=read.addenda,
        distinct_statements=len(statements),
        statements=int(held.filter(pl.Series(asserting)).sum()),
        unmatched_statements=int(held.filter(pl.Series(unmatched)).sum()),
        unmatched=[(t, int(n)) for t, n in frequent.select(TEXT, "ecgs").iter_rows()],
    )
