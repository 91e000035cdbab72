"""The ECGs behind a number of any table, with both states and the evidence for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.flows import HEDGE_SHIFTS, hedge_shift
from overread.discrepancy.pair import BOTH, EXPERT_ONLY, LABEL_ROW, MACHINE_ONLY, NEITHER, Pairs
from overread.discrepancy.strata import Strata
from overread.errors import UsageError
from overread.tables import (
    ASSERTION,
    CUE,
    END,
    ID,
    LABEL,
    PATIENT,
    ROW,
    SOURCE,
    SOURCES,
    START,
    STATEMENT,
    STATES,
    TEXT,
    VOCAB_FILE,
    VOCAB_LINE,
)

_LISTED: Final = 20  # groups that a message names
_CELLS: Final[dict[str, tuple[int, ...]]] = {
    "added": (EXPERT_ONLY,),
    "removed": (MACHINE_ONLY,),
    "both": (BOTH,),
    "neither": (NEITHER,),
    "disagreement": (EXPERT_ONLY, MACHINE_ONLY),
    "machine": (BOTH, MACHINE_ONLY),
    "over_read": (BOTH, EXPERT_ONLY),
}

#: What `cases` can be asked for: cells of the 2x2 table, its margins, and shifts of hedges.
CHANGES: Final = (*_CELLS, *HEDGE_SHIFTS)


class Condition(NamedTuple):
    """A label and what must have become of it."""

    label: str
    change: str


def selected(
    pairs: Pairs,
    conditions: Sequence[Condition],
    *,
    policy: str | None = None,
    groups: Sequence[tuple[Strata, str]] = (),
) -> npt.NDArray[np.bool_]:
    """Which of the pairs meet all conditions and lie in all the groups named.

    Raises UsageError for an unknown label, change or group.
    """
    cells = pairs.cells(policy)
    out = np.ones(pairs.n, bool)
    for label, change in conditions:
        at = pairs.index(label)
        if change in _CELLS:
            out &= np.isin(cells[at], np.array(_CELLS[change], np.uint8))
        elif change in HEDGE_SHIFTS:
            out &= hedge_shift(pairs, at, change)
        else:
            raise UsageError(
                f"the change {change!r} is not known. Next step: one of {', '.join(CHANGES)}."
            )
    for strata, name in groups:
        if name not in strata.names:
            raise UsageError(
                f"{strata.column!r} has no group {name!r}; it has {_listed(strata.names)}. "
                "Next step: name one that the table has."
            )
        out &= strata.codes == strata.names.index(name)
    return out


def _listed(names: Sequence[str]) -> str:
    """Groups by name; as many as there are patients are no groups, and are only counted."""
    if len(names) > _LISTED:
        return f"{len(names):,} groups"
    return ", ".join(map(repr, names))


def cases_frame(pairs: Pairs, keep: npt.NDArray[np.bool_], labels: Sequence[str]) -> pl.DataFrame:
    """The pairs kept: label_row, id, patient_id where known, kept columns, both states per label.

    Without states the columns hold 1 and 0 as the table had them.
    """
    out = pairs.ecgs.filter(pl.Series(keep))
    front = [name for name in (LABEL_ROW, ID, PATIENT) if name in out.columns]
    out = out.select(*front, pl.exclude(front))
    for label in labels:
        at = pairs.index(label)
        for source, codes in zip(SOURCES, (pairs.machine, pairs.expert), strict=True):
            states = pl.Series(codes[at][keep]).replace_strict(
                dict(enumerate(_state_names(pairs))), default=None, return_dtype=pl.String
            )
            out = out.with_columns(states.alias(f"{source}_{label}"))
    return out


def with_evidence(
    cases: pl.DataFrame,
    label: str,
    statements: pl.LazyFrame,
    report_statements: pl.LazyFrame,
    evidence: pl.LazyFrame,
) -> pl.DataFrame:
    """The cases with ``machine_evidence`` and ``expert_evidence`` for one label.

    Each is the masked words that were found, what they assert, the cue, and where the phrase
    stands in the vocabulary; several are joined by "; ".
    """
    words = pl.col(TEXT).str.slice(pl.col(START), pl.col(END) - pl.col(START))
    cue = pl.when(pl.col(CUE).is_not_null()).then(pl.format(' by "{}"', CUE)).otherwise(pl.lit(""))
    told = pl.format("{} ({}{}, {}:{})", words, ASSERTION, cue, VOCAB_FILE, VOCAB_LINE)
    said = (
        evidence.filter(pl.col(LABEL) == label)
        .join(statements.select(STATEMENT, TEXT), on=STATEMENT)
        .select(STATEMENT, told.alias("told"), START)
        .sort(STATEMENT, START)
        .group_by(STATEMENT, maintain_order=True)
        .agg(pl.col("told").str.join("; "))
    )
    found = (
        report_statements.select(ROW, SOURCE, STATEMENT, "position")
        .join(cases.lazy().select(pl.col(LABEL_ROW).alias(ROW)), on=ROW, how="semi")
        .join(said, on=STATEMENT)
        .sort(ROW, SOURCE, "position")
        .group_by(ROW, SOURCE, maintain_order=True)
        .agg(pl.col("told").str.join("; "))
        .collect()
    )
    for code, source in enumerate(SOURCES):
        one = found.filter(pl.col(SOURCE) == code).select(
            ROW, pl.col("told").alias(f"{source}_evidence")
        )
        cases = cases.join(one, left_on=LABEL_ROW, right_on=ROW, how="left", maintain_order="left")
    return cases


def _state_names(pairs: Pairs) -> tuple[str, ...]:
    if pairs.hedges:
        return STATES
    return tuple({"absent": "0", "present": "1"}.get(state, state) for state in STATES)
