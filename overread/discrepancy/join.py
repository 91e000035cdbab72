"""Tables of the same ECGs: which columns tell ECGs apart, and two tables as one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from overread.discrepancy.pair import decisions, holds_decisions, refuse_twice
from overread.errors import TableError
from overread.sources.left_out import left_out
from overread.tables import ID, ID_NAMES, PATIENT, PATIENT_NAMES, known_as, value_column


def with_common_ids(frames: Sequence[pl.DataFrame], names: Sequence[str]) -> list[pl.DataFrame]:
    """The tables with what tells their ECGs apart in a column ``id``; or none has it.

    Of several columns with usual names of ids (``record``, ``ecg_id``) it is the one that shares
    most values with the other tables. ``names`` are those of the tables. Raises ``TableError``
    where some tables have ids and others have not: their rows may be in any order.

    >>> scores = pl.DataFrame({"id": ["7", "8"], "af": [0.9, 0.2]})
    >>> labels = pl.DataFrame({"record": ["7_hr", "8_hr"], "ecg_id": [7, 8], "af": [1, 0]})
    >>> with_common_ids([scores, labels], ["scores", "labels"])[1].columns
    ['record', 'ecg_id', 'af', 'id']
    """
    known = [id_columns(frame) for frame in frames]
    if not any(known):
        return list(frames)
    for name, columns in zip(names, known, strict=True):
        if not columns:
            first = next(number for number, columns in enumerate(known) if columns)
            raise TableError(
                f"{name} has no column of ids, {names[first]} has {known[first][0]!r}. Next step: "
                f"give {name} the ids too; or, where the rows of all tables are in the same order, "
                "take the ids out."
            )
    if all(len(columns) == 1 for columns in known):
        chosen = [columns[0] for columns in known]
    else:
        chosen = _most_shared(frames, known)
    return [
        frame.with_columns(pl.col(name).cast(pl.String).alias(ID))
        for frame, name in zip(frames, chosen, strict=True)
    ]


def id_columns(frame: pl.DataFrame) -> list[str]:
    """The column ``id``; without one those that bear another usual name of ids."""
    return [ID] if ID in frame.columns else known_as(ID_NAMES, frame.columns)


def _most_shared(frames: Sequence[pl.DataFrame], known: Sequence[Sequence[str]]) -> list[str]:
    """Of each table the column that shares most values with one of the first table's columns."""
    found: list[tuple[int, list[str]]] = []
    for first in known[0]:
        ids = frames[0].select(pl.col(first).cast(pl.String).unique().alias(ID))
        shared, names = len(ids), [first]
        for frame, columns in zip(frames[1:], known[1:], strict=True):
            counts = {
                name: len(ids.join(frame.select(pl.col(name).cast(pl.String).alias(ID)),
                                   on=ID, how="semi"))
                for name in columns
            }  # fmt: skip
            names.append(max(columns, key=lambda name: counts[name]))
            shared += counts[names[-1]]
        found.append((shared - len(ids), names))
    return max(found, key=lambda one: one[0])[1]


def join_tables(
    machine: pl.DataFrame,
    expert: pl.DataFrame,
    names: tuple[str, str] = ("the machine's table", "the expert's table"),
) -> tuple[pl.DataFrame, list[str]]:
    """Two tables of 0/1 columns as one with ``machine_<x>`` and ``expert_<x>``; and notes of how.

    They are joined by ``id``, or row by row where neither has one; then they must be equally long.
    Labels are the columns that both have and that hold nothing but 1, 0, -1 and blanks; other
    columns of the machine's table are kept. Raises TableError, also where a column is decisions
    in one table and something else in the other. ``names`` are what errors call the tables.
    """
    machine, expert = with_common_ids((machine, expert), names)
    by_id = ID in machine.columns
    if not by_id and machine.height != expert.height:
        raise TableError(
            f"the tables have {machine.height:,} and {expert.height:,} rows and no common id "
            "column. Next step: give both an id column."
        )
    labels = [
        name
        for name in machine.columns
        if name not in (ID, PATIENT, "") and name in expert.columns
        and (holds_decisions(machine, name) or holds_decisions(expert, name))
    ]  # fmt: skip
    for table, which in zip((machine, expert), names, strict=True):
        for name in labels:
            decisions(table, name, which)
    if not labels:
        raise TableError(
            "the two tables have no common column that holds only 1, 0, -1 and blanks. "
            "Next step: give the label columns the same names in both."
        )
    notes = [
        note
        for one, other, whose in ((machine, expert, "machine"), (expert, machine, "expert"))
        for note in left_out(
            f"left out, in the {whose}'s table alone", _alone(one, labels), other.columns
        )
    ]
    left = machine.rename({name: value_column("machine", name) for name in labels})
    right = expert.select(
        *([ID] if by_id else []), *(pl.col(n).alias(value_column("expert", n)) for n in labels)
    )
    if not by_id:
        how = f"joined row by row: {machine.height:,} rows"
        return pl.concat([left, right], how="horizontal"), [how, *notes]
    refuse_twice(left, names[0])
    refuse_twice(right, names[1])
    joined = left.join(right, on=ID, how="inner", maintain_order="left")
    if joined.is_empty():
        raise TableError("the two tables share no id. Next step: check the id columns.")
    alone = f"{machine.height - joined.height:,} and {expert.height - joined.height:,}"
    how = f"joined by id: {joined.height:,} matched, {alone} in one table alone"
    return joined, [how, *notes]


def _alone(frame: pl.DataFrame, labels: Sequence[str]) -> list[str]:
    """Columns of decisions that are no labels of both tables."""
    others = {*labels, *known_as(ID_NAMES, frame.columns), *known_as(PATIENT_NAMES, frame.columns)}
    return [name for name in frame.columns if name not in others and holds_decisions(frame, name)]
