"""Table A.1 of the paper and the 2x2 counts that it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.pair import BOTH, EXPERT_ONLY, MACHINE_ONLY, NEITHER, OUT, Codes, Pairs
from overread.errors import OverreadError
from overread.tables import LABEL, POLICIES

Counts = npt.NDArray[np.int64]

#: Columns of Table A.1 (the paper), and what it hides.
TABLE_A1: Final = (LABEL, "machine", "over_read", "disagreement", "added_pct", "removed_pct")
_BLOCK: Final = 1 << 20  # ECGs counted at a time


def count_cells(
    cells: Codes, groups: npt.NDArray[np.int64] | None = None, n_groups: int = 1
) -> Counts:
    """Counts of both, machine only, expert only, neither: groups x labels x 4.

    ``cells`` is labels x ECGs as `Pairs.cells` gives it; ``groups`` the group of each ECG from 0
    to ``n_groups - 1``. Cells that are OUT are not counted.

    >>> count_cells(np.array([[0, 1, 3, 3, 4]], np.uint8)).tolist()
    [[[1, 1, 0, 2]]]
    """
    out = np.zeros((n_groups, len(cells), OUT + 1), np.int64)
    for number, row in enumerate(cells):
        for start in range(0, len(row), _BLOCK):
            some = row[start : start + _BLOCK]
            if groups is None:
                out[0, number] += np.bincount(some, minlength=OUT + 1)
            else:
                at = groups[start : start + _BLOCK] * (OUT + 1) + some
                found = np.bincount(at, minlength=n_groups * (OUT + 1))
                out[:, number] += found.reshape(n_groups, OUT + 1)
    return out[:, :, :OUT]


def counts_frame(labels: tuple[str, ...], counts: Counts) -> pl.DataFrame:
    """One row per label: the figures of Table A.1 and those that it hides.

    ``counts`` is labels x 4. Columns: label, n, both, removed, added, neither (the 2x2 table),
    machine, over_read, disagreement, added_pct and removed_pct (percent of the machine's count, as
    in the paper) and missed_pct (added, as percent of the over-read's count: what the machine
    misses). A percentage of nothing is null (FAULTS S02).

    >>> counts_frame(("lvh",), np.array([[90, 10, 30, 870]])).select(TABLE_A1).row(0)
    ('lvh', 100, 120, 40, 30.0, 10.0)
    """
    frame = pl.DataFrame(
        {
            LABEL: list(labels),
            "both": counts[:, BOTH],
            "removed": counts[:, MACHINE_ONLY],
            "added": counts[:, EXPERT_ONLY],
            "neither": counts[:, NEITHER],
        },
        schema_overrides={LABEL: pl.String},
    ).with_columns(
        n=pl.col("both") + pl.col("removed") + pl.col("added") + pl.col("neither"),
        machine=pl.col("both") + pl.col("removed"),
        over_read=pl.col("both") + pl.col("added"),
        disagreement=pl.col("added") + pl.col("removed"),
    )
    _check_identities(frame)
    return frame.with_columns(
        added_pct=_percent("added", "machine"),
        removed_pct=_percent("removed", "machine"),
        missed_pct=_percent("added", "over_read"),
    ).select(
        LABEL, "n", "both", "removed", "added", "neither",
        *TABLE_A1[1:], "missed_pct",
    )  # fmt: skip


def label_counts(pairs: Pairs, policy: str | None = None) -> pl.DataFrame:
    """`counts_frame` of all pairs, under the table's policy or another."""
    return counts_frame(pairs.labels, count_cells(pairs.cells(policy))[0])


def policy_counts(pairs: Pairs) -> pl.DataFrame:
    """`counts_frame` under each of the three policies for uncertain mentions, one below the other.

    Empty where the table has no states: nothing is known of hedges then.
    """
    frames = [
        label_counts(pairs, policy).insert_column(0, pl.lit(policy).alias("policy"))
        for policy in POLICIES
    ]
    return pl.concat(frames) if pairs.hedges else pl.concat(frames).clear()


def excluded(pairs: Pairs) -> Iterator[tuple[str, int]]:
    """Labels for which some of the pairs have no value, and how many."""
    for label, row in zip(pairs.labels, pairs.cells(), strict=True):
        if out := int((row == OUT).sum()):
            yield label, out


def _percent(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(100 * pl.col(part) / pl.col(whole))


def _check_identities(frame: pl.DataFrame) -> None:
    """Added - removed = over-read - machine (FAULTS S01); a bug would show here."""
    wrong = frame.filter(
        pl.col("added") - pl.col("removed") != pl.col("over_read") - pl.col("machine")
    )
    if wrong.height:
        raise OverreadError(f"the counts of {wrong[LABEL][0]!r} do not add up; report this error")
