"""Hand-counted accounts: T20, T21, statements per side, unmatched statements from 11 ECGs on."""

from __future__ import annotations

import json

import polars as pl
import pytest

from overread.labels.summary import Summary


@pytest.fixture
def counted(pairs, extract):
    """Ten pairs, counted by hand in the tests below."""
    return extract(
        pairs(
            ("Sinus rhythm", "Sinus rhythm"),  # 1 identical
            ("Sinus rhythm\nLVH", "Sinus rhythm\nLVH"),  # 2 identical
            ("Sinus rhythm", "Sinus rhythm."),  # 3 same labels, another text
            ("AF", None),  # 4 no over-read
            ("AF", ""),  # 5 empty over-read
            ("", ""),  # 6 both empty: nothing is identical
            (None, "Possible LVH"),  # 7 no machine text
            ("LVH", "LVH\nEdit: RBBB 100"),  # 8 addendum
            ("Trace only requested", "No LVH"),  # 9 no reading by the machine
            ("AF\nUnconfirmed", "AF\nUnconfirmed"),  # 10 identical, the device's own text
        )
    )


def test_t21_identical_missing_and_addenda_are_counted_apart(counted):
    summary = counted.summary
    assert (summary.rows_in, summary.used, summary.quarantined) == (10, 10, {})
    assert summary.identical == 3
    assert summary.addenda == 1
    machine, expert = summary.sides["machine"], summary.sides["expert"]
    assert (machine.readings, machine.absent, machine.empty, machine.no_reading) == (7, 1, 1, 1)
    assert (expert.readings, expert.absent, expert.empty, expert.no_reading) == (6, 1, 2, 0)
    assert (machine.not_over_read, expert.not_over_read) == (0, 1)
    for side in (machine, expert):
        assert side.readings + side.absent + side.empty + side.no_reading + side.not_over_read == 10


def test_t21_a_missing_over_read_is_null_and_not_a_removal(counted):
    rows = counted.labels.select("machine_atrial_fibrillation", "expert_atrial_fibrillation").rows()
    assert rows[3] == rows[4] == (1, None)
    assert rows[9] == (1, None)
    assert rows[5] == (None, None)


def test_label_counts_leave_out_what_is_no_reading(counted):
    summary = counted.summary
    assert summary.positives("machine", "lvh") == {"positive": 2, "negative": 2, "missing": 2}
    assert summary.positives("expert", "lvh") == {"positive": 3, "negative": 2, "missing": 2}
    assert summary.positives("machine", "atrial_fibrillation")["positive"] == 3
    assert summary.positives("expert", "atrial_fibrillation")["positive"] == 0
    #                            unmentioned, absent, past, uncertain, present, not assessable
    assert summary.sides["expert"].states["lvh"] == [2, 1, 0, 1, 2, 0]
    assert summary.sides["machine"].states["lvh"] == [5, 0, 0, 0, 2, 0]


def test_statements_are_counted_once_per_report_and_side(counted):
    held = {
        (row["text"], row["segment"]): (row["n_machine"], row["n_expert"])
        for row in counted.statements.iter_rows(named=True)
    }
    assert held == {
        ("Sinus rhythm", "findings"): (3, 3),
        ("LVH", "findings"): (2, 2),
        ("AF", "findings"): (3, 1),
        ("Possible LVH", "findings"): (0, 1),
        ("Edit: RBBB 000", "second_reading"): (0, 1),
        ("Trace only requested", "findings"): (1, 0),
        ("No LVH", "findings"): (0, 1),
        ("Unconfirmed", "signature"): (1, 1),
    }
    assert counted.summary.distinct_statements == 8
    assert counted.summary.statements == 3 + 3 + 2 + 2 + 3 + 1 + 1 + 1 + 1


def test_a_statement_twice_in_a_report_counts_once_and_is_listed_twice(pairs, extract):
    found = extract(pairs(("LVH\nLVH\nAF", "LVH")))
    rows = found.statements.select("text", "n_machine", "n_expert").rows()
    assert rows == [("LVH", 1, 1), ("AF", 1, 0)]
    assert found.report_statements["position"].to_list() == [0, 1, 2, 0]


def test_statements_that_differ_in_numbers_and_dates_only_are_one(pairs, extract):
    found = extract(
        pairs(
            ("Vent. rate 72 BPM", "When compared with ECG of 14-FEB-2011 10:12,"),
            ("Vent. rate 58 BPM", "When compared with ECG of 03-MAR-2019 09:59,"),
        )
    )
    assert found.statements["text"].to_list() == [
        "Vent. rate 00 BPM", "When compared with ECG of 00-xxx-0000 00:00",
    ]  # fmt: skip


def test_same_words_in_two_segments_are_two_statements(pairs, extract):
    found = extract(pairs(("LVH\nWhen compared with ECG of 2011,\nLVH", None)))
    told = found.statements.filter(pl.col("text") == "LVH")
    assert told["segment"].to_list() == ["findings", "comparison"]


@pytest.mark.parametrize(("ecgs", "shown"), [(10, []), (11, [("Wibbly complexes", 11)])])
def test_unmatched_statements_are_shown_from_eleven_ecgs_on(pairs, extract, ecgs, shown):
    texts = [("Sinus rhythm\nWibbly complexes", "Sinus rhythm")] * ecgs
    summary = extract(pairs(*texts, ("LVH", "Rare remark"))).summary
    assert summary.shown_unmatched() == shown
    told = json.dumps(summary.counts())
    assert ("Wibbly" in told) == bool(shown)
    assert "Rare remark" not in told
    assert (summary.unmatched_statements, summary.statements) == (ecgs + 1, 3 * ecgs + 2)


def test_an_account_read_back_is_the_one_written(counted):
    written = json.loads(json.dumps(counted.summary.counts()))
    assert Summary.from_counts(written).counts() == counted.summary.counts()


def test_impossible_pairs_are_counted_and_not_repaired(pairs, extract):
    found = extract(
        pairs(
            ("Left axis deviation. Right axis deviation", "Left axis deviation"),
            ("Alternating right and left bundle branch block", "RBBB"),
            ("Possible left axis deviation. Right axis deviation", None),
        )
    )
    told = found.summary.sides["machine"].contradicting()
    assert {pair: count for pair, count in told.items() if count} == {
        ("left_axis_deviation", "right_axis_deviation"): 1,
        ("rbbb", "lbbb"): 1,
    }
    assert not any(found.summary.sides["expert"].contradictions.values())
    first = found.labels.row(0, named=True)
    assert (first["machine_left_axis_deviation"], first["machine_right_axis_deviation"]) == (1, 1)
