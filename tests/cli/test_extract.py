"""``overread labels extract`` and ``show`` on tables: outputs, reruns, formats, exit codes."""

from __future__ import annotations

import csv
import json
import random

import polars as pl
import pytest

OUT = "overread-out/labels"
FILES = ["evidence.parquet", "labels.parquet", "ranks.parquet", "report_statements.parquet",
         "run.json", "statements.parquet"]  # fmt: skip


def test_a_csv_becomes_the_label_tables(overread, reports, tmp_path):
    ran = overread("labels", "extract", reports, "--keep", "site")
    assert (ran.code, ran.err) == (0, "")
    assert "4 rows in = 4 used + 0 quarantined" in ran.out
    assert "expert: 3 readings" in ran.out
    folder = tmp_path / OUT
    assert sorted(path.name for path in folder.iterdir()) == FILES
    labels = pl.read_parquet(folder / "labels.parquet")
    assert labels["id"].to_list() == ["007", "1e5", "8", "9"]
    assert labels["patient_id"].to_list() == ["15709", "A", "A", "B"]
    assert labels["site"].to_list() == ["North", "South", "South", "-1"]
    assert labels["machine_lvh"].to_list() == [1, 0, 0, 0]
    assert labels["machine_sinus_rhythm"].to_list() == [1, 0, 1, 0]
    assert labels["machine_rbbb"].to_list() == [0, 1, 0, 0]
    assert labels["expert_atrial_flutter"].to_list() == [0, 1, None, 0]
    assert labels["expert_inferior_mi"].to_list() == [0, 0, None, 0]


def test_run_json_tells_what_made_the_tables(overread, reports, tmp_path, labeler):
    overread("labels", "extract", reports, "--uncertain", "negative")
    told = json.loads((tmp_path / OUT / "run.json").read_text())
    assert told["command"] == "labels extract"
    assert told["labels"] == list(labeler.vocabulary.labels)
    assert told["vocabulary"] == labeler.vocabulary.sha256
    assert told["options"]["uncertain"] == "negative"
    assert told["columns"]["expert"] == "over_read"
    assert "reports.csv" not in json.dumps(told)  # P03: a file name may hold a patient number
    assert told["counts"]["rows_in"] == 4
    assert str(tmp_path) not in json.dumps(told)


def test_v14_the_hash_changes_with_the_vocabulary(overread, reports, tmp_path):
    overread("vocab", "init", "mine")
    overread("labels", "extract", reports, "--out", "a", "--vocab", "mine")
    axis = tmp_path / "mine" / "axis.yaml"
    axis.write_text(axis.read_text() + "# a remark\n")
    overread("labels", "extract", reports, "--out", "b", "--vocab", "mine")
    told = [json.loads((tmp_path / f / "run.json").read_text())["vocabulary"] for f in "ab"]
    assert told[0] != told[1]
    ran = overread("labels", "extract", reports, "--out", "a", "--vocab", "mine")
    assert ran.code == 1
    assert "--overwrite" in ran.err


def test_a_rerun_is_up_to_date_and_touches_nothing(overread, reports, tmp_path, hashes):
    overread("labels", "extract", reports)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / OUT).iterdir()}
    ran = overread("labels", "extract", reports, "--workers", "1")
    assert (ran.code, ran.out.strip()) == (0, f"up to date: {OUT}")
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / OUT).iterdir()}


def test_d04_two_runs_differ_in_the_time_of_run_json_alone(overread, reports, tmp_path, hashes):
    overread("labels", "extract", reports, "--out", "a")
    overread("labels", "extract", reports, "--out", "b")
    one, other = hashes(tmp_path / "a"), hashes(tmp_path / "b")
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= {"run.json"}
    told = [json.loads((tmp_path / f / "run.json").read_text()) for f in "ab"]
    for each in told:
        each.pop("written")
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "other",
    [("--uncertain", "missing"), ("--keep", "site"), ("--machine", "over_read"),
     ("--format", "csv"), ("--encoding", "latin-1"), ("--duplicates", "last"), ("--quarantine",),
     ("--max-cell", "999")],
)  # fmt: skip
def test_e07_other_options_ask_for_overwrite_and_change_nothing(
    overread, reports, tmp_path, hashes, other
):
    overread("labels", "extract", reports)
    before = hashes(tmp_path)
    ran = overread("labels", "extract", reports, *other)
    assert (ran.code, ran.out) == (1, "")
    assert "Next step: give --overwrite" in ran.err
    assert hashes(tmp_path) == before


def test_another_input_asks_for_overwrite_then_replaces(overread, reports, tmp_path, hashes):
    overread("labels", "extract", reports)
    before = hashes(tmp_path / OUT)
    reports.write_text(reports.read_text().replace("Atrial flutter", "Sinus arrhythmia"))
    assert overread("labels", "extract", reports).code == 1
    assert hashes(tmp_path / OUT) == before
    assert overread("labels", "extract", reports, "--overwrite").code == 0
    labels = pl.read_parquet(tmp_path / OUT / "labels.parquet")
    assert labels["expert_sinus_rhythm"].to_list() == [1, 1, None, 0]
    assert overread("labels", "extract", reports).out.startswith("up to date")


def test_another_format_leaves_no_tables_of_the_earlier_run(overread, reports, tmp_path):
    overread("labels", "extract", reports)
    (tmp_path / OUT / "notes.csv").write_text("mine")
    assert overread("labels", "extract", reports, "--format", "csv", "--overwrite").code == 0
    names = sorted(path.name for path in (tmp_path / OUT).iterdir())
    assert names == sorted(
        ["notes.csv", *(n.replace(".parquet", ".csv") for n in FILES if n != "ranks.parquet")]
    )


def test_tables_that_are_gone_are_made_again(overread, reports, tmp_path):
    overread("labels", "extract", reports)
    (tmp_path / OUT / "evidence.parquet").unlink()
    ran = overread("labels", "extract", reports)
    assert ran.code == 1
    assert "--overwrite" in ran.err
    assert overread("labels", "extract", reports, "--overwrite").code == 0
    assert (tmp_path / OUT / "evidence.parquet").is_file()


READERS = {
    "labels.parquet": ("discrepancy", "report"),
    "statements.parquet": ("vocab", "suggest"),
    "report_statements.parquet": ("labels", "explain", "--id", "8"),
    "evidence.parquet": ("labels", "explain", "--id", "8"),
    "ranks.parquet": ("vocab", "diff", "as-it-came", "changed"),
}


@pytest.mark.parametrize("table", READERS)
def test_q02_a_damaged_table_or_that_of_another_run_is_never_read(
    overread, reports, tmp_path, table
):
    overread("vocab", "init", "as-it-came")
    overread("vocab", "init", "changed")
    axis = tmp_path / "changed" / "axis.yaml"
    axis.write_text(axis.read_text() + "# a remark\n")
    overread("labels", "extract", reports)
    (tmp_path / "others.csv").write_text("ecg_id,machine,over_read\n8,AF,LVH\n")
    overread("labels", "extract", "others.csv", "--out", "others")
    path = tmp_path / OUT / table
    whole = path.read_bytes()
    rng = random.Random(table)
    damaged = [whole[: len(whole) // 2], (tmp_path / "others" / table).read_bytes()]
    for _ in range(5):
        at = rng.randrange(len(whole))
        damaged.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        ran = overread(*READERS[table])
        assert (ran.code, ran.out) == (1, "")
        assert f"labels/{table} is not the file" in ran.err
    path.write_bytes(whole)
    assert overread(*READERS[table]).code == 0


def test_tables_without_run_json_are_not_replaced_unasked(overread, reports, tmp_path):
    overread("labels", "extract", reports, "--format", "csv")
    (tmp_path / OUT / "run.json").unlink()
    for format in ("csv", "parquet"):
        ran = overread("labels", "extract", reports, "--format", format)
        assert (ran.code, "--overwrite" in ran.err) == (1, True)


def test_a_damaged_run_json_is_told_and_can_be_overwritten(overread, reports, tmp_path):
    overread("labels", "extract", reports)
    for damage in ("{", "[]", '{"command": "x", "inputs": [], "labels": []}'):
        (tmp_path / OUT / "run.json").write_text(damage)
        for words in (("show",), ("extract", reports)):
            ran = overread("labels", *words)
            assert (ran.code, "--overwrite" in ran.err) == (1, True)
    assert overread("labels", "extract", reports, "--overwrite").code == 0
    assert overread("labels", "show").code == 0


def test_e01_csv_tables_hold_no_formula_and_keep_ids(overread, tmp_path):
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"]
    with (tmp_path / "reports.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["id", "patient_id", "machine", "expert", "site"])
        for text in hostile:
            writer.writerow([text, text, f"AF\n{text} LVH", "AF", text])
    ran = overread("labels", "extract", "reports.csv", "--format", "csv", "--keep", "site")
    assert ran.code == 0, ran.err
    with (tmp_path / OUT / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [row["patient_id"] for row in rows] == hostile
    assert [row["site"] for row in rows] == [f"'{text}" for text in hostile]
    assert {row["machine_atrial_fibrillation"] for row in rows} == {"1"}
    for table in ("statements", "evidence"):
        with (tmp_path / OUT / f"{table}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                for cell in row.values():
                    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝")), cell


def test_quarantined_rows_are_counted_listed_and_exit_with_3(overread, tmp_path):
    (tmp_path / "reports.csv").write_text("id,machine\n1,AF\n2,LVH,surplus\n3,RBBB\n")
    ran = overread("labels", "extract", "reports.csv")
    assert ran.code == 1
    assert "row 2" in ran.err
    ran = overread("labels", "extract", "reports.csv", "--quarantine")
    assert ran.code == 3
    assert "3 rows in = 2 used + 1 quarantined" in ran.out
    assert pl.read_parquet(tmp_path / OUT / "quarantine.parquet").rows() == [(2, "field_count")]
    assert overread("labels", "extract", "reports.csv", "--quarantine").code == 3
    (tmp_path / "reports.csv").write_text("id,machine\n1,AF\n")
    assert overread("labels", "extract", "reports.csv", "--overwrite").code == 0
    assert not (tmp_path / OUT / "quarantine.parquet").exists()


def test_t20_duplicate_ids_are_refused_or_counted(overread, tmp_path):
    (tmp_path / "reports.csv").write_text("id,machine\n1,AF\n1,LVH\n2,RBBB\n")
    ran = overread("labels", "extract", "reports.csv")
    assert ran.code == 1
    assert "--duplicates first" in ran.err
    assert not (tmp_path / OUT / "labels.parquet").exists()
    ran = overread("labels", "extract", "reports.csv", "--duplicates", "first")
    assert ran.code == 3
    assert "quarantined, duplicate_id: 1" in ran.out
    assert pl.read_parquet(tmp_path / OUT / "labels.parquet")["machine_lvh"].to_list() == [0, 0]


def test_preview_shows_rows_and_writes_nothing(overread, reports, tmp_path):
    ran = overread("labels", "extract", reports, "--preview", "2")
    assert ran.code == 0
    assert "machine = machine; expert = over_read" in ran.out
    assert "Possible LVH" in ran.out
    assert "Atrial flutter" in ran.out
    assert "Normal ECG" not in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reports.csv"]


def test_show_repeats_the_account(overread, reports):
    extracted = overread("labels", "extract", reports).out
    shown = overread("labels", "show")
    assert shown.code == 0
    assert shown.out in extracted
    assert "Atrial Fibrillation" in shown.out


def test_explain_tells_wording_assertion_cue_and_place(overread, reports):
    ran = overread("labels", "explain", "No LVH. Possible RBBB")
    assert ran.code == 0
    for told in ("lvh absent = 0", "rbbb uncertain = 1", "hypertrophy.yaml:", "possible"):
        assert told in ran.out
    overread("labels", "extract", reports)
    ran = overread("labels", "explain", "--id", "1e5")
    assert ran.code == 0
    assert "Atrial flutter" in ran.out
    assert "atrial_flutter present = 1" in ran.out
    assert overread("labels", "explain", "--id", "none").code == 2
    assert overread("labels", "explain").code == 2
    assert "no reading" in overread("labels", "explain", "Trace only requested").out


def test_explain_reads_a_report_from_the_input(process):
    ran = process("labels", "explain", "-", stdin="Sinus rhythm\nLVH\n")
    assert ran.code == 0
    assert "lvh present = 1" in ran.out


def test_an_overlay_adds_phrases(overread, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "ours.yaml").write_text("labels:\n  lvh:\n    phrases: [thick heart]\n")
    (tmp_path / "reports.csv").write_text("id,machine\n1,Thick heart\n")
    assert overread("labels", "extract", "reports.csv", "--overlay", "ours").code == 0
    assert pl.read_parquet(tmp_path / OUT / "labels.parquet")["machine_lvh"].to_list() == [1]
    ran = overread("labels", "explain", "Thick heart", "--overlay", "ours")
    assert "lvh present" in ran.out


def test_a_folder_of_two_kinds_needs_the_input_format(overread, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "a.csv").write_text("id,machine\n1,LVH\n")
    pl.DataFrame({"id": ["2"], "machine": ["AF"]}).write_parquet(folder / "b.parquet")
    ran = overread("labels", "extract", "shards")
    assert ran.code != 0
    assert "--input-format" in ran.err
    assert overread("labels", "extract", "shards", "--input-format", "csv").code == 0
    assert pl.read_parquet(tmp_path / OUT / "labels.parquet")["id"].to_list() == ["1"]
