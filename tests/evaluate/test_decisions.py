"""Decisions of runs: against hand counts, real readers' counts, and thresholds of validation."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

import overread
from overread.evaluate.decisions import section
from overread.report.table import Gap
from overread.stats.operating import threshold
from tests.evaluate.invented import LABELS, splits

#: Ribeiro et al., Nat Commun 2020;11:1760, Table 2: precision, recall, specificity, F1 of the DNN.
PUBLISHED = {
    "1dAVb": (0.867, 0.929, 0.995, 0.897),
    "RBBB": (0.895, 1.000, 0.995, 0.944),
    "LBBB": (1.000, 1.000, 1.000, 1.000),
    "SB": (0.833, 0.938, 0.996, 0.882),
    "AF": (1.000, 0.769, 1.000, 0.870),
    "ST": (0.947, 0.973, 0.997, 0.960),
}


def rows_of(table):
    keys = [column.key for column in table.columns]
    return {row[0]: dict(zip(keys, row, strict=True)) for row in table.rows}


def positives(path, label) -> set[int]:
    with path.open(newline="") as file:
        return {row for row, cells in enumerate(csv.DictReader(file)) if cells[label] == "1"}


def test_code_test_net_against_the_gold_standard(shared):
    folder = shared / "data" / "code-test" / "annotations"
    found = overread.evaluate([folder / "dnn.csv"], folder / "gold_standard.csv", replicates=200)
    (table,) = found.decisions.items
    rows = rows_of(table)
    assert set(rows) == set(PUBLISHED)
    for label, row in rows.items():
        net, gold = (positives(folder / f, label) for f in ("dnn.csv", "gold_standard.csv"))
        hits, alarms, missed = len(net & gold), len(net - gold), len(gold - net)
        others = 827 - hits - alarms - missed
        counts = [
            row[f"{side}_{kind}"] for side in ("true", "false") for kind in ("positive", "negative")
        ]
        assert counts == [hits, others, alarms, missed]
        measures = [row[key] for key in ("ppv", "sensitivity", "specificity", "f1")]
        by_hand = (
            hits / len(net), hits / len(gold), others / (827 - len(gold)),
            2 * hits / (len(net) + len(gold)),
        )  # fmt: skip
        assert [each.value / 100 for each in measures] == pytest.approx(by_hand, abs=1e-14)
        assert [round(each.value / 100, 3) for each in measures] == pytest.approx(PUBLISHED[label])
        assert all(each.low <= each.value <= each.high for each in measures)


def test_thresholds_are_chosen_on_validation_and_judged_on_the_test_ecgs():
    both = splits(net="probability", clip="similarity")
    f1, _, thresholds, net, clip = section(both, replicates=50).items
    assert [column.title for column in f1.columns[1:]] == ["net", "clip"]
    for number, table in enumerate((net, clip)):
        scored = both.test.models[number].values
        for at, (label, row) in enumerate(rows_of(table).items()):
            chosen = both.validation.truth["expert"][:, at]
            fitted = both.validation.models[number].values[:, at]
            limit = threshold(chosen[chosen >= 0] == 1, fitted[chosen >= 0])
            assert rows_of(thresholds)[label][f"run_{number}"] == limit
            truth = both.test.truth["expert"][:, at]
            known = truth >= 0
            tn, fp, fn, tp = confusion_matrix(truth[known], scored[known, at] >= limit).ravel()
            counts = [row[f"{side}_positive"] for side in ("true", "false")]
            assert [*counts, row["false_negative"], row["true_negative"]] == [tp, fp, fn, tn]
            assert rows_of(f1)[label][f"run_{number}"] == row["f1"]


def test_differences_of_two_readers_by_the_slow_way(shared):
    """F1 of the residents less the net's, over resamples drawn here ECG by ECG."""
    folder = shared / "data" / "code-test" / "annotations"
    both = [folder / "dnn.csv", folder / "cardiology_residents.csv"]
    found = overread.evaluate(both, folder / "gold_standard.csv", replicates=1500)
    table = rows_of(next(t for t in found.decisions.items if t.name == "decisions_differences"))
    gold, net, residents = (
        np.isin(np.arange(827), list(positives(path, "1dAVb")))
        for path in (folder / "gold_standard.csv", *both)
    )
    drawn = np.random.default_rng(0).integers(0, 827, (4000, 827))

    def f1(called, rows):
        hits = (called & gold)[rows].sum(-1)
        return 2 * hits / (called[rows].sum(-1) + gold[rows].sum(-1))

    everyone = np.arange(827)
    difference = table["1dAVb"]["run_1"]
    assert difference.value == pytest.approx(100 * (f1(residents, everyone) - f1(net, everyone)))
    sd = 100 * np.std(f1(residents, drawn) - f1(net, drawn))
    assert (difference.high - difference.low) / 2 == pytest.approx(1.96 * sd, rel=0.1)
    # Both hit 15 of 16 cases of sinus bradycardia, with 3 false alarms.
    assert table["SB"]["run_1"].value == 0


def test_r16_a_label_without_positives_in_validation_has_no_threshold():
    thresholds, table = section(splits(rvh=0.0, net="probability"), replicates=50).items
    assert rows_of(thresholds)["RVH"]["run_0"] == Gap("no threshold")
    assert thresholds.notes == ("No threshold: RVH (0 positive in validation).",)
    row = rows_of(table)["RVH"]
    assert (row["true_positive"], row["f1"]) == (Gap("n/a"), Gap("no threshold"))
    assert not isinstance(rows_of(table)["LBBB"]["f1"], Gap)


def test_decisions_need_no_validation_and_scores_do():
    both = splits(validation=False, net="probability", reader="decision")
    (table,) = section(both, replicates=50).items
    assert "reader" in table.title
    assert section(splits(validation=False, net="score"), replicates=50) is None


def test_a_share_of_nothing_says_so():
    both = splits(validation=False, reader="decision")
    both.test.models[0].values[:, 0] = 0
    both.test.truth["expert"][:, 2] = 0
    (table,) = section(both, replicates=50).items
    rows = rows_of(table)
    assert rows["Atrial Fibrillation"]["ppv"] == Gap("n/a (never given)")
    assert rows["Atrial Fibrillation"]["sensitivity"].value == 0
    assert rows["RVH"]["sensitivity"] == Gap("n/a (0 positive)")
    assert rows["RVH"]["ppv"].value == 0


def test_d02_the_same_seed_gives_the_same_tables():
    both = splits(net="probability", reader="decision")
    assert section(both, replicates=50, seed=1) == section(both, replicates=50, seed=1)
    other = section(both, replicates=50, seed=2)
    assert other != section(both, replicates=50, seed=1)
    assert len(LABELS) == len(other.items[0].rows)
    assert np.isfinite([row[1].value for row in other.items[0].rows]).all()
