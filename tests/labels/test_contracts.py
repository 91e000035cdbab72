"""The four tables as other stages read them: columns, types, ids, nulls, spans."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

import overread
from overread.errors import TableError, UsageError

LABELS = (
    "sinus_rhythm", "rbbb", "lbbb", "atrial_fibrillation", "atrial_flutter", "left_axis_deviation",
    "right_axis_deviation", "right_superior_axis_deviation", "lvh", "rvh", "anterior_mi",
    "inferior_mi", "posterior_mi",
)  # fmt: skip

REPORTS = pl.DataFrame(
    {
        "ecg_id": ["0007", "1234567890123456789012", "1e5", "=1+1"],
        "patient_id": ["15709.0", "0012", None, "A-7"],
        "machine": [
            "Sinus rhythm\r\nPossible LVH",
            "Atrial fibrillation",
            "Trace only requested",
            "",
        ],
        "expert": ["No LVH", None, "Old inferior infarct\nConfirmed by Elm, J.", "Unconfirmed\nAF"],
        "site": ["North", "", None, "-South"],
    }
)


@pytest.fixture(scope="module")
def extraction():
    return overread.extract(REPORTS, keep=("site",))


def test_the_shipped_labels_are_the_thirteen(labeler):
    assert sorted(labeler.vocabulary.labels) == sorted(LABELS)


def test_d06_label_table_has_its_columns_and_types_in_the_vocabularys_order(extraction, labeler):
    names = list(labeler.vocabulary.labels)
    expected = {"id": pl.String, "patient_id": pl.String, "site": pl.String}
    for source in ("machine", "expert"):
        expected |= {f"{source}_{label}": pl.Int8 for label in names}
        expected |= {f"{source}_state_{label}": pl.UInt8 for label in names}
    schema = extraction.labels.schema
    assert dict(schema) == expected
    for source in ("machine", "expert"):
        values = [n for n in schema if n.startswith(source) and "_state_" not in n]
        assert values == [f"{source}_{label}" for label in names]


def test_other_tables_have_their_columns_and_types(extraction):
    assert dict(extraction.statements.schema) == {
        "statement": pl.UInt32, "text": pl.String, "segment": pl.String,
        "n_machine": pl.UInt32, "n_expert": pl.UInt32,
    }  # fmt: skip
    assert dict(extraction.report_statements.schema) == {
        "row": pl.UInt32, "source": pl.UInt8, "position": pl.UInt16, "statement": pl.UInt32,
        "start": pl.UInt32, "end": pl.UInt32,
    }  # fmt: skip
    assert dict(extraction.evidence.schema) == {
        "statement": pl.UInt32, "label": pl.String, "assertion": pl.String, "start": pl.UInt32,
        "end": pl.UInt32, "phrase_id": pl.String, "vocab_file": pl.String,
        "vocab_line": pl.UInt32, "cue": pl.String, "score": pl.UInt8,
    }  # fmt: skip
    statements = extraction.statements
    assert statements["statement"].to_list() == list(range(len(statements)))
    assert set(extraction.evidence["statement"]) <= set(statements["statement"])
    assert set(extraction.report_statements["statement"]) == set(statements["statement"])


def test_ids_and_kept_cells_are_byte_equal(extraction):
    labels = extraction.labels
    assert labels["id"].to_list() == REPORTS["ecg_id"].to_list()
    assert labels["site"].to_list() == REPORTS["site"].to_list()
    assert labels["patient_id"].to_list() == ["15709", "0012", None, "A-7"]


def test_values_and_states_of_a_small_table(extraction):
    labels = extraction.labels
    #          possible LVH; no mention; no reading; empty cell
    assert labels["machine_lvh"].to_list() == [1, 0, None, None]
    assert labels["machine_state_lvh"].to_list() == [3, 0, None, None]
    assert labels["machine_sinus_rhythm"].to_list() == [1, 0, None, None]
    assert labels["machine_state_atrial_fibrillation"].to_list() == [0, 4, None, None]
    #          no LVH; absent cell; no mention; the device's own text
    assert labels["expert_lvh"].to_list() == [0, None, 0, None]
    assert labels["expert_state_lvh"].to_list() == [1, None, 0, None]
    assert labels["expert_inferior_mi"].to_list() == [0, None, 1, None]


@pytest.mark.parametrize(
    ("policy", "values"),
    [("positive", [1, 0, 1, 0, 0, 0]), ("negative", [1, 0, 0, 0, 0, 0]),
     ("missing", [1, 0, -1, 0, 0, -1])],
)  # fmt: skip
def test_values_are_a_function_of_state_and_policy(pairs, policy, values):
    texts = ["LVH", "No LVH", "Possible LVH", "LVH has resolved", "Sinus rhythm",
             "LVH cannot be determined"]  # fmt: skip
    labels = overread.extract(pairs(*((t, None) for t in texts)), uncertain=policy).labels
    assert labels["machine_state_lvh"].to_list() == [4, 1, 3, 2, 0, 5]
    assert labels["machine_lvh"].to_list() == values


@pytest.mark.parametrize("side", ["machine", "expert"])
def test_one_side_alone_has_no_columns_of_the_other(side, extract):
    other = {"machine": "expert", "expert": "machine"}[side]
    labels = extract(pl.DataFrame({"id": ["1"], side: ["AF"]})).labels
    assert labels[f"{side}_atrial_fibrillation"].to_list() == [1]
    assert not [name for name in labels.columns if name.startswith(other)]


def test_spans_point_into_the_original_report(extract):
    report = (
        "😀 Größe\r\nNormal  sinus rhythm;  72 BPM\r\n\tOld inferior infarct. \nConfirmed by X, Y"
    )
    found = extract(pl.DataFrame({"id": ["1"], "machine": [report], "expert": ["LVH"]}))
    held = found.report_statements.filter(pl.col("source") == 0).sort("position")
    texts = [report[start:end] for start, end in held.select("start", "end").iter_rows()]
    assert texts == ["😀 Größe", "Normal  sinus rhythm", "72 BPM", "Old inferior infarct",
                     "Confirmed by X, Y"]  # fmt: skip
    assert held["position"].to_list() == [0, 1, 2, 3, 4]
    joined = held.join(found.evidence, on="statement", suffix="_in")
    wordings = {
        row["label"]: report[row["start"] + row["start_in"] : row["start"] + row["end_in"]]
        for row in joined.iter_rows(named=True)
    }
    assert wordings == {"sinus_rhythm": "Normal  sinus rhythm", "inferior_mi": "inferior infarct"}


def test_spans_of_all_sentences_are_those_of_the_original(sentences, labeler, extract):
    frame = pl.DataFrame({"id": [str(n) for n in range(len(sentences))], "machine": sentences})
    found = extract(frame)
    joined = found.report_statements.join(found.evidence, on="statement", suffix="_in")
    told = {
        (row["row"], row["label"], row["start"] + row["start_in"], row["start"] + row["end_in"],
         row["assertion"], row["phrase_id"], row["cue"], row["score"])
        for row in joined.iter_rows(named=True)
    }  # fmt: skip
    expected = {
        (number, m.label, m.start, m.end, m.assertion, m.phrase_id, m.cue, m.score)
        for number, text in enumerate(sentences)
        for m in labeler.label(text).mentions
    }
    assert told == expected


def test_evidence_names_the_line_of_the_vocabulary(labeler, extract):
    found = extract(pl.DataFrame({"id": ["1"], "machine": ["No left axis deviation"]}))
    [row] = found.evidence.rows(named=True)
    assert (row["label"], row["assertion"], row["cue"], row["score"]) == (
        "left_axis_deviation", "absent", "no", 100,
    )  # fmt: skip
    [place] = [str(m.place) for m in labeler.label("No left axis deviation").mentions]
    assert place.startswith(f"{row['vocab_file']}:{row['vocab_line']}:")
    assert row["vocab_file"].endswith("axis.yaml")


def test_reports_without_statements_keep_their_row(pairs, extract):
    labels = extract(pairs(("...", "LVH"), ("AF", " , ;"), (None, "AF"))).labels
    assert labels["machine_lvh"].to_list() == [0, 0, None]
    assert labels["expert_lvh"].to_list() == [1, 0, 0]


@pytest.mark.parametrize("name", ["machine_lvh", "expert_state_rvh"])
def test_a_kept_column_never_replaces_a_label(name, extract):
    frame = pl.DataFrame({"id": ["1"], "machine": ["AF"], "expert": ["AF"], name: ["mine"]})
    with pytest.raises(UsageError, match=rf"{name}.*Next step"):
        extract(frame, keep=(name,))


def test_duplicate_ids_are_refused_or_counted(pairs, extract):
    frame = pairs(("LVH", "AF"), ("AF", "AF"), ("RVH", "AF")).with_columns(
        id=pl.Series(["a", "b", "a"])
    )
    with pytest.raises(TableError, match="--duplicates"):
        extract(frame)
    first = extract(frame, duplicates="first")
    last = extract(frame, duplicates="last")
    assert first.labels.select("id", "machine_lvh").rows() == [("a", 1), ("b", 0)]
    assert last.labels.select("id", "machine_rvh").rows() == [("b", 0), ("a", 1)]
    for found in (first, last):
        assert found.summary.quarantined == {"duplicate_id": 1}
        assert (found.summary.rows_in, found.summary.used) == (3, 2)


def test_pandas_in_and_out():
    frame = pd.DataFrame({"id": ["01", "02"], "machine": ["AF", None], "expert": ["LVH", "AF"]})
    tables = overread.extract(frame).to_pandas()
    assert list(tables) == ["labels", "statements", "report_statements", "evidence"]
    assert tables["labels"]["id"].to_list() == ["01", "02"]
    assert tables["labels"]["expert_lvh"].to_list() == [1, 0]
    assert tables["labels"]["machine_lvh"].isna().to_list() == [False, True]


def test_extraction_of_a_file_equals_that_of_the_frame(tmp_path, extraction):
    path = tmp_path / "reports.csv"
    REPORTS.write_csv(path)
    labels = overread.extract(path, keep=("site",)).labels
    # In a CSV file an absent cell and an empty one look alike: both sides have no reading.
    assert labels.drop("site").equals(extraction.labels.drop("site"))


def test_no_rows_are_refused(extract):
    empty = pl.DataFrame({"id": [], "machine": []}, schema={"id": pl.String, "machine": pl.String})
    with pytest.raises(TableError, match="0 reports"):
        extract(empty)
