"""What changes with what within one ECG: flows, label pairs, contradictions, hedges."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from overread.discrepancy.pair import EXPERT_ONLY, MACHINE_ONLY, Codes, Pairs
from overread.tables import LABEL, SOURCES, STATE_CODES, STATES
from overread.text.labeler import value_of

#: What may become of a hedge ("possible LVH"), see `hedge_shift`.
HEDGE_SHIFTS: Final = ("made_definite", "hedged", "kept", "hedge_dropped", "hedge_added")


def flows(labels: tuple[str, ...], cells: Codes) -> pl.DataFrame:
    """How often one label was removed and another added in the same ECG.

    Columns: removed, added (a label each, null: nothing), n (ECGs). An ECG with one removal and two
    additions counts in two rows; rows with 0 ECGs are left out.

    >>> cells = np.array([[1, 1, 3], [2, 3, 2]], np.uint8)  # AF removed twice, flutter added twice
    >>> flows(("af", "flutter"), cells).rows()
    [('af', 'flutter', 1), ('af', None, 1), (None, 'flutter', 1)]
    """
    removed, added = _changed(cells)
    both = _together(removed, added)
    alone_out = (removed & ~added.any(axis=0)).sum(axis=1)
    alone_in = (added & ~removed.any(axis=0)).sum(axis=1)
    rows: list[tuple[str | None, str | None, int]] = [
        (r, a, int(both[i, j])) for i, r in enumerate(labels) for j, a in enumerate(labels)
    ]
    rows += [(label, None, int(n)) for label, n in zip(labels, alone_out, strict=True)]
    rows += [(None, label, int(n)) for label, n in zip(labels, alone_in, strict=True)]
    return pl.DataFrame(
        [row for row in rows if row[2]],
        schema={"removed": pl.String, "added": pl.String, "n": pl.Int64},
        orient="row",
    )


def changed_together(labels: tuple[str, ...], cells: Codes) -> pl.DataFrame:
    """Pairs of labels that change in the same ECG, most frequent first.

    Columns: left, left_change, right, right_change ("added" or "removed"), n, expected (ECGs if the
    two changes had nothing to do with each other), ratio (n / expected).
    """
    changes = np.concatenate(_changed(cells))
    names = [(label, change) for change in ("removed", "added") for label in labels]
    together = _together(changes, changes)
    singles = np.diagonal(together)
    ecgs = cells.shape[1]
    rows = []
    for i, (left, left_change) in enumerate(names):
        for j in range(i + 1, len(names)):
            if together[i, j]:
                expected = float(singles[i] * singles[j]) / ecgs
                n = int(together[i, j])
                rows.append((left, left_change, *names[j], n, expected, n / expected))
    return pl.DataFrame(
        rows,
        schema={
            "left": pl.String, "left_change": pl.String, "right": pl.String,
            "right_change": pl.String, "n": pl.Int64, "expected": pl.Float64, "ratio": pl.Float64,
        },
        orient="row",
    ).sort("n", "ratio", descending=True, maintain_order=True)  # fmt: skip


def transitions(pairs: Pairs) -> pl.DataFrame:
    """How often each state of the machine's reading became which of the expert's.

    Columns: label, machine, expert (names of states), n. Rows with 0 ECGs are left out; readings
    without a state are not counted.
    """
    known = len(STATES)
    rows = []
    for number, label in enumerate(pairs.labels):
        machine, expert = pairs.machine[number], pairs.expert[number]
        at = np.bincount(machine * np.uint8(16) + expert, minlength=256).reshape(16, 16)
        rows += [
            (label, STATES[m], STATES[e], int(at[m, e]))
            for m, e in zip(*np.nonzero(at[:known, :known]), strict=True)
        ]
    return pl.DataFrame(
        rows,
        schema={LABEL: pl.String, "machine": pl.String, "expert": pl.String, "n": pl.Int64},
        orient="row",
    )


def hedge_shifts(pairs: Pairs) -> pl.DataFrame:
    """Hedges put in, taken out and dropped, apart from labels added and removed.

    Columns: label; made_definite (possible -> stated), hedged (stated -> possible), kept (possible
    on both sides), hedge_dropped (possible -> not asserted), hedge_added (the other way round).
    """
    rows = [
        (label, *(int(hedge_shift(pairs, at, shift).sum()) for shift in HEDGE_SHIFTS))
        for at, label in enumerate(pairs.labels)
    ]
    return pl.DataFrame(
        rows, schema={LABEL: pl.String, **dict.fromkeys(HEDGE_SHIFTS, pl.Int64)}, orient="row"
    )


def hedge_shift(pairs: Pairs, label: int, shift: str) -> npt.NDArray[np.bool_]:
    """The ECGs in which a hedge of the label shifted so; ``label`` is its position."""
    machine, expert = pairs.machine[label], pairs.expert[label]
    hedged, stated = STATE_CODES["uncertain"], STATE_CODES["present"]
    known = (machine < len(STATES)) & (expert < len(STATES))
    was, now = machine == hedged, expert == hedged
    shifts = {
        "made_definite": was & (expert == stated),
        "hedged": (machine == stated) & now,
        "kept": was & now,
        "hedge_dropped": was & ~now & (expert != stated),
        "hedge_added": now & ~was & (machine != stated),
    }
    out: npt.NDArray[np.bool_] = shifts[shift] & known
    return out


def contradictions(pairs: Pairs) -> pl.DataFrame:
    """Label pairs that cannot stand side by side (vocabulary: ``contradicts``), and how many do.

    Columns: left, right, machine, expert (readings that hold both).
    """
    rows = []
    for left, right in pairs.contradictions:
        i, j = pairs.index(left), pairs.index(right)
        held = [
            int((_positive(pairs, codes, i) & _positive(pairs, codes, j)).sum())
            for codes in (pairs.machine, pairs.expert)
        ]
        rows.append((left, right, *held))
    return pl.DataFrame(
        rows,
        schema={"left": pl.String, "right": pl.String, **dict.fromkeys(SOURCES, pl.Int64)},
        orient="row",
    )


def _changed(cells: Codes) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Removed and added, labels x ECGs in which anything changed."""
    removed, added = cells == MACHINE_ONLY, cells == EXPERT_ONLY
    at = np.flatnonzero(removed.any(axis=0) | added.any(axis=0))
    return removed[:, at], added[:, at]


def _together(left: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many columns hold both, for every row of the one with every row of the other."""
    # Sums of ones stay exact in float64, whose product is the fast one.
    return (left.astype(np.float64) @ right.astype(np.float64).T).astype(np.int64)


def _positive(pairs: Pairs, codes: Codes, label: int) -> npt.NDArray[np.bool_]:
    policy = pairs.policies[pairs.labels[label]]
    states = [STATE_CODES[state] for state in STATES if value_of(state, policy) == 1]
    out: npt.NDArray[np.bool_] = np.isin(codes[label], np.array(states, np.uint8))
    return out
