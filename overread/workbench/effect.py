"""What another vocabulary makes of the same reports: label states before and after, exactly.

Distinct statements are labelled anew; the rules that cross statements (implied labels, denials, a
report that holds no reading) are then applied to every reading that holds a statement of which the
two vocabularies differ. The result is that of a new extraction, as long as the reports are cut into
the same statements: `overread.workbench.recut` counts the readings where they might not be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.labels.matrix import NO_READING, STATE_OF_RANK, StatementMatrix
from overread.labels.statements import label_statements
from overread.tables import (
    LABEL,
    N_EXPERT,
    N_MACHINE,
    ROW,
    SEGMENT,
    SOURCE,
    SOURCES,
    STATEMENT,
    STATES,
    TEXT,
)
from overread.text.labeler import Labeler, value_table
from overread.text.segments import ASSERTING, SEGMENTS
from overread.vocab.edit import NewPhrase
from overread.vocab.model import PhraseRef, Vocabulary
from overread.workbench.extraction import Extraction, Ints
from overread.workbench.index import StatementIndex

States = npt.NDArray[np.uint8]

_BLOCK = 1 << 19  # readings whose states are worked out at a time
_EXPERT = SOURCES.index("expert")
#: Of segments that are read alike, or not read at all, the first stands for all.
_READ_AS = np.array(
    [[n in ASSERTING for n in SEGMENTS].index(each in ASSERTING) for each in SEGMENTS]
)


class LabelChange(NamedTuple):
    """One label on one side: readings positive under the policy before and after, and who moved."""

    label: str
    source: str
    before: int
    after: int
    gained: int
    lost: int


@dataclass(frozen=True)
class View:
    """What one vocabulary makes of the statements of an extraction.

    ``known`` are the states of every reading, readings x labels, where they are at hand.
    """

    extraction: Extraction
    vocabulary: Vocabulary
    matrix: StatementMatrix
    known: States | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The label ids, in the order of the columns of ``states``."""
        return self.matrix.layout.labels

    def policy(self, label: str) -> str:
        """What an uncertain mention of a label counts as."""
        return self.vocabulary.labels[label].uncertain or self.extraction.policy

    def states(self, readings: Ints, labels: tuple[str, ...] | None = None) -> States:
        """State codes of readings that hold a statement, readings x labels; 255: no reading.

        All labels of the vocabulary are told, or those asked for, of which it may lack some: they
        are unmentioned.
        """
        labels = self.labels if labels is None else labels
        held = tuple(label for label in labels if label in self.labels)
        if self.known is not None:
            found = self.known.T[np.ix_(self._columns(held), readings)].T
            return aligned(found, held, labels)
        out = np.empty((len(readings), len(held)), np.uint8)
        matrix = self.matrix if held == self.labels else self.matrix.of_labels(held)
        for first in range(0, len(readings), _BLOCK):
            block = slice(first, first + _BLOCK)
            expert = readings[block] % len(SOURCES) == _EXPERT
            statement, counts = self.extraction.held_by(readings[block])
            out[block] = matrix.states(statement, counts)
            out[block][expert & matrix.any_unconfirmed(statement, counts)] = NO_READING
        return aligned(out, held, labels)

    def all_states(self, labels: tuple[str, ...]) -> States:
        """The same for every reading of the extraction, in order.

        A text without a statement (only marks, or none at all) stays what it was; a label that the
        vocabulary lacks is unmentioned.
        """
        if self.known is not None:
            held = tuple(label for label in labels if label in self.labels)
            return aligned(self.known.T[self._columns(held)].T, held, labels)
        extraction = self.extraction
        shape = extraction.n * len(SOURCES), len(labels)
        out = np.full(shape, NO_READING, np.uint8, order="F")  # read label by label
        same = self.vocabulary.sha256 == extraction.vocabulary_sha256
        for code in extraction.sides:
            side = extraction.states(SOURCES[code])
            if same:
                out[code :: len(SOURCES)] = aligned(side, extraction.labels, labels)
            else:
                out[code :: len(SOURCES)][side[:, 0] != NO_READING] = 0
        if not same:
            full = extraction.readings_with_statements
            out[full] = self.states(full, labels)
        return out

    def _columns(self, labels: tuple[str, ...]) -> Ints:
        return np.array([self.labels.index(label) for label in labels], np.int64)

    def looked_up(self) -> View:
        """The same with every state at hand: a byte per reading and label."""
        return replace(self, known=self.all_states(self.labels))

    @cached_property
    def counts(self) -> dict[str, Ints]:
        """Per label the readings in each state: sources x states; readings without one left out."""
        if self.vocabulary.sha256 == self.extraction.vocabulary_sha256:
            sides = self.extraction.summary.sides
            none = [0] * len(STATES)
            return {
                label: np.array([sides[s].states[label] if s in sides else none for s in SOURCES])
                for label in self.labels
            }
        every = self.all_states(self.labels)
        sources = np.arange(len(every), dtype=np.uint16) % len(SOURCES)
        return {label: _by_state(every[:, at], sources) for at, label in enumerate(self.labels)}


def _by_state(states: States, sources: npt.NDArray[np.integer]) -> Ints:
    """Counts of sources x states."""
    width = NO_READING + 1
    found = np.bincount(sources * width + states, minlength=len(SOURCES) * width)
    return found.reshape(len(SOURCES), width)[:, : len(STATES)]


def view(extraction: Extraction, vocabulary: Vocabulary, *, workers: int | None = None) -> View:
    """All statements of an extraction, as they were labelled or labelled with a vocabulary."""
    matrix = extraction.ranks(vocabulary)
    if matrix is None:
        every = np.arange(extraction.statements.height)
        matrix = relabel(extraction, Labeler(vocabulary), every, workers)
    return View(extraction, vocabulary, matrix)


def relabel(
    extraction: Extraction, labeler: Labeler, only: Ints, workers: int | None = None
) -> StatementMatrix:
    """What a labeler makes of some statements; its rows are positions in ``only``.

    A text that stands in several parts of reports is read once.
    """
    given = pl.DataFrame(
        {
            TEXT: extraction.statements[TEXT].gather(only),
            SEGMENT: _READ_AS[extraction.segments[only]],
        }
    )
    distinct = given.unique(maintain_order=True)
    matrix, _ = label_statements(
        distinct[TEXT].to_list(), distinct[SEGMENT].to_list(), labeler, workers=workers
    )
    numbers = distinct.with_row_index("row")
    rows = given.join(numbers, on=given.columns, how="left", maintain_order="left")["row"]
    tables = (each.name for each in fields(matrix) if each.name != "layout")
    return replace(matrix, **{name: getattr(matrix, name)[rows.to_numpy()] for name in tables})


@dataclass(frozen=True)
class Effect:
    """What changes between two views of one extraction.

    ``labels`` are those of both vocabularies, ``concerned`` those that may change. ``touched`` are
    the numbers of the statements that the two read differently, ``compared`` those of the readings
    whose states change, ``states_before`` and ``states_after`` their codes (readings x concerned).
    """

    before: View
    after: View
    labels: tuple[str, ...]
    concerned: tuple[str, ...]
    touched: Ints
    compared: Ints
    states_before: States
    states_after: States

    def all_states(self, labels: tuple[str, ...], *, after: bool) -> States:
        """State codes of every reading before or after, readings x labels."""
        out = self.before.all_states(labels)
        if after:
            for at, label in enumerate(self.concerned):
                if label in labels:
                    out[self.compared, labels.index(label)] = self.states_after[:, at]
        return out

    def turned(self) -> Effect:
        """The effect of going back."""
        before = replace(self.after, known=self.all_states(self.after.labels, after=True))
        return Effect(
            before,
            self.before,
            tuple(dict.fromkeys([*before.labels, *self.before.labels])),
            self.concerned,
            self.touched,
            self.compared,
            self.states_after,
            self.states_before,
        )

    @cached_property
    def changes(self) -> tuple[LabelChange, ...]:
        """Every label on every side that the extraction has."""
        out = []
        for label in self.labels:
            moved = [at for at, one in enumerate(self.concerned) if one == label]
            old, new = values_of(self.before, label), values_of(self.after, label)
            was, now = self.states_before[:, moved].ravel(), self.states_after[:, moved].ravel()
            source = self.compared[: len(was)] % len(SOURCES)
            nothing = np.zeros((len(SOURCES), len(STATES)), np.int64)
            total = self.before.counts.get(label, nothing)
            # Where the policy of the label changed, readings move whose states stay.
            rest = total - _by_state(was, source) if label in self.before.labels else nothing
            up, down = (old != 1) & (new == 1), (old == 1) & (new != 1)
            gained = (old[was] != 1) & (new[now] == 1)
            lost = (old[was] == 1) & (new[now] != 1)
            for code in self.before.extraction.sides:
                here, still = source == code, rest[code]
                more = int(gained[here].sum() + still[up[: len(STATES)]].sum())
                less = int(lost[here].sum() + still[down[: len(STATES)]].sum())
                first = int(total[code][old[: len(STATES)] == 1].sum())
                out.append(
                    LabelChange(label, SOURCES[code], first, first + more - less, more, less)
                )
        return tuple(out)

    @cached_property
    def readings(self) -> pl.DataFrame:
        """One row per reading and label whose state changes: row, source, label, before, after.

        States are codes of ``tables.STATES``; null where a side has no reading.
        """
        reading, label = np.nonzero(self.states_before != self.states_after)
        at = self.compared[reading]
        codes = {
            "before": self.states_before[reading, label],
            "after": self.states_after[reading, label],
        }
        return pl.DataFrame(
            {
                ROW: (at // len(SOURCES)).astype(np.uint32),
                SOURCE: (at % len(SOURCES)).astype(np.uint8),
                LABEL: pl.Series(self.concerned, dtype=pl.String).gather(label),
                **{name: pl.Series(each).replace(NO_READING, None) for name, each in codes.items()},
            }
        )

    @cached_property
    def statements(self) -> pl.DataFrame:
        """The statements that cause it: statement, text, segment, n_machine, n_expert, label,
        before, after.

        One row per statement and label (or helper concept) that it reads differently; states are
        those of a report that holds this statement alone.
        """
        rows: dict[str, list[Any]] = {STATEMENT: [], LABEL: [], "before": [], "after": []}
        old, new = _alone(self.before, self.touched), _alone(self.after, self.touched)
        unmentioned = np.zeros(len(self.touched), np.uint8)
        for name in dict.fromkeys([*old, *new]):
            was, now = old.get(name, unmentioned), new.get(name, unmentioned)
            for at in np.flatnonzero(was != now):
                rows[STATEMENT].append(int(self.touched[at]))
                rows[LABEL].append(name)
                rows["before"].append(_named(was[at]))
                rows["after"].append(_named(now[at]))
        schema = {STATEMENT: pl.UInt32, LABEL: pl.String, "before": pl.String, "after": pl.String}
        held = self.before.extraction.statements.select(
            STATEMENT, TEXT, SEGMENT, N_MACHINE, N_EXPERT
        )
        return (
            pl.DataFrame(rows, schema=schema)
            .join(held, on=STATEMENT, how="left", maintain_order="left")
            .select(STATEMENT, TEXT, SEGMENT, N_MACHINE, N_EXPERT, LABEL, "before", "after")
        )


def effect(
    extraction: Extraction,
    before: Vocabulary,
    after: Vocabulary,
    *,
    workers: int | None = None,
) -> Effect:
    """What ``after`` makes of the reports of an extraction where ``before`` stood.

    Where the extraction was made with one of them, only what can differ is labelled, with the
    other.
    """
    if extraction.vocabulary_sha256 == after.sha256 != before.sha256:
        return effect(extraction, after, before, workers=workers).turned()
    first = view(extraction, before, workers=workers).looked_up()
    labeler = Labeler(after)
    some = StatementIndex(extraction, Labeler(before)).candidates(labeler)
    matrix = first.matrix.with_rows(some, relabel(extraction, labeler, some, workers))
    return compared(first, View(extraction, after, matrix))


def compared(before: View, after: View) -> Effect:
    """The effect of going from one view to the other."""
    touched, moved = _differ(before.matrix, after.matrix)
    readings = before.extraction.readings_of(touched)
    every = tuple(dict.fromkeys([*before.labels, *after.labels]))
    labels = tuple(label for label in every if label in moved)
    if before.labels != after.labels or _silent(before, after, touched, readings):
        labels = every
    was, now = (each.states(readings, labels) for each in (before, after))
    some = (was != now).any(axis=1)
    return Effect(before, after, every, labels, touched, readings[some], was[some], now[some])


def _differ(before: StatementMatrix, after: StatementMatrix) -> tuple[Ints, set[str]]:
    """The statements of which two matrices say something else, and the labels that may follow."""
    out: npt.NDArray[np.bool_] = (
        (before.found != after.found)
        | (before.no_reading != after.no_reading)
        | (before.unconfirmed != after.unconfirmed)
    )
    names: set[str] = set()
    for key in dict.fromkeys([*before.layout.stated, *after.layout.stated]):
        differs = _column(before.stated, before.layout.stated, key) != _column(
            after.stated, after.layout.stated, key
        )
        if differs.any():
            out |= differs
            names.add(key)
    for implied in dict.fromkeys([*before.layout.implied, *after.layout.implied]):
        differs = _column(before.implied, before.layout.implied, implied) != _column(
            after.implied, after.layout.implied, implied
        )
        out |= differs
        if differs.any() or names.intersection(implied[1]):
            names.add(implied[0])
    return np.flatnonzero(out), names


def _silent(before: View, after: View, touched: Ints, readings: Ints) -> bool:
    """Whether it may change for some reading that it is one: then every label of it changes."""
    one, other = before.matrix, after.matrix
    if (one.no_reading != other.no_reading).any() or (one.unconfirmed != other.unconfirmed).any():
        return True
    if (one.found[touched] == other.found[touched]).all():
        return False
    declared = before.extraction.readings_of(np.flatnonzero(one.no_reading))
    return bool(np.isin(declared, readings, assume_unique=True).any())


def _column(ranks: States, columns: Mapping[Any, int], key: object) -> States:
    return ranks[:, columns[key]] if key in columns else np.zeros(len(ranks), np.uint8)


def aligned(states: States, labels: tuple[str, ...], every: tuple[str, ...]) -> States:
    """The columns of all labels; one that a vocabulary lacks is unmentioned."""
    if labels == every:
        return states
    out = np.zeros((len(states), len(every)), np.uint8)
    out[states[:, 0] == NO_READING] = NO_READING
    out[:, [every.index(label) for label in labels]] = states
    return out


def values_of(of: View, label: str) -> npt.NDArray[np.int64]:
    """The value of every state code of a label, 0 where there is no reading or no such label."""
    out = np.zeros(NO_READING + 1, np.int64)
    if label in of.labels:
        out[: len(STATES)] = value_table(of.policy(label))
    return out


def _alone(of: View, statements: Ints) -> dict[str, States]:
    """The states of every label and helper concept in reports of one statement each."""
    matrix = of.matrix
    states = matrix.states(statements.astype(np.uint32), np.ones(len(statements), np.int64))
    out = {label: states[:, at] for at, label in enumerate(of.labels)}
    for name, column in matrix.layout.stated.items():
        if name not in out:
            out[name] = STATE_OF_RANK[matrix.stated[statements, column]]
    return out


def _named(code: int) -> str:
    return "no reading" if code == NO_READING else STATES[code]


def with_phrases(vocabulary: Vocabulary, phrases: Sequence[NewPhrase]) -> Vocabulary:
    """The vocabulary with phrases that stand in no file yet."""
    return vocabulary.with_phrases([phrase.ref() for phrase in phrases])


class LiveEffect:
    """The effect of a few more phrases, fast enough to be shown while they are typed.

    Making one labels every statement once; after that only those are labelled that the phrases can
    change. It may be used from several threads.
    """

    def __init__(
        self, extraction: Extraction, vocabulary: Vocabulary, *, workers: int | None = None
    ) -> None:
        self.view = view(extraction, vocabulary, workers=workers).looked_up()
        self._labeler = Labeler(vocabulary)
        self._index = StatementIndex(extraction, self._labeler)

    def with_phrases(self, phrases: Sequence[NewPhrase]) -> Effect:
        """What the phrases would change, all of them together; raises UsageError for a bad one."""
        return compared(self.view, self._with([phrase.ref() for phrase in phrases])[1])

    def moved(self, phrases: Sequence[NewPhrase]) -> LiveEffect:
        """The live effect on top of these phrases, once they have been written."""
        out = copy(self)
        out._labeler, after = self._with([phrase.ref() for phrase in phrases])
        found = compared(self.view, after)
        out.view = replace(after, known=found.all_states(after.labels, after=True))
        out._index = StatementIndex(self.view.extraction, out._labeler)
        return out

    def _with(self, phrases: Sequence[PhraseRef]) -> tuple[Labeler, View]:
        extraction = self.view.extraction
        labeler = self._labeler.extended(phrases)
        some = self._index.candidates(labeler)
        fresh = relabel(extraction, labeler, some, workers=1)
        matrix = self.view.matrix.with_rows(some, fresh)
        return labeler, View(extraction, labeler.vocabulary, matrix)
