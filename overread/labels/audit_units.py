"""What an audit can draw: the distinct statements of an extraction, or its reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.labels.output import scan_table
from overread.labels.summary import SHOWN_FROM
from overread.manifest import Manifest
from overread.tables import (
    ASSERTION,
    EVIDENCE_FILE,
    ID,
    LABEL,
    LABELS_FILE,
    N_EXPERT,
    N_MACHINE,
    PHRASE_ID,
    POSITION,
    REPORT_STATEMENTS_FILE,
    ROW,
    SEGMENT,
    SOURCE,
    SOURCES,
    STATE_CODES,
    STATEMENT,
    STATEMENTS_FILE,
    STATES,
    TEXT,
    state_column,
    value_column,
)  # fmt: skip
from overread.text.labeler import RANK, value_table
from overread.text.segments import ASSERTING, FINDINGS

Unit = Literal["statements", "reports"]

#: Stands between the statements of a report, because a cell with line ends rarely survives being
#: saved by a spreadsheet and can be read in no text viewer.
_BETWEEN: Final = " | "
_NAMED: Final = [STATE_CODES["uncertain"], STATE_CODES["present"]]


@dataclass(frozen=True, slots=True)
class Units:
    """All that can be drawn, one entry per unit and one column per label.

    ``number`` is the statement, or twice the row of labels.parquet plus the code of the source;
    ``size`` how many reports hold the unit; ``named`` whether it is read as present or uncertain;
    ``answers`` our value (1, 0, -1 for missing by policy). ``covered`` is the share of all
    statements in all reports that these units stand for.
    """

    unit: Unit
    number: npt.NDArray[np.int64]
    size: npt.NDArray[np.float64]
    named: npt.NDArray[np.bool_]
    answers: npt.NDArray[np.int8]
    covered: float


def read_units(folder: Path, manifest: Manifest, unit: Unit, *, rare: bool) -> Units:
    """The units of an extraction; statements in fewer than 11 ECGs only where ``rare``."""
    if unit == "reports":
        return _reports(folder, manifest.labels)
    return _statements(folder, manifest.labels, policies(manifest), rare)


def policies(manifest: Manifest) -> dict[str, str]:
    """What an uncertain mention counts as, per label."""
    own: Mapping[str, str] = manifest.counts["own_policy"]
    return {label: own.get(label, manifest.options["uncertain"]) for label in manifest.labels}


def texts(folder: Path, unit: Unit, numbers: Sequence[int]) -> list[str]:
    """The masked text of each unit, in the order asked.

    A report is its statements in order, without its signature. Parts other than the findings are
    named before each of their statements, because what they say counts differently.
    """
    shown = (
        pl.when(pl.col(SEGMENT) == FINDINGS)
        .then(pl.lit(""))
        .otherwise("[" + pl.col(SEGMENT) + "] ")
    )
    text = shown + pl.col(TEXT).str.replace_all(r"\s+", " ")
    if unit == "statements":
        held = (
            scan_table(folder, STATEMENTS_FILE)
            .filter(pl.col(STATEMENT).is_in(list(numbers)))
            .select(number=pl.col(STATEMENT).cast(pl.Int64), text=text)
            .collect()
        )
    else:
        held = (
            _held(folder)
            .filter(pl.col("number").is_in(list(numbers)))
            .join(scan_table(folder, STATEMENTS_FILE), on=STATEMENT)
            .filter(pl.col(SEGMENT) != "signature")
            .sort("number", POSITION)
            .group_by("number", maintain_order=True)
            .agg(text.str.join(_BETWEEN).alias("text"))
            .collect()
        )
    found = dict(held.iter_rows())
    return [found.get(number, "") for number in numbers]


def ecg_ids(folder: Path, unit: Unit, numbers: Sequence[int]) -> list[str]:
    """An ECG in which each unit stands: the first that holds the statement, or the report's own."""
    if unit == "statements":
        first = (
            _held(folder)
            .filter(pl.col(STATEMENT).is_in(list(numbers)))
            .group_by(STATEMENT)
            .agg(pl.col("number").min())
            .collect()
        )
        report = dict(first.iter_rows())
        numbers = [report[number] for number in numbers]
    rows = [number // len(SOURCES) for number in numbers]
    ids = (
        scan_table(folder, LABELS_FILE)
        .select(ID)
        .with_row_index(ROW)
        .filter(pl.col(ROW).is_in(rows))
        .collect()
    )
    named: dict[int, str] = dict(ids.iter_rows())
    return [named[row] for row in rows]


def _reports(folder: Path, labels: tuple[str, ...]) -> Units:
    table = scan_table(folder, LABELS_FILE)
    columns = table.collect_schema().names()
    numbers: list[npt.NDArray[np.int64]] = []
    named: list[npt.NDArray[np.bool_]] = []
    answers: list[npt.NDArray[np.int8]] = []
    for code, source in enumerate(SOURCES):
        if state_column(source, labels[0]) not in columns:
            continue
        states = [state_column(source, label) for label in labels]
        values = [value_column(source, label) for label in labels]
        read = (
            table.select(*states, *values)
            .with_row_index(ROW)
            .filter(pl.col(states[0]).is_not_null())
            .collect()
        )
        numbers.append(read[ROW].to_numpy().astype(np.int64) * len(SOURCES) + code)
        named.append(np.isin(read.select(states).to_numpy(), _NAMED))
        answers.append(read.select(values).to_numpy().astype(np.int8))
    number = np.concatenate(numbers)
    return Units("reports", number, np.ones(len(number)), np.vstack(named), np.vstack(answers), 1.0)


def _statements(
    folder: Path, labels: tuple[str, ...], policy: Mapping[str, str], rare: bool
) -> Units:
    held = pl.col(N_MACHINE).cast(pl.Int64) + pl.col(N_EXPERT).cast(pl.Int64)
    table = (
        scan_table(folder, STATEMENTS_FILE)
        .filter(pl.col(SEGMENT).is_in(list(ASSERTING)))
        .select(STATEMENT, size=held, ecgs=pl.max_horizontal(N_MACHINE, N_EXPERT))
        .collect()
    )
    shown = table if rare else table.filter(pl.col("ecgs") >= SHOWN_FROM)
    states = np.zeros((len(shown), len(labels)), np.uint8)
    stated = scan_table(folder, EVIDENCE_FILE).join(
        shown.lazy().select(STATEMENT).with_row_index("at"), on=STATEMENT
    )
    for at, label, assertion in _strongest(stated).iter_rows():
        states[at, labels.index(label)] = STATE_CODES[assertion]
    answers = np.column_stack(
        [
            np.array(value_table(policy[label]), np.int8)[states[:, i]]
            for i, label in enumerate(labels)
        ]
    )
    total = int(table["size"].sum())
    return Units(
        "statements",
        shown[STATEMENT].to_numpy().astype(np.int64),
        shown["size"].to_numpy().astype(np.float64),
        np.isin(states, _NAMED),
        answers,
        int(shown["size"].sum()) / total if total else 0.0,
    )


def _strongest(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Per statement and label the assertion that decides, as for a report of that statement alone.

    What is implied ("Normal ECG") counts only where nothing states the label. That another label in
    the same statement may cancel an implication is not in the evidence, so it is left aside here.
    """
    implied = pl.col(PHRASE_ID).str.contains("/implied:", literal=True)
    return (
        evidence.filter(pl.col(ASSERTION).is_in(STATES))
        .with_columns(rank=pl.col(ASSERTION).replace_strict(RANK, default=0), implied=implied)
        .filter(~pl.col("implied") | (pl.col("rank") >= RANK["uncertain"]))
        .sort("implied", "rank", descending=[False, True])
        .group_by("at", LABEL, maintain_order=True)
        .first()
        .select("at", LABEL, ASSERTION)
        .collect()
    )


def _held(folder: Path) -> pl.LazyFrame:
    """report_statements.parquet with the number of the report."""
    number = pl.col(ROW).cast(pl.Int64) * len(SOURCES) + pl.col(SOURCE).cast(pl.Int64)
    return scan_table(folder, REPORT_STATEMENTS_FILE).with_columns(number=number)
