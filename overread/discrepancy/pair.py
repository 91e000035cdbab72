"""The two readings of every ECG as arrays of codes, from an extraction or from any label table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.errors import TableError, UsageError
from overread.sources.left_out import left_out
from overread.tables import (
    DECISIONS,
    ID,
    MISSING,
    POLICIES,
    SOURCES,
    STATE_CODES,
    STATES,
    plain_name,
    state_column,
    value_column,
)
from overread.text.labeler import value_table

Codes = npt.NDArray[np.uint8]

#: Codes beside those of the states: a value that is -1 by policy, and a side without a reading.
MISSING_CODE: Final = len(STATES)
NO_READING: Final = len(STATES) + 1
_CODES: Final = 8  # room for all of them, a power of two

#: The row of the label table that a pair comes from; statements are found by it.
LABEL_ROW: Final = "label_row"

#: What the two readings of one ECG say of one label, in the order of every table of counts.
BOTH, MACHINE_ONLY, EXPERT_ONLY, NEITHER = range(4)
OUT: Final = 4  # one side has no value: the ECG leaves the counts of this label

_TABLE: Final = "the table"  # what a table is called that has no name
_BLANK: Final = -2  # a blank cell, among values of 1, 0 and -1
_PRESENT: Final = STATE_CODES["present"]
_ABSENT: Final = STATE_CODES["absent"]
_UNCERTAIN: Final = STATE_CODES["uncertain"]


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the rows: paired, or left out because a side has no reading."""

    rows: int
    paired: int
    machine_only: int
    expert_only: int
    neither: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """ECGs that have both readings.

    ``machine`` and ``expert`` are uint8, labels x ECGs: state codes of ``tables.STATES``,
    ``MISSING_CODE`` or ``NO_READING``. ``ecgs`` holds id, patient_id (where known), the kept
    columns and ``label_row``. ``policies`` says per label what an uncertain
    mention counts as in the main table; ``hedges`` is False where the table had no states, so that
    nothing is known of uncertain mentions.
    """

    labels: tuple[str, ...]
    ecgs: pl.DataFrame
    machine: Codes
    expert: Codes
    account: Account
    policies: Mapping[str, str]
    hedges: bool
    names: Mapping[str, str] = field(default_factory=dict)
    own_policy: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[tuple[str, str], ...] = ()

    @property
    def n(self) -> int:
        """Number of paired ECGs."""
        return len(self.ecgs)

    def name(self, label: str) -> str:
        """The name of a label for people."""
        return self.names.get(label, label)

    def cells(self, policy: str | None = None) -> Codes:
        """Labels x ECGs: BOTH, MACHINE_ONLY, EXPERT_ONLY, NEITHER or OUT.

        ``policy`` counts uncertain mentions otherwise than the table does; a label whose policy the
        vocabulary fixes keeps its own.
        """
        out = np.empty_like(self.machine)
        for number, label in enumerate(self.labels):
            asked = self.own_policy.get(label, policy) if policy else self.policies[label]
            table = _CELLS[asked]
            np.take(table, self.machine[number] * np.uint8(_CODES) + self.expert[number],
                    out=out[number], mode="clip")  # fmt: skip
        return out

    def index(self, label: str) -> int:
        """The position of a label. Raises UsageError with the labels there are."""
        if label not in self.labels:
            raise UsageError(
                f"there is no label {label!r}; there are {', '.join(self.labels)}. "
                "Next step: name one of these."
            )
        return self.labels.index(label)


def pairs_of_frame(
    frame: pl.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    own_policy: Mapping[str, str] | None = None,
    contradictions: Sequence[tuple[str, str]] = (),
    which: str = _TABLE,
) -> Pairs:
    """Pairs from a table with ``machine_<label>`` and ``expert_<label>`` columns.

    Values are 1, 0, -1 (missing) or null (no reading); ``<source>_state_<label>`` columns are used
    where both sides have them. Raises TableError where no label has both sides or a value is
    something else, naming row and column of the table, which is called ``which``.
    """
    labels = _labels(frame.columns)
    if not labels:
        raise TableError(
            f"{which} has no column machine_X with an expert_X beside it"
            f"{''.join(f' ({note})' for note in one_sided(frame.columns))}. Next step: name the "
            "columns so, or give two tables, the machine's and the expert's."
        )
    used = {value_column(s, label) for s in SOURCES for label in labels}
    states = {state_column(s, label) for s in SOURCES for label in labels}
    if LABEL_ROW in frame.columns:
        raise TableError(
            f"{which} has a column {LABEL_ROW!r}, and cases are numbered under that name. "
            "Next step: rename it."
        )
    refuse_twice(frame, which)
    hedges = states <= set(frame.columns)
    codes = {s: np.empty((len(labels), frame.height), np.uint8) for s in SOURCES}
    seen: dict[str, str | None] = {}
    for at, label in enumerate(labels):
        values = {s: decisions(frame, value_column(s, label), which) for s in SOURCES}
        if hedges:
            given = {s: _states(frame, state_column(s, label)) for s in SOURCES}
            seen[label] = _policy(label, given, values)
            for source in SOURCES:
                _check_states(source, label, given[source], values[source], seen[label], which)
        else:
            given = {s: _WITHOUT_STATES[values[s] - _BLANK] for s in SOURCES}
        for source in SOURCES:
            codes[source][at] = given[source]
    kept = [name for name in frame.columns if name not in used | states]
    read = {s: (codes[s] != NO_READING).any(axis=0) for s in SOURCES}
    machine, expert = (read[s] for s in SOURCES)
    paired = machine & expert
    account = Account(
        rows=frame.height,
        paired=int(paired.sum()),
        machine_only=int((machine & ~expert).sum()),
        expert_only=int((expert & ~machine).sum()),
        neither=int((~machine & ~expert).sum()),
    )
    if not account.paired:
        raise TableError(
            f"none of the {frame.height:,} ECGs has both readings "
            f"({account.machine_only:,} have the machine's alone, {account.expert_only:,} the "
            "expert's alone). Next step: check which columns were read as machine and expert."
        )
    ecgs = frame.with_row_index(LABEL_ROW).select(LABEL_ROW, *kept)
    if account.paired < frame.height:
        codes = {s: np.ascontiguousarray(codes[s][:, paired]) for s in SOURCES}
        ecgs = ecgs.filter(pl.Series(paired))
    if ID not in ecgs.columns:
        ecgs = ecgs.with_columns((pl.col(LABEL_ROW) + 1).cast(pl.String).alias(ID))
    return Pairs(
        labels=labels,
        ecgs=ecgs,
        machine=codes["machine"],
        expert=codes["expert"],
        account=account,
        policies=_filled(labels, seen, own_policy or {}),
        hedges=hedges,
        names=names or {},
        own_policy=own_policy or {},
        contradictions=tuple(contradictions),
    )


def _labels(columns: Sequence[str]) -> tuple[str, ...]:
    """Labels that have a column on both sides, in the order of the machine's."""
    present = set(columns)
    states = {state_column(source, "") for source in SOURCES}
    return tuple(
        name.removeprefix(value_column("machine", ""))
        for name in columns
        if name.startswith(value_column("machine", ""))
        and name != value_column("machine", "")
        and value_column("expert", name.removeprefix(value_column("machine", ""))) in present
        and not any(name.startswith(s) and _is_state(name, s, present) for s in states)
    )


def one_sided(columns: Sequence[str]) -> list[str]:
    """A line on the columns that look like a reader's label and have no counterpart, if any do."""
    labels, present = _labels(columns), set(columns)
    paired = {value_column(source, label) for source in SOURCES for label in labels}
    openings = {source: value_column(source, "") for source in SOURCES}
    states = [state_column(source, "") for source in SOURCES]
    alone = [
        name
        for name in columns
        if plain_name(name).startswith(tuple(openings.values()))
        and name not in paired
        and not any(name.startswith(s) and _is_state(name, s, present) for s in states)
    ]
    wanted = [
        opening + name.removeprefix(other)
        for opening, other in permutations(openings.values())
        for name in columns
        if name.startswith(other)
    ]
    return left_out("left out, with one reader alone", alone, wanted)


def _is_state(name: str, opening: str, present: set[str]) -> bool:
    """Whether the column holds states of a label, and is no label that is called state_..."""
    source = opening.split("_")[0]
    return value_column(source, name.removeprefix(opening)) in present


def refuse_twice(frame: pl.DataFrame, which: str) -> None:
    """Raises TableError where a table has an id twice."""
    if ID not in frame.columns:
        return
    again = ~frame[ID].is_first_distinct() & frame[ID].is_not_null()
    if twice := int(again.sum()):
        row = (again.arg_max() or 0) + 1
        raise TableError(
            f"{which} has {twice:,} ids twice, the first again in row {row}. "
            "Next step: keep one row of each."
        )


def decisions(frame: pl.DataFrame, name: str, which: str = _TABLE) -> npt.NDArray[np.int8]:
    """A column (rows,) as 1, 0, -1, and -2 where it is blank.

    Raises TableError for anything else, naming its row and the table as ``which``.
    """
    values, wrong = _values(frame[name])
    if wrong.any():
        row = (wrong.arg_max() or 0) + 1
        raise TableError(
            f"{which}: row {row}, column {name!r}: something else than 1, 0, -1 or a blank. "
            "Next step: give decisions as 1 and 0; scores need a threshold first."
        )
    out: npt.NDArray[np.int8] = values.fill_null(_BLANK).to_numpy()
    return out


def holds_decisions(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column holds something, and nothing but 1, 0, -1 and blanks."""
    values, wrong = _values(frame[name])
    return bool(values.is_not_null().any()) and not wrong.any()


def _states(frame: pl.DataFrame, name: str) -> Codes:
    column = frame[name].cast(pl.UInt8, strict=False)
    out: Codes = column.fill_null(NO_READING).to_numpy()
    return out


def _check_states(
    source: str,
    label: str,
    states: Codes,
    values: npt.NDArray[np.int8],
    policy: str | None,
    which: str,
) -> None:
    """Raises TableError where a value is not what its state comes to under the policy."""
    expected = np.full(256, _BLANK - 1, np.int8)  # no value: there is no such state
    expected[: len(STATES)] = value_table(policy or "positive")
    expected[NO_READING] = _BLANK
    wrong = expected[states] != values
    if wrong.any():
        raise TableError(
            f"{which}: row {int(np.argmax(wrong)) + 1}: {value_column(source, label)!r} and "
            f"{state_column(source, label)!r} do not agree. Next step: extract the labels again."
        )


def _values(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The column as int8 1, 0, -1 or null, and where it holds anything else."""
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        column = column.str.strip_chars()
        values = column.replace_strict(DECISIONS, default=None, return_dtype=pl.Int8)
        blank = column.is_null() | (column == "")
    elif column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64).fill_nan(None)
        values = numbers.set(~numbers.is_in([1.0, 0.0, -1.0]), None).cast(pl.Int8)
        blank = numbers.is_null()
    else:
        values = pl.Series([None], dtype=pl.Int8).new_from_index(0, len(column))
        blank = column.is_null()
    return values, values.is_null() & ~blank


def _policy(
    label: str, states: Mapping[str, Codes], values: Mapping[str, npt.NDArray[np.int8]]
) -> str | None:
    """What the table counts an uncertain mention of the label as; None where nothing tells."""
    seen: set[int] = set()
    for source in SOURCES:
        seen |= set(values[source][states[source] == _UNCERTAIN].tolist())
        unclear = values[source][states[source] == STATE_CODES["not_assessable"]]
        seen |= set(unclear[unclear == MISSING].tolist())
    if len(seen - {_BLANK}) > 1:
        raise TableError(
            f"uncertain mentions of {label!r} count as several things. "
            "Next step: extract the labels again under one policy."
        )
    return {1: "positive", 0: "negative", MISSING: "missing"}.get(next(iter(seen), _BLANK))


def _filled(
    labels: Sequence[str], seen: Mapping[str, str | None], own_policy: Mapping[str, str]
) -> dict[str, str]:
    """Where no mention of a label tells its policy, that of the other labels."""
    told = {policy for label, policy in seen.items() if policy and label not in own_policy}
    common = told.pop() if len(told) == 1 else "positive"
    return {label: seen.get(label) or own_policy.get(label, common) for label in labels}


def _cell_table(policy: str) -> Codes:
    """The cell of every pair of codes (machine * 8 + expert)."""
    values = [*value_table(policy), MISSING, MISSING]
    out = np.full(_CODES * _CODES, OUT, np.uint8)
    for m, machine in enumerate(values):
        for e, expert in enumerate(values):
            if MISSING not in (machine, expert):
                out[m * _CODES + e] = NEITHER - 2 * machine - expert
    return out


#: The code of a value (from _BLANK up) where the table has no states.
_WITHOUT_STATES: Final = np.array([NO_READING, MISSING_CODE, _ABSENT, _PRESENT], np.uint8)
_CELLS: Final = {policy: _cell_table(policy) for policy in POLICIES}
