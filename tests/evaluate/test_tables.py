"""The paper's tables: their layout, marks, gaps, pairs of runs, and words about the macro mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overread.discrepancy.strata import Strata
from overread.evaluate import tables
from overread.evaluate.measure import measure
from overread.evaluate.scores import Evaluated, Scored
from overread.report.cells import shown
from overread.report.table import Estimate, Gap

ECGS = 200
LABELS = ("rbbb", "lvh", "never")


def scored(name, gain, paradigm="", trained_on="expert"):
    return Scored(name, "probability", paradigm, trained_on, gain[:, None] * np.ones(3))


@pytest.fixture(scope="module")
def given():
    """Two labels that the good run knows better than the bad one, and one that nobody gives."""
    random = np.random.default_rng(0)
    sick = random.random(ECGS) < 0.4
    truth = np.stack([sick, sick, np.zeros(ECGS)], 1).astype(np.int8)
    good, fair, bad = (random.normal(sick * gain) for gain in (3, 2, 0.5))
    models = (
        scored("a", bad, "supervised", "machine"),
        scored("b", good, "supervised", "expert"),
        scored("c", fair, "clip", "expert"),
        scored("d", good, "negclip", "expert"),
    )
    return Evaluated(
        LABELS, ("RBBB", "LVH", "Never"), {"expert": truth, "machine": truth},
        np.arange(ECGS) // 2, models, (Strata("site", ("N", "unknown"), np.zeros(ECGS, int)),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def measures(given):
    return measure(given, replicates=100)


def test_table_1_has_a_row_per_label_and_two_columns_per_run(measures):
    table = tables.scores_table(measures, "expert", name="table1", title="T")
    assert [column.key for column in table.columns] == [
        "label", "a_auroc", "a_auprc", "b_auroc", "b_auprc", "c_auroc", "c_auprc", "d_auroc",
        "d_auprc",
    ]  # fmt: skip
    assert [row[0] for row in table.rows] == ["RBBB", "LVH", "Never", "Macro mean"]
    assert table.rows[2][1:] == (Gap("n/a (0 positive)"),) * 8
    cell = table.rows[0][3]
    assert isinstance(cell, Estimate)
    assert cell.value == pytest.approx(100 * measures.values[measures.row(1), 0, 0])
    words = shown(table.columns[3], cell)
    assert words == f"{cell.value:.1f} [{cell.low:.1f}, {cell.high:.1f}]"
    assert any(
        "over 2 of 3 labels; fewer than 3 patients have or lack: Never" in note
        for note in table.notes
    )


def test_a_value_without_interval_says_why(given):
    truth = np.zeros((ECGS, 3), np.int8)
    truth[0] = 1
    table = tables.scores_table(
        measure(replace(given, truth={"expert": truth}), replicates=100),
        "expert", name="table1", title="T",
    )  # fmt: skip
    auroc, auprc = table.rows[0][1:3]
    # One patient's place among the others: all but nothing is known.
    assert isinstance(auroc, Estimate)
    assert auroc.high - auroc.low > 90
    assert isinstance(auprc, Gap)
    assert auprc.why.endswith("(no interval)")
    assert any("too few patients have the label" in note for note in table.notes)
    assert table.rows[-1][1] == Gap("n/a (no label)")


@pytest.mark.parametrize(
    ("value", "text"), [(53.11, "+53.1"), (-0.12, "\N{MINUS SIGN}0.1"), (-0.01, "0.0")]
)
def test_a_difference_without_interval_has_its_sign(value, text):
    gap = tables.cell(value, np.nan, np.nan, "", sign="+")
    assert gap == Gap(f"{text} (no interval)")


def test_the_best_are_bold_and_the_second_underlined_as_they_are_shown(measures):
    table = tables.scores_table(measures, "expert", name="table1", title="T")
    # b and d are the same scores: they share the first place, and c has the second.
    for row in (0, 1, 3):
        for metric in ("auroc", "auprc"):
            assert {key for at, key in table.best if at == row and key.endswith(metric)} == {
                f"b_{metric}", f"d_{metric}",
            }  # fmt: skip
            assert (row, f"c_{metric}") in table.second
    assert not any(at == 2 for at, _ in table.best | table.second)


def test_runs_are_named_by_paradigm_unless_two_share_one(given):
    assert tables.run_names(given) == ["a", "b", "c", "d"]
    assert tables.run_names(replace(given, models=given.models[1:])) == [
        "Supervised", "CLIP", "NegCLIP",
    ]  # fmt: skip


def test_table_2_compares_training_on_either_reader(measures, given):
    assert tables.trained_pairs(given) == [(0, 1)]
    table = tables.trained_table(measures, 0, 1, name="table2")
    assert [column.key for column in table.columns[1::2]] == [
        "machine_machine_auroc", "machine_expert_auroc", "expert_expert_auroc",
    ]  # fmt: skip
    gain = tables.gain_table(measures, 0, 1, name="gain")
    for row, difference in zip(table.rows, gain.rows, strict=True):
        if row[0] == "Never":
            continue
        for metric in (0, 1):
            added = row[5 + metric].value - row[3 + metric].value
            assert difference[1 + metric].value == pytest.approx(added)
            assert difference[1 + metric].low > 0


def test_seeds_of_one_paradigm_are_paired_in_their_order(given):
    machine, expert = given.models[:2]
    runs = tuple(
        replace(one, name=f"{one.name}{seed}") for one in (expert, machine) for seed in (0, 1)
    )
    assert tables.trained_pairs(replace(given, models=runs)) == [(2, 0), (3, 1)]
    alone = replace(given, truth={"expert": given.truth["expert"]}, models=runs)
    assert tables.trained_pairs(alone) == []


def test_pairs_and_differences_are_of_all_runs(measures):
    pairs = tables.pairs_table(measures, "expert", name="pairs", title="T")
    assert [row[0] for row in pairs.rows] == [
        "b less a", "c less a", "c less b", "d less a", "d less b", "d less c",
    ]  # fmt: skip
    assert pairs.rows[4][1] == Gap("0.0 (no interval)")
    assert shown(pairs.columns[1], pairs.rows[0][1]).startswith("+")
    differences = tables.differences_table(measures, "expert", name="differences")
    assert differences.rows[-1][1] == pairs.rows[0][1]


def test_s08_groups_add_up_and_say_over_how_many_labels_they_are(measures):
    auroc, auprc = tables.groups_tables(measures, 0)
    assert [column.key for column in auprc.columns[3:]] == [f"{run}_auprc" for run in "abcd"]
    for table in (auroc, auprc):
        assert [row[:3] for row in table.rows] == [("N", ECGS, 2), ("All ECGs", ECGS, 2)]
        assert table.rows[0][3:] == table.rows[1][3:]


def test_every_figure_stands_in_the_table_for_files(measures):
    table = tables.all_figures(measures)
    rows = [dict(zip((c.key for c in table.columns), row, strict=True)) for row in table.rows]
    assert len(rows) == 4 * 4 * (2 + 2)  # runs, labels and macro, readers and groups
    assert [row["run"] for row in rows if row["label"] == "macro" and row["by"] == "site"][:4] == [
        "a", "b", "c", "d",
    ]  # fmt: skip
    assert rows[0]["positive"] == int((measures.evaluated.truth["expert"][:, 0] == 1).sum())
