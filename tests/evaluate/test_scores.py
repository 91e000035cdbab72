"""Which ECGs are evaluated: joined tables, splits, windows, patients, labels that are unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import overread
from overread.errors import TableError, UsageError
from overread.evaluate.open import ModelTable, open_model, open_truth
from overread.evaluate.scores import align
from overread.manifest import Manifest
from overread.signals.splits import split_of

LABELS = ("af", "lvh")


def model(frame, name="net", **told):
    return ModelTable(name, "score", "", "", LABELS, pl.DataFrame(frame), (), **told)


def truth(folder, text, name="truth.csv"):
    (folder / name).write_text(text)
    return open_truth(folder / name)


def table(folder, text, name="net.csv"):
    (folder / name).write_text(text)
    return open_model(folder / name, overwrite=False, console=Console(quiet=True))[0]


def test_tables_are_joined_by_id_and_unknown_labels_stay_unknown(tmp_path):
    found = align(
        [table(tmp_path, "id,af,lvh\nb,0.2,0.9\na,0.8,0.1\nx,0.5,0.5\n")],
        truth(tmp_path, "ecg_id,patient_id,lvh,af\na,7.0,-1,1\nb,7,,0\nc,8,1,1\n"),
    )
    test = found.test
    assert test.labels == ("af", "lvh")
    assert test.truth["truth"].tolist() == [[1, -1], [0, -1]]
    assert test.models[0].values.tolist() == [[0.8, 0.1], [0.2, 0.9]]
    assert test.patient[0] == test.patient[1]
    assert found.validation is None
    assert "2 of 3 scored ECGs have labels" in " ".join(found.notes)


def test_tables_without_ids_are_joined_row_by_row(tmp_path):
    found = align([table(tmp_path, "af\n0.8\n0.2\n")], truth(tmp_path, "af,site\n1,x\n0,y\n"))
    assert found.test.truth["truth"].tolist() == [[1], [0]]
    assert found.test.patient.tolist() == [0, 1]
    with pytest.raises(TableError, match="1, 2 rows and no common id"):
        align([table(tmp_path, "af\n0.8\n0.2\n")], truth(tmp_path, "af\n1\n"))


def test_tables_of_other_ecgs_are_never_joined(tmp_path):
    scores, labels = "id,af\na,0.8\nb,0.2\n", truth(tmp_path, "id,af\nb,0\na,1\n")
    with pytest.raises(TableError, match="other shares no id with the labels"):
        align([table(tmp_path, scores), table(tmp_path, "id,af\nx,1\n", "other.csv")], labels)
    rows = table(tmp_path, "af\n0.7\n0.3\n", "rows.csv")
    with pytest.raises(TableError, match="rows has no column of ids, the label table has 'id'"):
        align([table(tmp_path, scores), rows], labels)


def test_of_several_id_columns_the_one_that_the_tables_share_joins_them(tmp_path):
    labels = truth(tmp_path, "record,ecg_id,af\n1_hr,1,0\n2_hr,2,1\n3_hr,3,0\n")
    ours = table(tmp_path, "id,af\n3,0.3\n2,0.2\n", "ours.csv")
    theirs = table(tmp_path, "Record,file,af\n2_hr,3,0.7\n3_hr,x,0.6\n", "theirs.csv")
    test = align([ours], labels).test
    assert test.truth["truth"].tolist() == [[1], [0]]
    assert test.models[0].values.tolist() == [[0.2], [0.3]]
    assert align([theirs], labels).test.models[0].values.tolist() == [[0.7], [0.6]]


def test_readers_are_told_apart_by_their_columns(tmp_path):
    found = align(
        [table(tmp_path, "id,af,lvh\n1,0.5,0.5\n2,0.6,0.6\n")],
        truth(tmp_path, "id,expert_af,expert_state_af,machine_lvh\n1,1,4,0\n2,0,0,1\n"),
    ).test
    assert found.reader == "expert"
    assert found.truth["expert"].tolist() == [[1, -1], [0, -1]]
    assert found.truth["machine"].tolist() == [[-1, 0], [-1, 1]]


def test_windows_of_one_ecg_are_averaged(tmp_path):
    frame = {"id": ["a", "b", "a"], "window": [0, 0, 1], "af": [0.2, 0.5, 0.4], "lvh": [1, 1, 0]}
    found = align([model(frame)], truth(tmp_path, "id,af,lvh\na,1,0\nb,0,1\n")).test
    assert found.models[0].values == pytest.approx(np.array([[0.3, 0.5], [0.5, 1]]))
    del frame["window"]
    with pytest.raises(TableError, match="net has 1 ids twice"):
        align([model(frame)], truth(tmp_path, "id,af,lvh\na,1,0\nb,0,1\n"))


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_s10_scores_that_are_not_finite_are_refused_and_counted(tmp_path, bad):
    frame = {"id": ["a", "b"], "af": [0.2, bad], "lvh": [0.1, bad]}
    labels = truth(tmp_path, "id,af,lvh\na,1,0\nb,0,1\n")
    with pytest.raises(TableError, match=r"row 2, column 'af': no finite number.* 1 ECGs"):
        align([model(frame)], labels)
    windows = {"id": ["a", "b", "b"], "window": [0, 0, 1], "lvh": [0.1, 0.2, 0.3]}
    with pytest.raises(TableError, match="row 3, column 'af'"):
        align([model(windows | {"af": [0.2, 0.1, bad]})], labels)
    # An ECG that is not judged may lack a score.
    frame["split"] = ["test", "train"]
    assert len(align([model(frame)], labels).test.patient) == 1


@pytest.mark.parametrize("cell", ["nan", "inf", "JOHN SMITH", '"0,5"', ""])
def test_s10_a_score_that_is_no_number_is_named_by_file_row_and_column(tmp_path, cell):
    scores = table(tmp_path, f"id,score_af\na,0.5\nb,0.1\nc,{cell}\n")
    with pytest.raises(TableError) as told:
        align([scores], truth(tmp_path, "id,af\nc,1\nb,0\na,1\n"))
    assert str(told.value).startswith("net.csv: row 3, column 'score_af': no finite number")
    assert "diverged" not in str(told.value)
    assert "SMITH" not in str(told.value)
    run = replace(scores, paradigm="clip")
    with pytest.raises(TableError, match="look for a diverged training run"):
        align([run], truth(tmp_path, "id,af\nc,1\nb,0\na,1\n"))


@pytest.mark.parametrize("name", ["tset", " test", "JOHN SMITH"])
def test_a_split_of_another_name_is_refused_by_its_row(tmp_path, name):
    scores = table(tmp_path, f"id,split,af\n0,test,0.5\n1,{name},0.1\n")
    with pytest.raises(
        TableError, match=r"net\.csv: row 2, column 'split': .*train, valid"
    ) as told:
        align([scores], truth(tmp_path, ALL))
    assert "SMITH" not in str(told.value)
    plain = table(tmp_path, "id,af\n0,0.5\n1,0.1\n")
    labels = truth(tmp_path, f"id,af,split\n0,1,test\n1,0,{name}\n")
    with pytest.raises(TableError, match=r"truth\.csv: row 2, column 'split'"):
        align([plain], labels)


def test_ecgs_in_no_split_are_counted(tmp_path):
    found = align([in_splits(["train", "test", "", "val"], list("pqrs"))], truth(tmp_path, ALL))
    assert "1 ECGs are in no split: their cell is blank" in found.notes
    assert len(found.test.patient) == len(found.validation.patient) == 1


def test_v14_labels_of_another_vocabulary_are_told(tmp_path):
    given = in_splits(["test"] * 4, list("pqrs"), vocabulary="ab" * 32)
    labels = truth(tmp_path, ALL)
    assert not any("vocabulary" in note for note in align([given], labels).notes)
    same = replace(labels, vocabulary="ab" * 32)
    assert not any("vocabulary" in note for note in align([given], same).notes)
    other = align([given], replace(labels, vocabulary="cd" * 32)).notes
    assert any("the vocabulary abababab, and is judged by those of cdcdcdcd" in n for n in other)


def in_splits(names, patients, **told):
    ids = [str(at) for at in range(len(names))]
    columns = {"id": ids, "patient_id": patients, "split": names}
    return model(columns | dict.fromkeys(LABELS, np.arange(len(names)) / 10), **told)


ALL = "id,af,lvh,fold\n" + "".join(f"{at},1,0,{'test' if at > 1 else 'train'}\n" for at in range(4))


def test_only_the_split_that_was_asked_for_is_judged(tmp_path):
    given = in_splits(["train", "validation", "test", "test"], ["p", "q", "r", "r"])
    found = align([given], truth(tmp_path, ALL))
    assert found.test.models[0].values[:, 0].tolist() == [0.2, 0.3]
    assert found.validation is not None
    assert found.validation.models[0].values[:, 0].tolist() == [0.1]
    found = align([given], truth(tmp_path, ALL), split="validation")
    assert found.test.models[0].values[:, 0].tolist() == [0.1]
    assert found.validation is None
    with pytest.raises(UsageError, match="no split 'dev'"):
        align([given], truth(tmp_path, ALL), split="dev")


def test_all_ecgs_of_another_store_are_judged_but_never_of_the_one_learnt_from(tmp_path):
    frame = {"id": ["a", "b"], "split": ["train", "test"], "af": [0.2, 0.5], "lvh": [1.0, 0.0]}
    labels = truth(tmp_path, "id,af,lvh\na,1,0\nb,0,1\n")
    elsewhere = model(frame, learnt_here=False)
    assert len(align([elsewhere], labels, split="all").test.patient) == 2
    found = align([elsewhere], labels)
    assert len(found.test.patient) == 1
    assert any("--split all" in note for note in found.notes)
    with pytest.raises(UsageError, match="net learnt from ECGs of this store"):
        align([model(frame, learnt_here=True)], labels, split="all")


def test_runs_of_different_splits_share_what_neither_learnt_from(tmp_path):
    one = in_splits(["train", "test", "test", "test"], ["p", "q", "r", "s"])
    two = replace(in_splits(["test", "train", "test", ""], ["p", "q", "r", "s"]), name="other")
    found = align([one, two], truth(tmp_path, ALL)).test
    assert found.models[1].values[:, 0].tolist() == [0.2]
    with pytest.raises(
        TableError, match=r"in the split validation of every run; .* called: test, train"
    ):
        align([one, two], truth(tmp_path, ALL), split="validation")


def test_a_patient_of_both_sides_is_refused_unless_records_were_split(tmp_path):
    names, patients = ["train", "test", "test", "train"], ["p", "p", "q", "gone"]
    labels = truth(tmp_path, "id,af,lvh\n1,1,0\n2,0,1\n")  # the training ECG is not among them
    with pytest.raises(TableError, match="1 patients of the split test stand in the training"):
        align([in_splits(names, patients)], labels)
    found = align([in_splits(names, patients, by_record=True)], labels)
    assert any("1 patients of the split test stand in its training" in n for n in found.notes)


def test_a_patient_of_test_and_validation_is_told(tmp_path):
    names = ["train", "validation", "test", "test"]
    found = align([in_splits(names, ["p", "q", "q", "r"])], truth(tmp_path, ALL))
    assert any(
        "1 patients of the split test stand in the validation split" in n for n in found.notes
    )
    found = align([in_splits(names, ["p", "q", "r", "s"])], truth(tmp_path, ALL))
    assert not any("stand in the validation split" in note for note in found.notes)


def test_predictions_tell_how_their_model_split_records(tmp_path):
    pl.DataFrame(
        {"id": ["a", "b"], "window": [0, 0], "patient_id": ["p", "p"], "split": ["test"] * 2,
         "score_af": [0.1, 0.9], "score_lvh": [0.5, 0.5]}
    ).write_parquet(tmp_path / "predictions.parquet")  # fmt: skip
    options = {
        "kind": "similarity", "paradigm": "clip", "reader": "expert", "split": "record",
        "split_column": "", "synthetic": False, "trained_on_synthetic": True,
        "learnt_here": True,
    }  # fmt: skip
    Manifest("predict", options, labels=LABELS).write(tmp_path)
    found, _ = open_model(tmp_path, overwrite=False, console=Console(quiet=True))
    assert (found.kind, found.paradigm, found.trained_on) == ("similarity", "clip", "expert")
    assert (found.by_record, found.synthetic, found.learnt_here) == (True, True, True)
    assert found.frame["split"].to_list() == [split_of(None, "a"), split_of(None, "b")]


def test_splits_of_a_run_may_stand_in_the_label_table(tmp_path):
    given = in_splits(["test"] * 4, list("pqrs"), split_column="fold")
    assert len(align([given], truth(tmp_path, ALL)).test.patient) == 2
    with pytest.raises(UsageError, match="column 'year', which these labels have not"):
        align([replace(given, split_column="year")], truth(tmp_path, ALL))


def test_labels_that_not_all_tables_have_are_left_out_and_told(tmp_path):
    labels = truth(tmp_path, "id,af,rbbb\n1,1,0\n2,0,1\n")
    found = align([table(tmp_path, "id,lvh,af,age\n1,0.1,0.2,70\n2,0.3,0.1,80\n")], labels)
    assert found.test.labels == ("af",)
    assert "left out, not in every table: lvh, age, rbbb" in found.notes
    with pytest.raises(TableError, match="no label is common"):
        align([table(tmp_path, "id,lvh\n1,0.5\n2,0.1\n")], labels)


def test_a_label_with_another_value_is_no_label_and_told(tmp_path):
    labels = truth(tmp_path, "id,af,age\n1,1,70\n2,0,80\n")
    found = align([table(tmp_path, "id,af,age\n1,0.2,70\n2,0.1,80\n")], labels)
    assert "left out, not all 1, 0, -1 or blank in the table of labels: age" in found.notes
    with pytest.raises(TableError, match="row 1, column 'age'"):
        align([table(tmp_path, "id,age\n1,0.5\n2,0.1\n")], labels)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1\n0", "decision"),
        ("True\nFalse", "decision"),
        ("0.4\n1", "probability"),
        ("-0.4\n1", "score"),
        ("2\n0", "score"),
    ],
)
def test_what_scores_of_a_plain_table_are(tmp_path, cells, kind):
    found = align([table(tmp_path, f"af\n{cells}\n")], truth(tmp_path, "af\n1\n0\n"))
    assert found.test.models[0].kind == kind


@pytest.mark.parametrize(("judged", "kind"), [("1\n0", "probability"), ("0.4\n0.6", "score")])
def test_scores_are_of_one_kind_in_the_judged_and_the_validation_ecgs(tmp_path, judged, kind):
    fitted = "0.3\n0.7" if kind == "probability" else "-3.1\n2.2"
    labels = truth(tmp_path, "af,split\n1,test\n0,test\n1,val\n0,val\n")
    found = align([table(tmp_path, f"af\n{judged}\n{fitted}\n")], labels)
    assert [part.models[0].kind for part in (found.test, found.validation)] == [kind, kind]


def test_ecgs_whose_patient_is_blank_are_not_of_one_patient(tmp_path):
    labels = truth(tmp_path, "id,patient_id,split,af\n1, ,train,1\n2, ,test,0\n3, ,test,1\n")
    test = align([table(tmp_path, "id,af\n1,0.1\n2,0.2\n3,0.3\n")], labels).test
    assert test.patient.tolist() == [0, 1]


def test_groups_are_those_of_the_judged_ecgs(tmp_path):
    labels = truth(tmp_path, "id,af,site,age\n1,1,N,30\n2,0,S,70\n3,1,,50\n")
    scores = table(tmp_path, "id,af\n1,0.5\n2,0.6\n3,0.2\n")
    site, age = align([scores], labels, by=["site", ("age", (40, 60))]).test.groups
    assert (site.names, site.codes.tolist()) == (("N", "S", "unknown"), [0, 1, 2])
    assert age.codes.tolist() == [0, 2, 1]
    with pytest.raises(UsageError, match="no column 'sex'"):
        align([scores], labels, by=["sex"])


def test_two_runs_of_one_name_and_tables_without_labels_are_refused(tmp_path):
    scores = table(tmp_path, "id,af\n1,0.5\n")
    with pytest.raises(UsageError, match="have the same name"):
        align([scores, scores], truth(tmp_path, "id,af\n1,1\n"))
    with pytest.raises(TableError, match=r"scores\.csv has no column of 1, 0, -1"):
        truth(tmp_path, "id,af\n1,0.5\n2,0.1\n", "scores.csv")
    with pytest.raises(TableError, match=r"names\.csv has no column of numbers"):
        table(tmp_path, "id,name\n1,x\n2,y\n", "names.csv")


def test_folders_that_hold_no_whole_run_say_what_to_do(tmp_path):
    def opened():
        return open_model(tmp_path, overwrite=False, console=Console(quiet=True))

    with pytest.raises(UsageError, match="no finished run and no predictions"):
        opened()
    Manifest("labels extract").write(tmp_path)
    with pytest.raises(UsageError, match="no finished run and no predictions"):
        opened()
    (tmp_path / "config.toml").write_text('store = "gone"\n')
    with pytest.raises(UsageError, match=r"the store gone, which .* is not here"):
        opened()
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match="cut off or damaged"):
        opened()
    (tmp_path / "run.json").unlink()
    with pytest.raises(UsageError, match=r"without their run\.json"):
        opened()


def test_from_python_a_single_run_needs_no_list(tmp_path):
    (tmp_path / "net.csv").write_text("id,af\n1,0.9\n2,0.4\n")
    (tmp_path / "truth.csv").write_text("id,af\n1,1\n2,0\n")
    found = overread.evaluate(tmp_path / "net.csv", tmp_path / "truth.csv", replicates=20)
    assert found.measures.values[0, 0].tolist() == [1, 1]
    with pytest.raises(UsageError, match=r"no run .other.\. Next step: one of net"):
        found.macro("other")
