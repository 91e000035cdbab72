"""The ECGs behind every number of every table of a small extraction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from overread.discrepancy.api import Discrepancy
from overread.discrepancy.flows import HEDGE_SHIFTS
from overread.errors import UsageError
from overread.labels.api import Extraction
from overread.sources.open import open_source

TEXTS = (
    ("Atrial fibrillation", "Atrial flutter"),
    ("Atrial fibrillation with rapid ventricular response", "Atrial flutter"),
    ("Atrial fibrillation", "Atrial fibrillation"),
    ("Sinus rhythm\nPossible LVH", "Sinus rhythm\nLVH"),
    ("Sinus rhythm\nLVH", "Sinus rhythm\nPossible LVH"),
    ("Sinus rhythm\nPossible LVH", "Sinus rhythm\nPossible LVH"),
    ("Sinus rhythm\nPossible LVH", "Sinus rhythm"),
    ("Sinus rhythm", "Sinus rhythm\nPossible LVH"),
    ("Sinus rhythm\nAtrial fibrillation", "Sinus rhythm"),
    ("Sinus rhythm\nLVH\nRBBB", None),
    (None, "Sinus rhythm"),
    ("Sinus rhythm. Cannot rule out inferior infarct", "SINUS RHYTHM"),
    ("Sinus rhythm\nInferior infarct", "Sinus rhythm\nOld inferior infarct"),
    ("Left axis deviation\nRight axis deviation", "Right axis deviation"),
)
SITES = ["n", "s", None, "n", "n", "s", "s", "", "n", "n", "s", "n", "s", "s"]
DATES = ["2019-01-02", "2019-02-03", "x", "2019-01-09", *["2019-02-28"] * 10]
AGES = [30, 50, 70, None, 200, 30, 30, 50, 60, 70, 80, 41, 42, 43]


@pytest.fixture(scope="module")
def found(read: Callable[..., Extraction], compare: Callable[..., Discrepancy]) -> Discrepancy:
    return compare(read(*TEXTS, site=SITES, date=DATES, age=AGES))


def test_cells_of_the_tables_of_counts(found: Discrepancy) -> None:
    assert found.pairs.n == 12
    for row in found.counts.iter_rows(named=True):
        for change in ("machine", "over_read", "disagreement", "both", "removed", "added",
                       "neither"):  # fmt: skip
            assert found.cases(row["label"], change).height == row[change], (row["label"], change)


def test_cells_of_the_tables_under_each_policy(found: Discrepancy) -> None:
    assert found.policies.height == 3 * len(found.labels)
    for row in found.policies.iter_rows(named=True):
        for change in ("machine", "over_read", "both", "removed", "added", "neither"):
            cases = found.cases(row["label"], change, uncertain=row["policy"])
            assert cases.height == row[change], row


def test_cells_of_the_flows_and_pairs_of_changes(found: Discrepancy) -> None:
    flows = {(r["removed"], r["added"]): r["n"] for r in found.flows.iter_rows(named=True)}
    assert flows["atrial_fibrillation", "atrial_flutter"] == 2
    for (removed, added), n in flows.items():
        if removed and added:
            cases = found.cases(removed, "removed", (added, "added"))
            assert cases.height == n
            assert f"machine_{removed}" in cases.columns
            assert f"expert_{added}" in cases.columns
    assert found.changed_together.height
    for row in found.changed_together.iter_rows(named=True):
        cases = found.cases(row["left"], row["left_change"], (row["right"], row["right_change"]))
        assert cases.height == row["n"]


def test_cells_of_the_hedges(found: Discrepancy) -> None:
    row = found.hedges.filter(label="lvh").row(0, named=True)
    ids = {"made_definite": "4", "hedged": "5", "kept": "6", "hedge_dropped": "7",
           "hedge_added": "8"}  # fmt: skip
    for shift in HEDGE_SHIFTS:
        assert row[shift] == 1
        case = found.cases("lvh", shift).row(0, named=True)
        assert case["id"] == ids[shift]
    for row in found.hedges.iter_rows(named=True):
        for shift in HEDGE_SHIFTS:
            assert found.cases(row["label"], shift).height == row[shift]


def test_hedges_are_apart_from_labels_added_and_removed(found: Discrepancy) -> None:
    """Under "positive" possible LVH is LVH: only 7 and 8, where it goes and comes, are changes."""
    row = found.counts.filter(label="lvh").row(0, named=True)
    assert (row["both"], row["removed"], row["added"]) == (3, 1, 1)


def test_cells_of_the_groups(found: Discrepancy) -> None:
    for by in ("site", "date", ("age", [40.0, 60.0])):
        table = found.strata(by)
        for row in table.iter_rows(named=True):
            for change in ("both", "removed", "added"):
                cases = found.cases(row["label"], change, by=[(by, row["stratum"])])
                assert cases.height == row[change], row
    crossed = found.cases("lvh", "machine", by=[("site", "s"), (("age", [40]), "under 40")])
    assert crossed["id"].to_list() == ["6", "7"]


def test_cells_of_contradictory_pairs(found: Discrepancy) -> None:
    rows = {(r["left"], r["right"]): r for r in found.contradictions.iter_rows(named=True)}
    left, right = "left_axis_deviation", "right_axis_deviation"
    assert (rows[left, right]["machine"], rows[left, right]["expert"]) == (1, 0)
    for (left, right), row in rows.items():
        for side, change in (("machine", "machine"), ("expert", "over_read")):
            assert found.cases(left, change, (right, change)).height == row[side]


def test_numbers_of_the_statement_tables(found: Discrepancy) -> None:
    edits = found.edits
    assert edits is not None
    for change in ("deleted", "added"):
        frame = edits.statements(change)
        assert frame.height
        for row in frame.iter_rows(named=True):
            cases = found.statement_cases(change, row["statement"])
            assert cases.height == row["n"] <= row["of"]
    assert edits.reworded().height
    for row in edits.reworded().iter_rows(named=True):
        cases = found.statement_cases("reworded", row["statement"], row["into"])
        assert cases.height == row["n"]


def test_a_case_shows_id_columns_states_and_evidence(found: Discrepancy) -> None:
    case = found.cases("inferior_mi", "disagreement").drop("label_row")
    assert case.columns == [
        "id", "patient_id", "site", "date", "age", "machine_inferior_mi", "expert_inferior_mi",
        "machine_evidence", "expert_evidence",
    ]  # fmt: skip
    assert case["id"].to_list() == ["12"]
    row = case.row(0, named=True)
    assert (row["machine_inferior_mi"], row["expert_inferior_mi"]) == ("uncertain", "unmentioned")
    assert (
        row["machine_evidence"]
        .lower()
        .startswith('inferior infarct (uncertain by "cannot rule out", infarction.yaml:')
    )
    assert row["expert_evidence"] is None
    flow = found.cases("atrial_fibrillation", "removed", ("atrial_flutter", "added"))
    assert flow.columns[-6:] == [
        "machine_atrial_fibrillation", "expert_atrial_fibrillation", "machine_atrial_flutter",
        "expert_atrial_flutter", "machine_evidence", "expert_evidence",
    ]  # fmt: skip


def test_cases_of_plain_tables_show_ones_and_noughts(compare: Callable[..., Discrepancy]) -> None:
    frame = pl.DataFrame({"machine_x": [1, 0, -1], "expert_x": [0, 1, 1], "id": ["=a", "07", "c"]})
    cases = compare(frame).cases("x", "disagreement")
    assert cases.drop("label_row").rows() == [("=a", "1", "0"), ("07", "0", "1")]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.cases("lhv", "added"), "no label 'lhv'"),
        (lambda f: f.cases("lvh", "deleted"), "change 'deleted' is not known"),
        (lambda f: f.cases("lvh", "added", by=[("site", "west")]), "'site' has no group 'west'"),
        (lambda f: f.cases("lvh", "added", by=[("ward", "1")]), "no column 'ward'"),
        (lambda f: f.statement_cases("disagreement", 0), "disagreement"),
        (lambda f: f.statement_cases("reworded", 0), "without a second statement"),
        (lambda f: f.statement_cases("deleted", 0, 1), "with a second statement"),
    ],
)
def test_what_is_not_there_is_refused(
    ask: Callable[[Discrepancy], Any], words: str, found: Discrepancy
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        ask(found)
    assert "Next step: " in str(refused.value)


def test_plain_tables_have_no_statements(compare: Callable[..., Discrepancy]) -> None:
    found = compare(pl.DataFrame({"machine_x": [1], "expert_x": [0]}))
    assert found.edits is None
    with pytest.raises(UsageError, match="without statements"):
        found.statement_cases("deleted", 0)


def test_the_athletes_by_hand(
    shared: Path, labeler: Any, monkeypatch: pytest.MonkeyPatch, compare: Callable[..., Discrepancy]
) -> None:
    """14 pairs, counted by hand in the headers' comments."""
    import overread

    monkeypatch.setattr("overread.labels.api.Labeler", lambda *_: labeler)
    folder = shared / "data" / "norwegian-athlete-ecg"
    assert open_source(folder).columns.expert
    found = compare(overread.extract(folder, workers=1))
    by_hand = {
        "sinus_rhythm": (14, 14, 0), "right_axis_deviation": (5, 2, 3),
        "left_axis_deviation": (1, 1, 0), "lvh": (0, 2, 2), "rvh": (1, 0, 1),
        "anterior_mi": (1, 0, 1), "inferior_mi": (1, 0, 1),
    }  # fmt: skip
    for label, *counts in found.table_a1.select(
        "label", "machine", "over_read", "disagreement"
    ).iter_rows():
        assert tuple(counts) == by_hand.get(label, (0, 0, 0)), label
    assert {(row[0], row[1]): row[2] for row in found.flows.iter_rows()} == {
        ("right_axis_deviation", None): 3, (None, "lvh"): 1, ("anterior_mi", "lvh"): 1,
        ("rvh", None): 1, ("inferior_mi", None): 1,
    }  # fmt: skip
    assert found.cases("lvh", "added")["id"].to_list() == ["ath_006", "ath_010"]
    assert found.cases("lvh", "hedge_added")["id"].to_list() == ["ath_010"]
    edits = found.edits
    assert edits is not None
    deleted = {row["text"]: row["n"] for row in edits.statements("deleted").iter_rows(named=True)}
    assert deleted["Borderline ECG"] == 5  # 001, 002, 004, 008, 009
    assert deleted["Otherwise normal ECG"] == 3  # 005, 006, 012
    assert deleted["Abnormal ECG"] == 4  # 003, 007, 013, 014; 010 says EKG


def test_p01_a_group_for_every_patient_is_not_listed(compare: Callable[..., Discrepancy]) -> None:
    names = [f"NAME{number}" for number in range(30)]  # "unknown" is a group too
    frame = pl.DataFrame({"machine_x": [1] * 30, "expert_x": [0] * 30, "ward": names})
    with pytest.raises(UsageError, match="'ward' has no group 'B'; it has 31 groups") as refused:
        compare(frame).cases("x", "removed", by=[("ward", "B")])
    assert "NAME" not in str(refused.value)
