"""Counts, flows and pairs of changes beside a slow reference in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

import overread
from overread.discrepancy.api import Discrepancy
from overread.discrepancy.cases import CHANGES
from overread.errors import TableError
from overread.tables import STATES

VALUE = st.sampled_from([0, 1, 0, 1, -1, None])
LABELS = ("a", "b", "c")
ROW = st.tuples(*[VALUE] * 6)
TABLES = st.lists(ROW, min_size=1, max_size=40)


def frame_of(rows: list[tuple[Any, ...]], dtype: Any = pl.Int8) -> pl.DataFrame:
    names = [f"{source}_{label}" for label in LABELS for source in ("machine", "expert")]
    return pl.DataFrame(rows, dict.fromkeys(names, pl.Int8), orient="row").cast(dtype)


def change(machine: int | None, expert: int | None) -> str:
    if machine in (None, -1) or expert in (None, -1):
        return "out"
    return {(1, 1): "both", (1, 0): "removed", (0, 1): "added", (0, 0): "neither"}[machine, expert]


def paired(rows: list[tuple[Any, ...]]) -> list[list[str]]:
    """What became of each label in every ECG that has both readings."""
    return [
        [change(row[2 * at], row[2 * at + 1]) for at in range(3)]
        for row in rows
        if any(row[at] is not None for at in (0, 2, 4))
        and any(row[at] is not None for at in (1, 3, 5))
    ]


@settings(max_examples=50, deadline=None)
@given(TABLES, st.sampled_from([pl.Int8, pl.Int64, pl.Float64, pl.String]))
def test_counts_flows_and_pairs_equal_the_reference(
    rows: list[tuple[Any, ...]], dtype: Any
) -> None:
    ecgs = paired(rows)
    if not ecgs:
        with pytest.raises(TableError, match="has both readings"):
            overread.discrepancy(frame_of(rows, dtype))
        return
    found = overread.discrepancy(frame_of(rows, dtype))
    assert found.pairs.n == len(ecgs)
    for at in range(len(LABELS)):
        n = Counter(ecg[at] for ecg in ecgs)
        row = found.counts.row(at, named=True)
        assert {key: row[key] for key in ("both", "removed", "added", "neither")} == {
            key: n[key] for key in ("both", "removed", "added", "neither")
        }
        assert row["n"] == len(ecgs) - n["out"]
        assert row["machine"] == n["both"] + n["removed"]
        assert row["over_read"] == n["both"] + n["added"]
        # FAULTS S01, S02
        assert row["added"] - row["removed"] == row["over_read"] - row["machine"]
        assert row["added"] + row["removed"] == row["disagreement"]
        for key in ("added", "removed"):
            share = 100 * n[key] / row["machine"] if row["machine"] else None
            assert row[f"{key}_pct"] == (None if share is None else pytest.approx(share))
    for what in CHANGES[:7]:
        assert found.cases("a", what).height == found.counts.row(0, named=True)[what]
    assert dict_of(found.flows) == flows_of(ecgs)
    together = {
        frozenset(((r["left"], r["left_change"]), (r["right"], r["right_change"]))): r
        for r in found.changed_together.iter_rows(named=True)
    }
    changes = [
        {(label, ecg[at]) for at, label in enumerate(LABELS) if ecg[at] in ("added", "removed")}
        for ecg in ecgs
    ]
    single = Counter(one for ecg in changes for one in ecg)
    pairs = Counter(frozenset(pair) for ecg in changes for pair in combinations(sorted(ecg), 2))
    assert {pair: row["n"] for pair, row in together.items()} == pairs
    for pair, row in together.items():
        left, right = pair
        assert row["expected"] == pytest.approx(single[left] * single[right] / len(ecgs))
        assert row["ratio"] == pytest.approx(row["n"] / row["expected"])


def dict_of(flows: pl.DataFrame) -> dict[tuple[str | None, str | None], int]:
    return {(row["removed"], row["added"]): row["n"] for row in flows.iter_rows(named=True)}


def flows_of(ecgs: list[list[str]]) -> Counter[tuple[str | None, str | None]]:
    out: Counter[tuple[str | None, str | None]] = Counter()
    for ecg in ecgs:
        removed = [label for at, label in enumerate(LABELS) if ecg[at] == "removed"]
        added = [label for at, label in enumerate(LABELS) if ecg[at] == "added"]
        for one in removed:
            for other in added:
                out[one, other] += 1
            if not added:
                out[one, None] += 1
        if not removed:
            for other in added:
                out[None, other] += 1
    return out


STATE = st.integers(0, 5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(STATE, STATE), min_size=1, max_size=40),
    st.sampled_from(["positive", "negative", "missing"]),
)
def test_policies_hedges_and_transitions_equal_the_reference(
    rows: list[tuple[int, int]], policy: str
) -> None:
    """States as code numbers; values follow from them by LABELS."""

    def value(state: int, policy: str) -> int:
        name = STATES[state]
        if name == "uncertain":
            return {"positive": 1, "negative": 0, "missing": -1}[policy]
        return {"present": 1, "not_assessable": -1 if policy == "missing" else 0}.get(name, 0)

    frame = pl.DataFrame({
        "machine_x": [value(m, policy) for m, _ in rows], "machine_state_x": [m for m, _ in rows],
        "expert_x": [value(e, policy) for _, e in rows], "expert_state_x": [e for _, e in rows],
    })  # fmt: skip
    found = overread.discrepancy(frame)
    states = Counter((STATES[m], STATES[e]) for m, e in rows)
    assert {(r[1], r[2]): r[3] for r in found.transitions.iter_rows()} == states
    for row in found.policies.iter_rows(named=True):
        cells = Counter(change(value(m, row["policy"]), value(e, row["policy"])) for m, e in rows)
        for key in ("both", "removed", "added", "neither"):
            assert row[key] == cells[key]
            assert found.cases("x", key, uncertain=row["policy"]).height == cells[key]
    main = Counter(change(value(m, policy), value(e, policy)) for m, e in rows)
    tells = {3} if policy == "negative" else {3} if policy == "positive" else {3, 5}
    if any(set(pair) & tells for pair in rows):
        assert found.counts.row(0, named=True)["removed"] == main["removed"]
        assert found.counts.row(0, named=True)["n"] == len(rows) - main["out"]
    asserted = ("uncertain", "present")
    hedges = found.hedges.row(0, named=True)
    by_hand = {
        "made_definite": states["uncertain", "present"],
        "hedged": states["present", "uncertain"],
        "kept": states["uncertain", "uncertain"],
        "hedge_dropped": sum(n for (m, e), n in states.items()
                             if m == "uncertain" and e not in asserted),
        "hedge_added": sum(n for (m, e), n in states.items()
                           if e == "uncertain" and m not in asserted),
    }  # fmt: skip
    assert {key: hedges[key] for key in by_hand} == by_hand
    for shift, n in by_hand.items():
        assert found.cases("x", shift).height == n


def test_code_test_kappas_are_the_published_ones(
    shared: object, compare: Callable[..., Discrepancy]
) -> None:
    folder = shared / "data" / "code-test" / "annotations"  # type: ignore[operator]
    published = {
        ("dnn", "cardiologist1"): [0.758, 0.928, 0.964, 0.770, 0.696, 0.847],
        ("dnn", "cardiologist2"): [0.852, 0.942, 1.000, 0.770, 0.746, 0.884],
        ("cardiologist1", "cardiologist2"): [0.741, 0.955, 0.964, 0.844, 0.831, 0.902],
    }
    for (one, other), kappas in published.items():
        found = compare(folder / f"{one}.csv", folder / f"{other}.csv")
        assert found.labels == ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
        assert found.pairs.n == 827
        assert [round(k, 3) for k in found.agreement["kappa"]] == kappas
        machine, expert = (pl.read_csv(folder / f"{name}.csv") for name in (one, other))
        for label, kappa in zip(found.labels, found.agreement["kappa"], strict=True):
            assert kappa == pytest.approx(cohen_kappa_score(machine[label], expert[label]))


def test_s02_s03_nothing_to_divide_by_is_said(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({
        "machine_never": [0, 0, 0], "expert_never": [0, 0, 0],
        "machine_added": [0, 0, 0], "expert_added": [1, 1, 0],
        "machine_always": [1, 1, 1], "expert_always": [1, 1, 1],
    })  # fmt: skip
    found = compare(frame)
    assert found.counts["added_pct"].to_list() == [None, None, 0.0]
    assert found.agreement["kappa"].to_list() == [None, 0.0, None]
    tables = {table.name: table for table in found.document().tables}
    cells = [str(cell.why) for cell in tables["table_a1"].rows[1] if hasattr(cell, "why")]
    assert cells == ["n/a (0 machine)"] * 2
    kappa = list(tables["agreement"].column("kappa"))
    assert kappa[0] == ("not estimable",)
    assert kappa[2] == ("not estimable",)


def test_one_ecg_one_label(compare: Callable[..., Discrepancy]) -> None:
    found = compare(pl.DataFrame({"machine_x": [1], "expert_x": [0]}))
    assert found.table_a1.row(0) == ("x", 1, 0, 1, 0.0, 100.0)
    assert found.flows.rows() == [("x", None, 1)]
    (table,) = (one for one in found.document(detail=True).tables if one.name == "table_a1")
    assert table.rows == (("x", 1, 0, 1, 0.0, 100.0),)


def test_counts_of_many_ecgs_go_block_by_block(compare: Callable[..., Discrepancy]) -> None:
    """More than a block of 2^20, with values to the very last row."""
    n = (1 << 20) + 3
    machine = np.zeros(n, np.int8)
    machine[-2:] = 1
    found = compare(pl.DataFrame({"machine_x": machine, "expert_x": machine[::-1].copy()}))
    assert found.counts.row(0)[1:6] == (n, 0, 2, 2, n - 4)
