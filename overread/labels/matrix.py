"""From findings of statements to states of reports, for millions of reports at once.

The rules are those of ``Labeler.states``: of several mentions the highest rank decides, and what is
implied counts only where nothing is stated and nothing cancels it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.tables import STATE_CODES, STATEMENT
from overread.text.labeler import RANK, Finding, denied_by
from overread.vocab.model import Vocabulary

_NAMED = RANK["uncertain"]  # from here on a finding counts as named
#: State code of every rank, 0 for none.
STATE_OF_RANK = np.zeros(len(RANK) + 1, np.uint8)
for _assertion, _rank in RANK.items():
    STATE_OF_RANK[_rank] = STATE_CODES[_assertion]

_FLAGS = ("found", "unmatched", "no_reading", "unconfirmed")

#: State code of a side that has no reading, before it is written as null.
NO_READING = 255


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of the matrices stands for what."""

    labels: tuple[str, ...]
    stated: dict[str, int]  # label, or concept that cancels an implication -> column
    implied: dict[tuple[str, tuple[str, ...]], int]  # label and what cancels it -> column
    denied: dict[str, list[str]]  # concept -> labels that its denial denies

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Layout:
        """The columns that a vocabulary needs."""
        labels = tuple(vocabulary.labels)
        implied: dict[tuple[str, tuple[str, ...]], int] = {}
        for ref in vocabulary.phrases:
            if ref.role == "implied":
                implied.setdefault((ref.owner, ref.unless), len(implied))
        names = dict.fromkeys([*labels, *(name for _, unless in implied for name in unless)])
        columns = {name: i for i, name in enumerate(names)}
        return cls(labels, columns, implied, denied_by(vocabulary))


@dataclass(slots=True)
class StatementMatrix:
    """Per distinct statement the rank of every label, stated and implied, and what it is."""

    layout: Layout
    stated: npt.NDArray[np.uint8]
    implied: npt.NDArray[np.uint8]
    found: npt.NDArray[np.bool_]  # a finding stands in it
    unmatched: npt.NDArray[np.bool_]  # nothing in it is known
    no_reading: npt.NDArray[np.bool_]  # says that there is no reading
    unconfirmed: npt.NDArray[np.bool_]  # says that nobody confirmed the report

    @classmethod
    def empty(cls, layout: Layout, statements: int) -> StatementMatrix:
        """A matrix for so many statements, nothing found yet."""
        return cls(
            layout,
            np.zeros((statements, len(layout.stated)), np.uint8),
            np.zeros((statements, len(layout.implied)), np.uint8),
            *(np.zeros(statements, bool) for _ in range(4)),
        )

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, layout: Layout) -> StatementMatrix:
        """The matrix that `frame` gave, with the layout of the same vocabulary."""
        out = cls.empty(layout, frame.height)
        for name, column in layout.stated.items():
            out.stated[:, column] = frame[f"stated_{name}"].to_numpy()
        for column in layout.implied.values():
            out.implied[:, column] = frame[f"implied_{column}"].to_numpy()
        for flag in _FLAGS:
            getattr(out, flag)[:] = frame[flag].to_numpy()
        return out

    def frame(self) -> pl.DataFrame:
        """ranks.parquet: one row per statement, one column per label, implication and flag."""
        stated = {f"stated_{n}": self.stated[:, at] for n, at in self.layout.stated.items()}
        implied = {f"implied_{at}": self.implied[:, at] for at in self.layout.implied.values()}
        flags = {flag: getattr(self, flag) for flag in _FLAGS}
        return pl.DataFrame({**stated, **implied, **flags}).with_row_index(STATEMENT)

    def of_labels(self, labels: tuple[str, ...]) -> StatementMatrix:
        """What decides some of the labels alone."""
        held = self.layout
        implied = [key for key in held.implied if key[0] in labels]
        stated = list(dict.fromkeys([*labels, *(name for _, unless in implied for name in unless)]))
        return replace(
            self,
            layout=Layout(
                labels,
                {name: at for at, name in enumerate(stated)},
                {key: at for at, key in enumerate(implied)},
                held.denied,
            ),
            stated=self.stated[:, [held.stated[name] for name in stated]],
            implied=self.implied[:, [held.implied[key] for key in implied]],
        )

    def with_rows(
        self, statements: npt.NDArray[np.int64], other: StatementMatrix
    ) -> StatementMatrix:
        """This matrix in the layout of another, with that one's rows in place of some."""
        out = StatementMatrix.empty(other.layout, len(self.found))
        for table, columns in (("stated", other.layout.stated), ("implied", other.layout.implied)):
            mine = getattr(self.layout, table)
            for key, column in columns.items():
                if key in mine:
                    getattr(out, table)[:, column] = getattr(self, table)[:, mine[key]]
            getattr(out, table)[statements] = getattr(other, table)
        for name in _FLAGS:
            getattr(out, name)[:] = getattr(self, name)
            getattr(out, name)[statements] = getattr(other, name)
        return out

    def put(self, statement: int, findings: Iterable[Finding]) -> None:
        """Enters the findings of one statement."""
        for finding in findings:
            self.found[statement] = True
            phrase = finding.phrase
            rank = RANK.get(finding.assertion, 0)
            if finding.assertion == "absent":
                for label in self.layout.denied.get(phrase.owner, ()):
                    column = self.layout.stated[label]
                    self.stated[statement, column] = max(self.stated[statement, column], rank)
            if phrase.role == "phrase" and phrase.owner in self.layout.stated:
                column = self.layout.stated[phrase.owner]
                self.stated[statement, column] = max(self.stated[statement, column], rank)
            elif phrase.role == "implied" and rank >= _NAMED:
                column = self.layout.implied[phrase.owner, phrase.unless]
                self.implied[statement, column] = max(self.implied[statement, column], rank)

    def states(
        self, statement: npt.NDArray[np.uint32], counts: Sequence[int] | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.uint8]:
        """State codes, one row per report and one column per label.

        ``statement`` holds the statements of all reports one after the other, ``counts`` how many
        each has. A report that says it holds no reading, and nothing else, is ``NO_READING``.
        """
        counts = np.asarray(counts, np.int64)
        out = np.zeros((len(counts), len(self.layout.labels)), np.uint8)
        full = np.flatnonzero(counts)
        if not len(full):
            return out
        starts = (np.cumsum(counts) - counts)[full]
        stated = np.maximum.reduceat(self.stated[statement], starts, axis=0)
        states = STATE_OF_RANK[stated[:, : len(self.layout.labels)]]
        if self.layout.implied:
            implied = np.maximum.reduceat(self.implied[statement], starts, axis=0)
            best = np.zeros_like(states)
            for (label, unless), column in self.layout.implied.items():
                named = [self.layout.stated[name] for name in unless]
                rank = implied[:, column].copy()
                if named:
                    rank[(stated[:, named] >= _NAMED).any(axis=1)] = 0
                at = self.layout.labels.index(label)
                best[:, at] = np.maximum(best[:, at], rank)
            states = np.where(states == 0, STATE_OF_RANK[best], states)
        declared = np.maximum.reduceat(self.no_reading[statement].astype(np.uint8), starts)
        spoken = np.maximum.reduceat(
            (self.found & ~self.no_reading)[statement].astype(np.uint8), starts
        )
        states[(declared > 0) & (spoken == 0)] = NO_READING
        out[full] = states
        return out

    def any_unconfirmed(
        self, statement: npt.NDArray[np.uint32], counts: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Whether each report says that nobody confirmed it."""
        out = np.zeros(len(counts), bool)
        full = np.flatnonzero(counts)
        if len(full):
            starts = (np.cumsum(counts) - counts)[full]
            out[full] = np.logical_or.reduceat(self.unconfirmed[statement], starts)
        return out
