"""Real records from the command line: WFDB comments, MUSE XML, PTB-XL."""

from __future__ import annotations

import polars as pl
import pytest

LABELS = "overread-out/labels/labels.parquet"

# Read by hand from the 14 headers: (machine, cardiologist); what is only possible has a mark.
NORWEGIAN = {
    "ath_001": ("sinus_rhythm right_axis_deviation", "sinus_rhythm"),
    "ath_002": ("sinus_rhythm right_axis_deviation", "sinus_rhythm right_axis_deviation"),
    "ath_003": ("sinus_rhythm left_axis_deviation", "sinus_rhythm left_axis_deviation"),
    "ath_004": ("sinus_rhythm right_axis_deviation", "sinus_rhythm"),
    "ath_005": ("sinus_rhythm", "sinus_rhythm"),
    "ath_006": ("sinus_rhythm", "sinus_rhythm lvh"),
    "ath_007": ("sinus_rhythm rvh? inferior_mi?", "sinus_rhythm"),
    "ath_008": ("sinus_rhythm", "sinus_rhythm"),
    "ath_009": ("sinus_rhythm right_axis_deviation", "sinus_rhythm right_axis_deviation"),
    "ath_010": ("sinus_rhythm anterior_mi", "sinus_rhythm lvh?"),
    "ath_011": ("sinus_rhythm", "sinus_rhythm"),
    "ath_012": ("sinus_rhythm", "sinus_rhythm"),
    "ath_013": ("sinus_rhythm right_axis_deviation", "sinus_rhythm"),
    "ath_014": ("sinus_rhythm", "sinus_rhythm"),
}


def asserted(row, source):
    """The labels of one side of a row: present ones, and uncertain ones with a mark."""
    opening = f"{source}_state_"
    found = {
        name.removeprefix(opening): code for name, code in row.items() if name.startswith(opening)
    }
    return {name + "?" * (code == 3) for name, code in found.items() if code in (3, 4)}


@pytest.fixture
def data(shared):
    folder = shared / "data"
    if not folder.is_dir():
        pytest.skip("the real records are not at hand")
    return folder


def test_all_28_norwegian_readings_are_right(overread, data, tmp_path):
    ran = overread("labels", "extract", data / "norwegian-athlete-ecg")
    assert (ran.code, ran.err) == (0, "")
    rows = pl.read_parquet(tmp_path / LABELS).rows(named=True)
    told = {row["id"]: (asserted(row, "machine"), asserted(row, "expert")) for row in rows}
    expected = {
        name: (set(machine.split()), set(expert.split()))
        for name, (machine, expert) in NORWEGIAN.items()
    }
    assert told == expected


def test_other_comments_are_another_run(overread, data):
    folder = data / "norwegian-athlete-ecg"
    overread("labels", "extract", folder)
    words = ("--machine-comment", "C:", "--expert-comment", "SL12:")
    ran = overread("labels", "extract", folder, *words)
    assert (ran.code, "--overwrite" in ran.err) == (1, True)


def test_muse_folder(overread, data, tmp_path):
    ran = overread("labels", "extract", data / "ge-muse-xml", "--quarantine")
    assert ran.code in (0, 3)
    rows = {row["id"]: row for row in pl.read_parquet(tmp_path / LABELS).rows(named=True)}
    # Machine: wide QRS rhythm, left axis deviation, lateral infarct; expert: paced rhythm.
    assert asserted(rows["muse_ecg1"], "machine") == {"left_axis_deviation"}
    assert asserted(rows["muse_ecg1"], "expert") == set()
    assert rows["muse_ecg1"]["expert_sinus_rhythm"] == 0
    held = pl.read_parquet(tmp_path / LABELS.replace("labels.p", "statements.p"))
    assert "Doe" not in " ".join(held["text"])


def test_ptbxl(overread, data, tmp_path):
    table = data / "ptb-xl" / "ptbxl_database_subset.csv"
    ran = overread("labels", "extract", table, "--keep", "strat_fold")
    assert (ran.code, ran.err) == (0, "")
    labels = pl.read_parquet(tmp_path / LABELS)
    assert len(labels) == 5_349
    # Each report is the device's or a person's.
    sides = labels.select(pl.col("^(machine|expert)_lvh$").is_not_null())
    assert sides.select(pl.sum_horizontal(pl.all()).max()).item() == 1
    assert set(labels["strat_fold"]) <= {"1", "2", "3", "4", "5"}
    assert not labels["patient_id"].str.contains(".", literal=True).any()


MUSE = (
    "<RestingECG><TestDemographics><Status>{}</Status></TestDemographics>"
    "<OriginalDiagnosis><DiagnosisStatement><StmtText>Atrial fibrillation</StmtText>"
    "</DiagnosisStatement></OriginalDiagnosis><Diagnosis><DiagnosisStatement>"
    "<StmtText>Sinus rhythm</StmtText></DiagnosisStatement></Diagnosis></RestingECG>"
)


def test_x11_what_is_not_over_read_is_told_as_such(overread, tmp_path):
    (tmp_path / "muse").mkdir()
    for number, status in enumerate(("CONFIRMED", "UNCONFIRMED", "UNCONFIRMED")):
        (tmp_path / "muse" / f"{number}.xml").write_text(MUSE.format(status))
    ran = overread("labels", "extract", "muse")
    assert (ran.code, ran.err) == (0, "")
    assert "  expert: 1 readings; 2 not over-read\n" in ran.out
    assert "cell" not in ran.out
    assert "2 not over-read" in overread("labels", "show").out
